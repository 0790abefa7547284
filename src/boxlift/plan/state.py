"""Where a pass stands: the plan's steps with what the journal knows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from boxlift.journal import Attempt, Journal, Verdict
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
    """One step of a pass. Times are seconds since 1970 UTC, durations and estimates seconds."""

    step: Step
    phase: Phase
    state: State
    started: float | None = None
    ended: float | None = None
    seconds: float | None = None
    estimate: float | None = None
    attempts: int = 0
    cause: str | None = None
    missing: tuple[str, ...] = ()


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
        missing = tuple(need.step.id for need in needs if need.state is not State.DONE)
        estimate = _estimate(step, pass_, attempts)
        if step.kind is Kind.CONFIRM:
            own = [verdict for verdict in verdicts if counts(verdict)]
            ready = max((need.ended for need in needs if need.ended is not None), default=None)
            found[step.id] = _of_person(
                step, phase, verdicts=own, missing=missing, ready=ready, estimate=estimate
            )
        else:
            tries = [attempt for attempt in attempts if counts(attempt)]
            found[step.id] = _of_machine(
                step, phase, attempts=tries, missing=missing, estimate=estimate, runner_alive=runner_alive
            )
    return Position(pass_, release, tuple(found.values()))


def _estimate(step: Step, pass_: Pass, attempts: Sequence[Attempt]) -> float | None:
    """What the step took in the other pass, else what the plan says."""
    for attempt in reversed(attempts):
        if attempt.step == step.id and attempt.outcome == "done" and attempt.pass_ != pass_:
            return attempt.seconds
    return step.estimate


def _of_person(
    step: Step,
    phase: Phase,
    *,
    verdicts: Sequence[Verdict],
    missing: tuple[str, ...],
    ready: float | None,
    estimate: float | None,
) -> StepState:
    last = verdicts[-1] if verdicts else None
    if last is None or last.verdict == "reopen":
        state = State.TODO if missing else State.WAITING
        return StepState(step, phase, state, started=ready, estimate=estimate, missing=missing)
    state = State.DONE if last.verdict == "confirm" else State.FAILED
    started = ready if ready is not None and ready <= last.at else last.at
    return StepState(
        step,
        phase,
        state,
        started=started,
        ended=last.at,
        seconds=last.at - started,
        estimate=estimate,
        attempts=len(verdicts),
        cause=f"refused by {last.by}" + (f": {last.note}" if last.note else "")
        if state is State.FAILED
        else None,
        missing=missing,
    )


def _of_machine(
    step: Step,
    phase: Phase,
    *,
    attempts: Sequence[Attempt],
    missing: tuple[str, ...],
    estimate: float | None,
    runner_alive: bool,
) -> StepState:
    if not attempts:
        return StepState(step, phase, State.TODO, estimate=estimate, missing=missing)
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
        seconds=last.seconds,
        estimate=estimate,
        attempts=len(attempts),
        cause=last.cause or ("the runner was ended" if state is State.FAILED else None),
        missing=missing,
    )
