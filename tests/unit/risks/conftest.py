"""A project with a journal, into which evidence is laid as playbooks lay it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from boxlift.journal import Journal, Result
from boxlift.plan import Pass
from boxlift.plan.state import Position, position
from boxlift.project import Project, create

RELEASE = "rehearsal-1"
LATER = 9_000_000_000.0
"""A moment after everything that a test does now."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    template = tmp_path / "template"
    template.mkdir()
    return create(tmp_path / "acme", template=template, vault_password_file=tmp_path / "password")


@pytest.fixture
def lay(project: Project) -> Callable[..., None]:
    """Write one file of evidence."""

    def write(name: str, release: str = RELEASE, **content: Any) -> None:
        path = project.root / "evidence" / release / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        head = {"schema": 1, "release": release, "collected": "2026-11-22T10:00:00Z"}
        path.write_text(json.dumps(head | content), encoding="utf-8")

    return write


@pytest.fixture
def figures(lay: Callable[..., None]) -> Callable[..., None]:
    """Lay the figures of a stage: name to value, or to value and items."""

    def write(stage: str, **values: Any) -> None:
        content = {
            name: {"value": value, "items": []}
            if not isinstance(value, tuple)
            else {"value": value[0], "items": list(value[1])}
            for name, value in values.items()
        }
        lay(stage, stage=stage, figures=content)

    return write


def ran(journal: Journal, step: str, *results: tuple[str, str], release: str = RELEASE) -> None:
    """Journal an attempt whose tests ended so."""
    attempt = journal.begin(
        run=1,
        pass_="rehearsal",
        phase="move",
        step=step,
        kind="suite",
        release=release,
        trial=False,
        log="log",
    )
    journal.add(
        attempt,
        [Result("s", "", name, "", 1.0, LATER, 1.0, outcome, cause="why") for name, outcome in results],
    )
    journal.end(attempt, "done", 0)


def standing(project: Project, journal: Journal, pass_: Pass = Pass.REHEARSAL) -> Position:
    return position(project.plan(), journal, pass_, runner_alive=False)
