"""Units that systemd accepts, and times that it understands."""

from __future__ import annotations

import pwd
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from programs import needs
from typer.testing import CliRunner

from boxlift.cli import app
from boxlift.errors import UsageError
from boxlift.project import Project, create
from boxlift.unattended import TIMED, Timer, timer

NEEDS_SYSTEMD = needs("systemd-analyze", package="systemd")


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


class People:
    """Users 1000 (anna) and 0, and whose files are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
        self.owners: dict[str, int] = {}
        self._home = home
        monkeypatch.setattr(timer, "_owner", lambda path: self.owners.get(path.name, 1000))
        monkeypatch.setattr(pwd, "getpwuid", self.account)

    def account(self, user: int) -> SimpleNamespace:
        return SimpleNamespace(pw_name={1000: "anna", 0: "root"}[user], pw_dir=str(self._home))


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> People:
    return People(monkeypatch, tmp_path)


def test_it_runs_as_the_one_whose_folder_the_project_is(project: Project, people: People) -> None:
    """Written by root with sudo, it must find the SSH keys and leave nothing of root's behind."""
    service = Timer(project, "backup", "daily").units()["boxlift-acme-backup.service"]
    assert "\nUser=anna\n" in service
    people.owners["a project"] = 0
    assert "\nUser=root\n" in Timer(project, "backup", "daily").units()["boxlift-acme-backup.service"]
    people.owners["a project"] = 4711
    with pytest.raises(UsageError, match="belongs to user 4711, whom this machine does not know"):
        Timer(project, "backup", "daily").units()


@pytest.mark.parametrize("name", [".boxlift", "journal.db", "tell.txt", "password"])
def test_what_the_run_could_not_read_or_write_is_refused(project: Project, people: People, name: str) -> None:
    with project.journal():
        (project.root / "tell.txt").write_text("mailto:ops@acme.example\n")
    people.owners[name] = 0
    with pytest.raises(UsageError, match=f"{name} is another user's: the units run as anna") as raised:
        Timer(project, "clone", "daily").units()
    assert str(raised.value.cure).startswith("sudo chown -R anna ")
    people.owners["a project"] = 0
    assert Timer(project, "clone", "daily").units(), "root reads and writes what anybody has"


def test_the_vault_password_has_a_source_that_is_there_without_anybody(
    project: Project, people: People, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def named(**sources: Path) -> Timer:
        none = {"vault_password_file": None, "vault_password_client": None}
        return Timer(
            replace(project, settings=project.settings.model_copy(update=none | sources)), "verify", "hourly"
        )

    monkeypatch.setenv("HOME", "/root")
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(tmp_path / "password"))
    with pytest.raises(UsageError, match="names no source"):
        named().units()
    assert named(vault_password_file=Path("~/password")).units(), "the owner's home, not root's"
    with pytest.raises(UsageError, match="absent is not there"):
        named(vault_password_file=Path("~/absent")).units()
    client = tmp_path / "client"
    client.write_text("#!/bin/sh")
    client.chmod(0o755)
    people.owners["client"] = 0
    assert named(vault_password_client=client).units()
    assert named(vault_password_file=client).units()


@pytest.mark.parametrize("command", list(TIMED))
def test_the_words_are_a_command_that_tells_how_it_ended(command: str) -> None:
    words = TIMED[command][1]
    group: Any = typer.main.get_command(app)
    context = group.commands[words[0]].make_context(words[0], list(words[1:]))
    assert words[0] == command
    assert context.params["tell"]
    assert context.params["quiet"]
    assert context.params.get("yes", True), "nobody is there to agree"


@pytest.mark.slow
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


@pytest.mark.slow
@NEEDS_SYSTEMD
def test_a_time_that_is_none_is_refused(project: Project) -> None:
    assert Timer(project, "clone", "Sun 03:00").next_time()
    with pytest.raises(UsageError, match="`whenever` is no time"):
        Timer(project, "clone", "whenever").next_time()


@pytest.mark.parametrize("calendar", ["Sun\n03:00", "%h", 'a"b', "$HOME", "a\\x20b"])
def test_what_cannot_stand_in_a_unit_is_refused(project: Project, calendar: str) -> None:
    with pytest.raises(UsageError, match="systemd unit"):
        Timer(project, "clone", calendar).units()


def test_it_says_what_comes_next(project: Project, people: People, tmp_path: Path) -> None:
    (project.root / "tell.txt").write_text("mailto:ops@acme.example\n")
    (project.root / "tell.txt").chmod(0o600)
    words = ["-C", str(project.root), "timer", "backup", "--at", "*-*-* 01:30", "--write", str(tmp_path)]
    said = CliRunner().invoke(app, words).output
    assert f"boxlift-acme-backup.service and boxlift-acme-backup.timer in {tmp_path}, run as anna\n" in said
    units = f"{tmp_path}/boxlift-acme-backup.service {tmp_path}/boxlift-acme-backup.timer"
    assert f"next: sudo cp {units} /etc/systemd/system && sudo systemctl daemon-reload && sudo" in said
    assert said.endswith("systemctl enable --now boxlift-acme-backup.timer\n")
