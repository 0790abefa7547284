"""Fixtures for the tests of bxbackup."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from backup_samples import ALL, Outcome, Run, Sample
from database_server import DatabaseServer
from loading import Loading

from bxbackup import cli, commands


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


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    """A running database server of the tests' own."""
    database_server = DatabaseServer(tmp_path_factory.mktemp("mariadb"))
    database_server.start()
    yield database_server
    database_server.end()


@pytest.fixture
def loading(server: DatabaseServer, tmp_path: Path) -> Iterator[Loading]:
    """A database to be loaded, which is not there yet."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield Loading(server, name, tmp_path / "load-state")
    server.rows(f"DROP DATABASE IF EXISTS `{name}`")


@pytest.fixture(scope="session")
def sample_dumps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with the unpacked samples, by name."""
    folder = tmp_path_factory.mktemp("samples")
    for sample in ALL:
        password_file = None
        if sample.password is not None:
            password_file = folder / f"{sample.name}.password"
            password_file.write_text(sample.password)
            password_file.chmod(0o600)
        assert commands.unpack(sample.first, folder / sample.name, password_file) == 0
    return {sample.name: folder / sample.name for sample in ALL}
