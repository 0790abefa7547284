"""How a command ended, in one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from boxlift.errors import BoxliftError, ExitCode, RefusedError, UsageError
from boxlift.project import Project, create
from boxlift.unattended import Target, telling


@pytest.fixture
def project(tmp_path: Path) -> Project:
    template = tmp_path / "template"
    template.mkdir()
    made = create(tmp_path / "acme", template=template, vault_password_file=tmp_path / "password")
    path = made.root / "tell.txt"
    path.touch(0o600)
    path.write_text("https://chat.example/hooks/1\n")
    return made


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(Target, "tell", lambda _, line: lines.append(line))
    monkeypatch.setattr(sys.modules[telling.__module__], "duration", lambda _: "0 s")
    return lines


def attempt(project: Project, outcome: str, code: int, cause: str | None = None) -> ExitCode:
    with project.journal() as journal:
        number = journal.begin(
            run=1, pass_="final", phase="command", step="clone", kind="playbook", release="final-1",
            trial=False, log=".boxlift/runs/0001/clone.log",
        )  # fmt: skip
        journal.end(number, outcome, code, cause=cause)
    return ExitCode(code)


def test_what_was_done_is_told(project: Project, told: list[str]) -> None:
    assert telling(project, "clone", lambda: attempt(project, "done", 0)) is ExitCode.DONE
    assert told == ["boxlift clone of acme done in 0 s"]


def test_a_failure_is_told_with_its_cause_and_without_secrets(project: Project, told: list[str]) -> None:
    cause = "no answer from https://u:pw@x.example/a?token=s3cret\nmore"
    code = telling(project, "clone", lambda: attempt(project, "failed", 4, cause))
    assert code is ExitCode.HOST_FAILED
    line = "boxlift clone of acme failed (4) in 0 s: no answer from https://********@x.example/a?********"
    assert told == [f"{line} · log: .boxlift/runs/0001/clone.log"]


def test_what_was_refused_before_it_began_is_told(project: Project, told: list[str]) -> None:
    def act() -> ExitCode:
        raise RefusedError("another runner works on this project")

    with pytest.raises(RefusedError):
        telling(project, "clone", act)
    assert told == ["boxlift clone of acme ended with 6: another runner works on this project"]


def test_an_earlier_attempt_is_not_told_again(project: Project, told: list[str]) -> None:
    attempt(project, "failed", 4, "old cause")
    telling(project, "verify", lambda: ExitCode.VERIFICATION_FAILED)
    assert told == ["boxlift verify of acme failed (7): no cause was told"]


def test_without_anybody_to_tell_nothing_is_started(project: Project) -> None:
    (project.root / "tell.txt").unlink()
    with pytest.raises(UsageError, match="nobody is named"):
        telling(project, "clone", lambda: pytest.fail("was started"))


@pytest.fixture
def deaf(project: Project, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two targets, the first of which is away; who was told."""
    (project.root / "tell.txt").write_text("https://away.example/1\nhttps://chat.example/2\n")
    told: list[str] = []

    def tell(target: Target, line: str) -> None:
        if "away" in target.address:
            raise BoxliftError(f"{target.shown} did not take the line")
        told.append(line)

    monkeypatch.setattr(Target, "tell", tell)
    return told


def test_a_target_that_is_away_keeps_no_other_from_being_told(project: Project, deaf: list[str]) -> None:
    code = telling(project, "verify", lambda: attempt(project, "failed", 7, "no page"))
    assert code is ExitCode.VERIFICATION_FAILED, "what happened outweighs who could not be told"
    assert len(deaf) == 1
    with pytest.raises(BoxliftError, match=r"away\.example"):
        telling(project, "clone", lambda: attempt(project, "done", 0))
    assert len(deaf) == 2


def test_the_error_that_ended_the_command_is_the_one_that_is_raised(
    project: Project, deaf: list[str]
) -> None:
    def act() -> ExitCode:
        raise RefusedError("another runner works on this project")

    with pytest.raises(RefusedError):
        telling(project, "clone", act)
    assert len(deaf) == 1


def test_an_error_of_our_own_is_told_too(project: Project, told: list[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        telling(project, "clone", lambda: ExitCode(1 // 0))
    assert told == ["boxlift clone of acme ended with an error of its own"]
