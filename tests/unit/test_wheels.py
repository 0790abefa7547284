"""Wheels are collected again when their sources change, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxlift import wheels
from boxlift.errors import BoxliftError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "bxbackup"
    (folder / "src" / "bxbackup").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("[project]")
    (folder / "README.md").write_text("read me")
    (folder / "src" / "bxbackup" / "__init__.py").write_text("")
    (tmp_path / "constraints.txt").write_text("isal==1.9.1\n")
    return folder


class Pip:
    """Stands for pip: notes what it is told and makes one wheel."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def __call__(self, *arguments: str) -> None:
        self.calls.append(arguments)
        if arguments[0] == "wheel":
            Path(arguments[3], "bxbackup-0.1.0-py3-none-any.whl").write_text("wheel")


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    stand_in = Pip()
    monkeypatch.setattr(wheels, "_pip", stand_in)
    return stand_in


def test_collects_for_both_pythons_and_then_only_on_change(source: Path, pip: Pip, tmp_path: Path) -> None:
    constraints, target = tmp_path / "constraints.txt", tmp_path / "lab" / "wheels"
    assert wheels.collect(source, constraints, target)
    assert [call[0] for call in pip.calls] == ["wheel", "download", "download"]
    assert "--python-version=3.11" in pip.calls[1]
    assert "--python-version=3.13" in pip.calls[2]
    assert "--only-binary=:all:" in pip.calls[2]
    assert [path.name for path in target.glob("*.whl")] == ["bxbackup-0.1.0-py3-none-any.whl"]
    assert not wheels.collect(source, constraints, target)
    (source / "src" / "bxbackup" / "__init__.py").write_text("changed")
    assert wheels.collect(source, constraints, target)
    constraints.write_text("isal==1.9.2\n")
    assert wheels.collect(source, constraints, target)


def test_a_failure_keeps_the_old_wheels(
    source: Path, pip: Pip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constraints, target = tmp_path / "constraints.txt", tmp_path / "wheels"
    wheels.collect(source, constraints, target)
    constraints.write_text("isal==1.9.2\n")

    def fail(*_: str) -> None:
        raise BoxliftError("no network")

    monkeypatch.setattr(wheels, "_pip", fail)
    with pytest.raises(BoxliftError):
        wheels.collect(source, constraints, target)
    assert list(target.glob("*.whl"))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".wheels")] == []
