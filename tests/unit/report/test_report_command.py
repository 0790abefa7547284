"""`boxlift report`: where it writes, and what it leaves alone."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from boxlift.cli import app
from boxlift.errors import UsageError
from boxlift.project import Project
from boxlift.report.file import write

CONTRACTS = Path(__file__).parents[3] / "docs" / "contracts"
RUNNER = CliRunner()


def test_a_report_lies_in_the_project_and_is_the_users_alone(project: Project) -> None:
    result = RUNNER.invoke(app, ["-C", str(project.root), "report"])
    path = project.root / "report.html"
    assert (result.exit_code, result.output) == (0, f"✓ {path}\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not [one for one in project.root.iterdir() if one.name.startswith(".report")]


def test_a_report_goes_where_it_is_wanted(project: Project, tmp_path: Path) -> None:
    call = ["-C", str(project.root), "report", "--output"]
    assert RUNNER.invoke(app, [*call, str(tmp_path / "x.html")]).exit_code == 0
    assert (tmp_path / "x.html").exists()
    assert "<h1>Move of" in RUNNER.invoke(app, [*call, "-"]).output


def test_json_tells_what_is_missing(project: Project) -> None:
    call = ["-C", str(project.root), "report", "--json"]
    found = json.loads(RUNNER.invoke(app, call).output)
    jsonschema.validate(found, json.loads((CONTRACTS / "report.schema.json").read_text()))
    assert found["output"] == str(project.root / "report.html")
    assert {one["part"] for one in found["missing"]} == {"leads", "transfers", "week"}
    assert RUNNER.invoke(app, [*call, "--output", "-"]).exit_code != 0


def test_a_folder_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        write(tmp_path, "x")
    with pytest.raises(UsageError, match="there is no folder"):
        write(tmp_path / "absent" / "x.html", "x")


def test_a_full_disk_leaves_the_report_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    write(path, "before")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(path, "after")
    assert path.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]
