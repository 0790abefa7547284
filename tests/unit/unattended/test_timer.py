"""Units that systemd accepts, and times that it understands."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from boxlift.cli import app
from boxlift.errors import UsageError
from boxlift.project import Project, create
from boxlift.unattended import TIMED, Timer

NEEDS_SYSTEMD = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    template = tmp_path / "template"
    template.mkdir()
    return create(
        tmp_path / "a project", template=template, vault_password_file=tmp_path / "password", name="acme"
    )


def test_the_service_runs_the_command_with_nobody_there(project: Project) -> None:
    units = Timer(project, "clone", "Sun 03:00").units()
    assert set(units) == {"boxlift-acme-clone.service", "boxlift-acme-clone.timer"}
    service = units["boxlift-acme-clone.service"]
    assert f'boxlift" --project "{project.root}" clone --yes --quiet --tell\n' in service
    # The queue of Postfix belongs to a group that sendmail gets by its program's mode.
    assert "NoNewPrivileges" not in service
    assert "OnCalendar=Sun 03:00\n" in units["boxlift-acme-clone.timer"]


@pytest.mark.parametrize("command", list(TIMED))
def test_the_words_are_a_command_that_tells_how_it_ended(command: str) -> None:
    words = TIMED[command][1]
    group: Any = typer.main.get_command(app)
    context = group.commands[words[0]].make_context(words[0], list(words[1:]))
    assert words[0] == command
    assert context.params["tell"]
    assert context.params["quiet"]
    assert context.params.get("yes", True), "nobody is there to agree"


@NEEDS_SYSTEMD
@pytest.mark.parametrize("command", list(TIMED))
def test_systemd_accepts_the_units(project: Project, command: str, tmp_path: Path) -> None:
    paths = []
    for name, text in Timer(project, command, "Sun 03:00").units().items():
        paths.append(tmp_path / name)
        paths[-1].write_text(text)
    ended = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [
        line for line in ended.stderr.splitlines() if "boxlift-acme" in line and "not executable" not in line
    ]
    assert said == []


@NEEDS_SYSTEMD
def test_a_time_that_is_none_is_refused(project: Project) -> None:
    assert Timer(project, "clone", "Sun 03:00").next_time()
    with pytest.raises(UsageError, match="`whenever` is no time"):
        Timer(project, "clone", "whenever").next_time()


@pytest.mark.parametrize("calendar", ["Sun\n03:00", "%h", 'a"b', "$HOME", "a\\x20b"])
def test_what_cannot_stand_in_a_unit_is_refused(project: Project, calendar: str) -> None:
    with pytest.raises(UsageError, match="systemd unit"):
        Timer(project, "clone", calendar).units()
