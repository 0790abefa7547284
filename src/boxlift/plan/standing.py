"""Where a move stands, in the words of `boxlift status`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from boxlift.figures import duration, local
from boxlift.journal import Journal, Segment
from boxlift.plan.model import Kind
from boxlift.plan.state import Position, State, StepState


@dataclass(frozen=True)
class Standing:
    """The five lines, and what they are made of. `seconds_left` sums the estimates of the steps ahead."""

    pass_name: str
    release: str
    steps: int
    steps_done: int
    running: tuple[str, ...]
    failed: tuple[str, ...]
    waiting: tuple[str, ...]
    doubtful: tuple[str, ...]
    next_step: str | None
    next_command: str | None
    seconds_left: int
    where: str
    next: str
    who: str
    done: str
    back: str

    def as_dict(self) -> dict[str, object]:
        """Under the names of docs/contracts/status.schema.json."""
        values = asdict(self)
        return {"pass": values.pop("pass_name"), **values}


def standing(
    position: Position,
    journal: Journal,
    *,
    moment: Callable[[float | None], str] = local,
    forecast: str | None = None,
    place: str = "",
) -> Standing:
    """Where we are, what is next, who acts, when we are done, what is safe and the way back.

    `moment` writes a time; the default by the control node's clock. `forecast` says when we are done; without
    it the estimates do. `place`: the option that names the project in commands, with a space before it.
    """
    steps, ahead = position.in_pass, position.ahead
    names = {
        state: tuple(item.step.id for item in ahead if item.state is state)
        for state in (State.RUNNING, State.FAILED, State.WAITING)
    }
    first = ahead[0] if ahead else None
    looked = _last_look(position, journal)
    left = sum(_left(item, looked if item.state is State.RUNNING else None) for item in ahead)
    return Standing(
        pass_name=str(position.pass_),
        release=position.release,
        steps=len(steps),
        steps_done=len(steps) - len(ahead),
        running=names[State.RUNNING],
        failed=names[State.FAILED],
        waiting=names[State.WAITING],
        doubtful=tuple(item.step.id for item in position.doubtful),
        next_step=first.step.id if first else None,
        next_command=command(first, place) if first else None,
        seconds_left=round(left),
        where=_where(position, looked, moment),
        next=_next(first, place),
        who=_who(ahead),
        done=forecast or _done(position, left, moment),
        back=_back(position, place),
    )


def command(item: StepState, place: str = "") -> str:
    """The exact command that brings a step on; `place` as in `standing`."""
    if item.step.kind is Kind.CONFIRM:
        return f"boxlift{place} confirm {item.step.id} --by NAME"
    return f"boxlift{place} run {item.step.id}"


def _last_look(position: Position, journal: Journal) -> Segment | None:
    """The newest look at a restore that runs now."""
    running = {item.step.id for item in position.ahead if item.state is State.RUNNING}
    attempts = [attempt for attempt in journal.attempts() if attempt.step in running]
    segments = journal.segments(attempts[-1].id) if attempts else []
    return segments[-1] if segments else None


def _where(position: Position, looked: Segment | None, moment: Callable[[float | None], str]) -> str:
    done = len(position.in_pass) - len(position.ahead)
    text = f"{position.pass_}, release {position.release}: {done} of {len(position.in_pass)} steps done"
    for item in position.ahead:
        if item.state is State.RUNNING:
            text += f"; {item.step.id} runs since {moment(item.started)}"
            if looked is not None and looked.bytes_total:
                text += f", {100 * (looked.bytes or 0) // looked.bytes_total} % fetched"
        elif item.state is State.FAILED:
            cause = (item.cause or "see boxlift journal").splitlines()[0]
            text += f"; {item.step.id} failed: {cause}"
    if position.doubtful:
        text += f"; doubtful: {', '.join(item.step.id for item in position.doubtful)}"
    return text


def _next(first: StepState | None, place: str) -> str:
    if first is None:
        return "nothing is left to do in this pass"
    if first.state is State.RUNNING:
        return f"{first.step.id} ends ({first.step.title})"
    return f"{first.step.id} ({first.step.title}): {command(first, place)}"


def _who(ahead: list[StepState]) -> str:
    persons = [
        item
        for item in ahead
        if item.step.kind is Kind.CONFIRM and item.state in {State.WAITING, State.FAILED}
    ]
    acting = persons[:3] or ahead[:1]
    if not acting:
        return "nobody"
    if ahead[0] not in acting and ahead[0].state is not State.RUNNING:
        acting = [ahead[0], *acting]
    return "; ".join(f"{item.step.owner}: {item.step.id}" for item in acting)


def _done(position: Position, left: float, moment: Callable[[float | None], str]) -> str:
    if not position.ahead:
        return f"the {position.pass_} is complete"
    text = f"{moment(time.time() + left)}, if every step takes its estimate ({duration(left)} left)"
    return (
        text if all(item.estimate is not None for item in position.ahead) else f"{text}; some steps have none"
    )


def _left(item: StepState, looked: Segment | None) -> float:
    """Seconds: what the transfer's own rate says while it runs, else the estimate."""
    estimate = item.estimate or 0.0
    if looked is not None and looked.bytes_total and looked.rate and looked.bytes is not None:
        return (looked.bytes_total - looked.bytes) / looked.rate
    if item.state is State.RUNNING and item.started is not None:
        return max(0.0, estimate - (time.time() - item.started))
    return estimate


def _back(position: Position, place: str) -> str:
    reached = {item.step.id for item in position.in_pass if item.attempts}
    if "open-portal" in reached:
        return (
            "the portal is open and cannot be taken back: correct forward; the cloud still holds the old data"
        )
    if "activate-release" in reached:
        before = "the cloud still serves everybody; the release before comes back with"
        return f"{before}: boxlift{place} rollback"
    return "the cloud still serves everybody, and nothing here replaces it yet"
