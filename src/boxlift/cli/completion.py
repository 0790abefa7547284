"""What the shell offers for a word that is being typed: steps, phases, suites."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from boxlift.content import content_root, suites
from boxlift.errors import BoxliftError
from boxlift.letters.templates import LETTERS
from boxlift.plan import Kind, Plan, default_plan
from boxlift.project import find

Offer = tuple[str, str]


def steps(context: typer.Context, incomplete: str) -> list[Offer]:
    """Steps of the plan."""
    return _offered(context, incomplete, lambda plan: [(step.id, step.title) for _, step in plan.steps()])


def steps_and_phases(context: typer.Context, incomplete: str) -> list[Offer]:
    phases = _offered(context, incomplete, lambda plan: [(phase.id, phase.title) for phase in plan.phases])
    return phases + steps(context, incomplete)


def persons_steps(context: typer.Context, incomplete: str) -> list[Offer]:
    """Steps that a person confirms."""
    return _offered(
        context,
        incomplete,
        lambda plan: [(step.id, step.title) for _, step in plan.steps() if step.kind is Kind.CONFIRM],
    )


def letter_names(incomplete: str) -> list[str]:
    """Letters that boxlift knows."""
    return [name for name in LETTERS if name.startswith(incomplete)]


def suite_names(incomplete: str) -> list[str]:
    """Suites of acceptance tests."""
    try:
        return [name for name in suites(content_root()) if name.startswith(incomplete)]
    except BoxliftError:
        return []


def _offered(context: typer.Context, incomplete: str, read: Callable[[Plan], Iterable[Offer]]) -> list[Offer]:
    return [offer for offer in read(_plan(context)) if offer[0].startswith(incomplete)]


def _plan(context: typer.Context) -> Plan:
    """The project's plan, or the default where there is none or it can't be read."""
    named = context.find_root().params.get("project") or os.environ.get("BOXLIFT_PROJECT")
    try:
        return find(Path(named or Path.cwd()).resolve()).plan()
    except (BoxliftError, OSError):
        return default_plan()
