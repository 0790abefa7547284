"""A person's word on a step: what may be said when, and what follows from it."""

from __future__ import annotations

from enum import StrEnum

from boxlift.errors import RefusedError, UsageError
from boxlift.journal import Journal
from boxlift.plan.model import Kind, Pass, Plan
from boxlift.plan.state import BACKUP_STEP, Position, State, position

_LONGEST = 366 * 86400.0
"""Seconds: what began before that was mistyped."""


class Word(StrEnum):
    CONFIRM = "confirm"
    REFUSE = "refuse"
    REOPEN = "reopen"


def speak(
    plan: Plan,
    journal: Journal,
    pass_: Pass,
    name: str,
    *,
    word: Word,
    by: str,
    note: str | None,
    runner_alive: bool,
    began: float | None = None,
    place: str = "",
) -> str:
    """Record a word; gives a sentence that says what it means.

    `began`: since when the step went on, in seconds since 1970 UTC, if that is known. `place`: the option
    that names the project in commands, with a space before it. RefusedError where the plan does not allow it,
    UsageError where it makes no sense.
    """
    step = plan.step(name)
    if step.kind is not Kind.CONFIRM:
        raise UsageError(f"`{name}` is done by a machine, not by a person", cure=f"boxlift{place} run {name}")
    if not by.strip():
        raise UsageError("--by needs the name of the person who says so")

    def work() -> None:
        _plausible(journal, word, began)
        where = position(plan, journal, pass_, runner_alive=runner_alive)
        item = where.of(name)
        if item.state is State.SKIPPED:
            raise RefusedError(
                f"`{name}` is no step of the {pass_}",
                cure=f"boxlift{place} confirm {name} --by NAME --pass final",
            )
        if word is Word.REOPEN:
            if item.state not in {State.DONE, State.FAILED}:
                raise UsageError(f"`{name}` is open: nothing was said about it yet")
        elif item.missing:
            raise RefusedError(
                f"`{name}` needs steps that are not done: {', '.join(item.missing)}",
                cure=f"boxlift{place} status",
            )
        elif item.state is State.DONE and word is Word.CONFIRM:
            raise UsageError(
                f"`{name}` is confirmed already", cure=f"boxlift{place} confirm {name} --by NAME --reopen"
            )
        journal.verdict(pass_, name, where.release, verdict=word, by=by.strip(), note=note, began=began)

    # what was looked at holds until the word is written: two who confirm at once count once
    journal.together(work)
    after = position(plan, journal, pass_, runner_alive=runner_alive)
    if word is not Word.CONFIRM:
        text = (
            f"{name} is open again"
            if word is Word.REOPEN
            else f"{name} is refused by {by}; run stops before what needs it"
        )
        return f"{text}{_doubtful(after)}"
    text = f"{name} is confirmed by {by}{_doubtful(after)}"
    if name == BACKUP_STEP:
        text += f"; the next restore fills the release {after.release}"
    following = [item for item in after.ahead if item.state is not State.RUNNING]
    if following:
        text += f"; next: {following[0].step.id} ({following[0].step.owner})"
    return text


def _plausible(journal: Journal, word: Word, began: float | None) -> None:
    """UsageError where a step cannot have begun then."""
    if began is None:
        return
    if word is not Word.CONFIRM:
        raise UsageError("--began goes with the confirmation of a step alone")
    now = journal.now()
    if began > now:
        raise UsageError("--began has not come yet: a step begins before it is confirmed")
    if began < now - _LONGEST:
        raise UsageError("--began lies more than a year back", cure="check the year")


def _doubtful(where: Position) -> str:
    """What may not hold any more because of what it rests on."""
    names = [item.step.id for item in where.doubtful]
    return f"; doubtful now, do or confirm them again: {', '.join(names)}" if names else ""
