"""Read a project into a report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

from boxlift import testdata
from boxlift.errors import UsageError
from boxlift.figures import moment
from boxlift.forecast.arrivals import read_arrivals
from boxlift.forecast.inquiry import ask, in_words
from boxlift.forecast.result import Forecast
from boxlift.journal import Journal
from boxlift.plan import Kind, Pass, Plan
from boxlift.plan.standing import command, standing
from boxlift.plan.state import Position, position
from boxlift.project import Project
from boxlift.report.clock import Clock, clock_of
from boxlift.report.model import Doubt, Event, Missing, Proof, Repair, Report, Task, Word
from boxlift.report.outlook import Week, week
from boxlift.report.proof import repairs, verifications
from boxlift.report.timeline import passage
from boxlift.report.transfer import transfers
from boxlift.risks import LeadView, lead_view, load_register, risk_view

_Part = TypeVar("_Part")
_LIVE = 30.0
"""Seconds to which the present is rounded while work goes on: a live view is not drawn for nothing."""


def gather(project: Project, pass_: Pass | None = None, *, now: float | None = None) -> Report:
    """All that the project knows. `pass_` is the one to stand in: the one named last without it."""
    now = time.time() if now is None else now
    plan, alive, clock = project.plan(), project.runner_alive(), clock_of(project)
    with project.journal() as journal:
        chosen = pass_ or Pass(journal.chosen_pass() or Pass.REHEARSAL)
        positions = {name: position(plan, journal, name, runner_alive=alive) for name in Pass}
        here = positions[chosen]
        told = _shown(lambda: ask(project, journal, pass_, now=now))
        events = _events(journal)
        checked = verifications(plan, journal)
        present = now - now % _LIVE if alive else now
        return Report(
            project=project.settings.name,
            version=_version(),
            made=now,
            clock=clock,
            running=alive,
            standing=standing(here, journal, moment=clock.moment, forecast=_done(told, here, clock)),
            passages=tuple(
                passage(journal, where, now=present, current=name is chosen)
                for name, where in positions.items()
            ),
            transfers=transfers(plan, journal, events),
            events=events,
            repairs=(
                *repairs(plan, journal, checked),
                *(one for where in positions.values() for one in _test_data(project, where)),
            ),
            verifications=checked,
            tasks=_tasks(plan, here),
            words=_words(journal),
            doubts=tuple(
                Doubt(item.step.id, item.step.title, item.doubt)
                for item in here.doubtful
                if item.doubt is not None
            ),
            forecast=told,
            week=_week(project, told, clock),
            risks=_shown(lambda: risk_view(project.root, journal, here, load_register(project.root))),
            leads=_leads(project, journal, here),
        )


def _shown(read: Callable[[], _Part]) -> _Part | Missing:
    """A part of the report, or what is wrong with its file: the report is made all the same."""
    try:
        return read()
    except UsageError as error:
        return Missing(error.message, error.cure)


def _leads(project: Project, journal: Journal, here: Position) -> LeadView | Missing:
    view = _shown(lambda: lead_view(project.root, journal, str(here.pass_), here.release))
    if isinstance(view, LeadView) and view.collected is None:
        return Missing(
            f"nobody has looked for the lead sources of {here.release} yet", "boxlift run repair-portal"
        )
    return view


def _done(told: Forecast | Missing, here: Position, clock: Clock) -> str | None:
    """When the pass that it stands in will be done; None where another one is forecast."""
    if isinstance(told, Missing) or told.pass_name is not here.pass_:
        return None
    return in_words(told, clock.moment)


def _week(project: Project, told: Forecast | Missing, clock: Clock) -> Week | Missing:
    pattern = _shown(lambda: read_arrivals(project.root))
    if isinstance(pattern, Missing):
        return pattern
    found = week(pattern, told if isinstance(told, Forecast) else None, clock) if pattern else None
    if pattern is None:
        return Missing("nobody has counted yet when leads come", "boxlift run restore-backup")
    return found or Missing(f"the database of {pattern.release} knows no leads, deals or contacts")


def _version() -> str | None:
    """None where boxlift runs from a checkout that is not installed."""
    try:
        return version("boxlift")
    except PackageNotFoundError:
        return None


def _events(journal: Journal) -> tuple[Event, ...]:
    return tuple(
        Event(
            number=number,
            at=incident.at,
            pass_name=incident.pass_,
            step=incident.step,
            host=incident.host,
            kind=incident.kind,
            text=incident.text,
            cost=incident.cost,
        )
        for number, incident in enumerate(journal.incidents(), start=1)
    )


def _test_data(project: Project, where: Position) -> Iterator[Repair]:
    """That what tests made in a release is gone."""
    what, how = "What tests made is gone, and nothing else", "after a person agreed to the list"
    found = _shown(lambda: testdata.proof(project.root, where.release))
    if isinstance(found, Missing):
        yield Repair(None, str(where.pass_), what, how, Proof(found.why, holds=None))
    elif found is not None:
        sound = not found.missing and not any(table.left for table in found.tables.values())
        text = found.line() if sound else "rows of tests are left, or rows of the backup are missing"
        yield Repair(moment(found.collected), str(where.pass_), what, how, Proof(text, holds=sound))


def _words(journal: Journal) -> tuple[Word, ...]:
    return tuple(
        Word(word.at, word.pass_, word.step, word.verdict, word.by, word.note) for word in journal.verdicts()
    )


def _tasks(plan: Plan, where: Position) -> tuple[Task, ...]:
    tasks: Sequence[Task] = [
        Task(
            step=item.step.id,
            title=item.step.title,
            owner=str(item.step.owner),
            state=str(item.state),
            missing=tuple(plan.step(name).title for name in item.missing),
            estimate=item.estimate,
            instructions=item.step.instructions.strip() if item.step.kind is Kind.CONFIRM else "",
            command=command(item),
            cause=item.cause,
        )
        for item in where.ahead
    ]
    return tuple(tasks)
