"""Fixtures for the tests of bxbackup."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from backup_samples import Outcome, Run, Sample

from bxbackup import cli


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `bxbackup` with arguments in this process."""

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["bxbackup", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        said = capsys.readouterr()
        return Outcome(int(stopped.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def password_options(tmp_path: Path) -> Callable[[Sample], list[str]]:
    """The options that open a sample."""

    def options(sample: Sample) -> list[str]:
        if sample.password is None:
            return []
        path = tmp_path / f"{sample.name}.password"
        path.write_text(sample.password + "\n")
        path.chmod(0o600)
        return ["--password-file", str(path)]

    return options
