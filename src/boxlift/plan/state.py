"""Where a pass stands: the plan's steps with what the journal knows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from boxlift.journal import Attempt, Journal, Verdict
from boxlift.plan.estimate import UNKNOWN, Estimate, estimate
from boxlift.plan.model import Kind, Pass, Phase, Plan, Step

BACKUP_STEP = "request-backup"
"""Each confirmation of this step stands for one backup, and starts the next release of its pass."""


class State(StrEnum):
    TODO = "todo"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class StepState:
    """One step of a pass. Times are seconds since 1970 UTC, durations seconds.

    `missing`: steps that must be done before, also those that were reopened behind a step that is done.
    `doubt`: why a step that is done may not hold any more; None where nothing speaks against it.
    """

    step: Step
    phase: Phase
    state: State
    started: float | None = None
    ended: float | None = None
    seconds: float | None = None
    expected: Estimate = UNKNOWN
    attempts: int = 0
    cause: str | None = None
    missing: tuple[str, ...] = ()
    doubt: str | None = None

    @property
    def estimate(self) -> float | None:
        """Seconds."""
        return self.expected.seconds


@dataclass(frozen=True)
class Position:
    """A pass at one moment."""

    pass_: Pass
    release: str
    steps: tuple[StepState, ...]

    def of(self, name: str) -> StepState:
        for state in self.steps:
            if state.step.id == name:
                return state
        raise KeyError(name)

    @property
    def ahead(self) -> list[StepState]:
        """Steps of the pass that are not done, in order."""
        return [state for state in self.steps if state.state not in {State.DONE, State.SKIPPED}]

    @property
    def doubtful(self) -> list[StepState]:
        """Steps that are done and may not hold any more."""
        return [state for state in self.steps if state.doubt is not None]

    @property
    def in_pass(self) -> list[StepState]:
        return [state for state in self.steps if state.state is not State.SKIPPED]


def release_of(pass_: Pass, verdicts: Sequence[Verdict]) -> str:
    """`<pass>-<n>`: n counts the backups of the pass; a restore that failed goes on with the same release."""
    backups = sum(
        verdict.pass_ == pass_ and verdict.step == BACKUP_STEP and verdict.verdict == "confirm"
        for verdict in verdicts
    )
    return f"{pass_}-{max(1, backups)}"


def position(plan: Plan, journal: Journal, pass_: Pass, *, runner_alive: bool) -> Position:
    """Read the journal into the plan. `runner_alive`: somebody holds the project's lock."""
    attempts = [attempt for attempt in journal.attempts() if not attempt.trial]
    verdicts = journal.verdicts()
    release = release_of(pass_, verdicts)
    found: dict[str, StepState] = {}
    renewed: dict[str, float] = {}
    for phase, step in plan.steps():
        if pass_ not in step.passes:
            found[step.id] = StepState(step, phase, State.SKIPPED)
            continue

        def counts(record: Attempt | Verdict, phase: Phase = phase, step: Step = step) -> bool:
            if record.step != step.id:
                return False
            if phase.once:
                return True
            return record.pass_ == pass_ and (step.id == BACKUP_STEP or record.release == release)

        needs = [found[need] for need in plan.needs(step.id, pass_)]
        missing = _missing(needs)
        expected = estimate(step, attempts, release)
        if step.kind is Kind.CONFIRM:
            own = [verdict for verdict in verdicts if counts(verdict)]
            ready = max((need.ended for need in needs if need.ended is not None), default=None)
            state = _of_person(step, phase, verdicts=own, missing=missing, ready=ready, expected=expected)
            began, ended = state.ended, state.ended
        else:
            tries = [attempt for attempt in attempts if counts(attempt)]
            state = _of_machine(
                step, phase, attempts=tries, missing=missing, expected=expected, runner_alive=runner_alive
            )
            began = state.started
            ended = max((tried.ended or 0.0 for tried in tries if tried.changes), default=None)
        if state.state is State.DONE and ended is not None:
            renewed[step.id] = ended
        later = [need.step.id for need in needs if renewed.get(need.step.id, 0.0) > (began or 0.0)]
        found[step.id] = replace(state, doubt=_doubt(state, needs, later))
    return Position(pass_, release, tuple(found.values()))


def _missing(needs: Sequence[StepState]) -> tuple[str, ...]:
    """Needs that are not done; behind one that is done, what it misses itself because it was reopened."""
    found: dict[str, None] = {}
    for need in needs:
        found.update(dict.fromkeys(need.missing if need.state is State.DONE else [need.step.id]))
    return tuple(found)


def _doubt(state: StepState, needs: Sequence[StepState], later: Sequence[str]) -> str | None:
    """Why a step that is done may not hold: behind it something was reopened, or done again `later`.

    What is done again in a phase that stands for both passes casts no doubt beyond its next steps.
    """
    if state.state is not State.DONE:
        return None
    if state.missing:
        return f"{state.missing[0]} is not done any more"
    if later:
        return f"{later[0]} was done again after it"
    return next((need.doubt for need in needs if need.doubt and not need.phase.once), None)


def _of_person(
    step: Step,
    phase: Phase,
    *,
    verdicts: Sequence[Verdict],
    missing: tuple[str, ...],
    ready: float | None,
    expected: Estimate,
) -> StepState:
    last = verdicts[-1] if verdicts else None
    if last is None or last.verdict == "reopen":
        state = State.TODO if missing else State.WAITING
        return StepState(step, phase, state, started=ready, expected=expected, missing=missing)
    state = State.DONE if last.verdict == "confirm" else State.FAILED
    if last.began is not None:
        ready = last.began
    # what waits for nothing could have been said at any time: nobody knows how long it took
    known = ready is not None and ready <= last.at
    started = ready if known and ready is not None else last.at
    return StepState(
        step,
        phase,
        state,
        started=started,
        ended=last.at,
        seconds=last.at - started if known else None,
        expected=expected,
        attempts=len(verdicts),
        cause=f"refused by {last.by}" + (f": {last.note}" if last.note else "")
        if state is State.FAILED
        else None,
        missing=missing,
    )


def _spent(attempts: Sequence[Attempt]) -> float | None:
    """Seconds of the last attempt and of those before it that failed or were ended."""
    own = [attempts[-1]]
    for attempt in reversed(attempts[:-1]):
        if attempt.outcome == "done":
            break
        own.append(attempt)
    return None if own[0].seconds is None else sum(attempt.seconds or 0.0 for attempt in own)


def _of_machine(
    step: Step,
    phase: Phase,
    *,
    attempts: Sequence[Attempt],
    missing: tuple[str, ...],
    expected: Estimate,
    runner_alive: bool,
) -> StepState:
    if not attempts:
        return StepState(step, phase, State.TODO, expected=expected, missing=missing)
    last = attempts[-1]
    if last.outcome == "done":
        state = State.DONE
    elif last.outcome == "running" and runner_alive:
        state = State.RUNNING
    else:
        state = State.FAILED
    return StepState(
        step,
        phase,
        state,
        started=last.started,
        ended=last.ended,
        seconds=_spent(attempts),
        expected=expected,
        attempts=len(attempts),
        cause=last.cause or ("the runner was ended" if state is State.FAILED else None),
        missing=missing,
    )
