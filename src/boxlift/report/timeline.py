"""When each step of a pass was worked on."""

from __future__ import annotations

from boxlift.journal import Attempt, Journal, Verdict
from boxlift.plan import Kind, Pass
from boxlift.plan.state import Position, State, StepState
from boxlift.report.model import Bar, Course, Passage, Stage

_TITLES = {Pass.REHEARSAL: "Rehearsal", Pass.FINAL: "Final move"}
_COURSES = {
    State.DONE: Course.DONE,
    State.FAILED: Course.FAILED,
    State.RUNNING: Course.RUNNING,
    State.WAITING: Course.WAITING,
}
_OUTCOMES = {"done": Course.DONE, "interrupted": Course.INTERRUPTED, "running": Course.RUNNING}


def passage(journal: Journal, where: Position, *, now: float, current: bool) -> Passage:
    """One pass. Persons' steps that wait are shown in the `current` one only: the other is not at work."""
    attempts = [
        attempt for attempt in journal.attempts() if attempt.pass_ == where.pass_ and not attempt.trial
    ]
    verdicts = [verdict for verdict in journal.verdicts() if verdict.pass_ == where.pass_]
    stages: dict[str, tuple[str, list[Bar]]] = {}
    for item in where.in_pass:
        bars = stages.setdefault(item.phase.id, (item.phase.title, []))[1]
        if item.step.kind is Kind.CONFIRM:
            bars += _of_person(item, verdicts, now=now, current=current)
        else:
            bars += [_of_machine(journal, item, one, now) for one in attempts if one.step == item.step.id]
    return Passage(
        name=str(where.pass_),
        title=_TITLES[where.pass_],
        release=where.release,
        steps=len(where.in_pass),
        steps_done=len(where.in_pass) - len(where.ahead),
        stages=tuple(Stage(phase, title, tuple(bars)) for phase, (title, bars) in stages.items() if bars),
    )


def _of_machine(journal: Journal, item: StepState, attempt: Attempt, now: float) -> Bar:
    course = _OUTCOMES.get(attempt.outcome, Course.FAILED)
    if course is Course.RUNNING and item.state is not State.RUNNING:
        course = Course.INTERRUPTED
    ended = attempt.ended
    if ended is None and course is Course.RUNNING:
        ended = max(now, attempt.started)
    elif ended is None:
        # its runner was killed, and nobody has settled it yet
        ended = max((one.ended or 0.0 for one in journal.results(attempt.id)), default=attempt.started)
    return Bar(
        step=attempt.step,
        title=item.step.title,
        owner=str(item.step.owner),
        person=False,
        attempt=attempt.number,
        course=course,
        started=attempt.started,
        ended=ended,
        cause=(attempt.cause or "").partition("\n")[0] or None,
    )


def _of_person(item: StepState, verdicts: list[Verdict], *, now: float, current: bool) -> list[Bar]:
    own = [verdict for verdict in verdicts if verdict.step == item.step.id]
    waits = item.state is State.WAITING and current
    if not (own or waits) or item.state not in _COURSES:
        return []
    started = item.started if item.started is not None else (own[-1].at if own else now)
    ended = now if waits else (item.ended or now)
    return [
        Bar(
            step=item.step.id,
            title=item.step.title,
            owner=str(item.step.owner),
            person=True,
            attempt=max(1, item.attempts),
            course=_COURSES[item.state],
            started=min(started, ended),
            ended=max(started, ended),
            cause=item.cause,
        )
    ]
