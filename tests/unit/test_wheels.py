"""Wheels are collected again when their sources change, and only then."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from boxlift import wheels
from boxlift.cli import app
from boxlift.errors import BoxliftError, RefusedError, UsageError
from boxlift.project import create


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "bxbackup"
    (folder / "src" / "bxbackup").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nversion = "0.1.0"\n')
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


def test_they_are_for_the_machine_that_is_named(source: Path, pip: Pip, tmp_path: Path) -> None:
    constraints, target = tmp_path / "constraints.txt", tmp_path / "wheels"
    assert wheels.collect(source, constraints, target, "aarch64")
    assert "--platform=manylinux_2_28_aarch64" in pip.calls[1]
    assert not wheels.collect(source, constraints, target, "aarch64")
    assert wheels.collect(source, constraints, target, "x86_64")


def test_what_somebody_else_keeps_there_is_not_removed(source: Path, pip: Pip, tmp_path: Path) -> None:
    target = tmp_path / "downloads"
    target.mkdir()
    (target / "bxbackup-0.0.9-py3-none-any.whl").write_text("an old one may go")
    assert wheels.collect(source, tmp_path / "constraints.txt", target)
    (target / "thesis.pdf").write_text("years of work")
    (tmp_path / "constraints.txt").write_text("isal==1.9.2\n")
    with pytest.raises(UsageError, match=r"holds thesis\.pdf"):
        wheels.collect(source, tmp_path / "constraints.txt", target)
    assert (target / "thesis.pdf").read_text() == "years of work"


def test_what_a_folder_is_worth(
    source: Path, pip: Pip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "content_root", lambda: tmp_path)
    target = tmp_path / "packages" / "wheels"
    assert wheels.state(target) is wheels.Stock.ABSENT
    target.mkdir(parents=True)
    (target / "bxbackup-0.0.9-py3-none-any.whl").write_text("of an earlier boxlift")
    assert wheels.state(target) is wheels.Stock.OTHER
    for name in ("bxbackup-0.1.0-py3-none-any.whl", "isal-1.9.1-cp311-cp311-x.whl"):
        (target / name).write_text("collected by hand")
    (target / "bxbackup-0.0.9-py3-none-any.whl").unlink()
    assert wheels.state(target) is wheels.Stock.READY
    wheels.collect(*wheels.sources(), target, "aarch64")
    assert wheels.state(target) is wheels.Stock.READY
    (source / "README.md").write_text("another boxlift")
    assert wheels.state(target) is wheels.Stock.OTHER


def test_an_installation_without_the_sources_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "content_root", lambda: tmp_path)
    with pytest.raises(BoxliftError, match="no sources of bxbackup"):
        wheels.sources()
    assert wheels.state(tmp_path) is wheels.Stock.ABSENT
    (tmp_path / "bxbackup-0.0.9-py3-none-any.whl").write_text("brought by hand")
    assert wheels.state(tmp_path) is wheels.Stock.READY, "there is nothing to hold it against"


@pytest.mark.parametrize(
    ("said", "told", "cure"),
    [
        ("/usr/bin/python3: No module named pip", "has no pip", "ensurepip"),
        (
            "WARNING: Retrying\n  ERROR: No version satisfies the requirement isal==1.9.1\nerror: subprocess",
            "satisfies the requirement isal",
            "on a machine that does",
        ),
        ("killed", "killed", "package index"),
    ],
)
def test_what_pip_cannot_do_is_told_with_its_cure(
    said: str, told: str, cure: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = subprocess.CompletedProcess(("pip",), 1, "", said)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(BoxliftError) as raised:
        wheels.collect(source, tmp_path / "constraints.txt", tmp_path / "wheels")
    assert told in raised.value.message
    assert cure in str(raised.value.cure)
    assert not (tmp_path / "wheels").exists()


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


RUNNER = CliRunner()


def test_the_command_fills_the_project(
    source: Path, pip: Pip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "template").mkdir()
    project = create(tmp_path / "acme", template=tmp_path / "template", vault_password_file=tmp_path / "word")
    monkeypatch.setattr(wheels, "content_root", lambda: tmp_path)
    made = RUNNER.invoke(app, ["-C", str(project.root), "wheels"])
    assert made.exit_code == 0, made.output
    assert made.output.startswith("✓ 1 wheel, 5 B, for Python 3.11 and 3.13 in ")
    assert wheels.state(project.root / "packages" / "wheels") is wheels.Stock.READY
    assert RUNNER.invoke(app, ["-C", str(project.root), "wheels"]).output.startswith("✓ up to date: 1 wheel")
    with project.lock("run"):
        refused = RUNNER.invoke(app, ["-C", str(project.root), "wheels", "--machine", "aarch64"])
    assert isinstance(refused.exception, RefusedError)


def test_the_command_fills_a_folder_without_a_project(
    source: Path, pip: Pip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "content_root", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    assert RUNNER.invoke(app, ["wheels", "carried", "--machine", "aarch64"]).exit_code == 0
    assert wheels.state(tmp_path / "carried") is wheels.Stock.READY
    assert isinstance(RUNNER.invoke(app, ["wheels", "--machine", "z80"]).exception, UsageError)
