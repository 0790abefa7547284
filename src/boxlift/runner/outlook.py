"""What a run is about to do: steps, seconds, bytes, and how sure that is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from boxlift.figures import duration, size, zoned
from boxlift.journal import Journal, Segment
from boxlift.plan.model import Kind
from boxlift.plan.state import Position, State, StepState


@dataclass(frozen=True)
class Ahead:
    """One step that the run will do.

    `bytes`: what it has still to move, None where nobody knows; not `bytes_known`: as much as the last one.
    """

    step: str
    seconds: float | None
    bytes: int | None
    bytes_known: bool
    confidence: str
    destructive: bool
    changes: str


@dataclass(frozen=True)
class Outlook:
    """The steps up to the first person's, and that person's."""

    pass_name: str
    release: str
    steps: tuple[Ahead, ...]
    then: str | None
    trial: bool

    @property
    def seconds(self) -> float:
        return sum(step.seconds or 0.0 for step in self.steps)

    def lines(self) -> list[str]:
        """As people read it; nothing where nothing is to be done."""
        if not self.steps:
            return []
        width = max(len(step.step) for step in self.steps)
        mode = "in check mode: changes nothing" if self.trial else f"about {duration(self.seconds)}"
        if not self.trial:
            mode += f", until {zoned(time.time() + self.seconds)}"
        lines = [f"{self.pass_name}, release {self.release}: {mode}"]
        for step in self.steps:
            facts = [] if self.trial else [f"{duration(step.seconds)}, {step.confidence}"]
            if step.bytes is not None:
                facts.append(
                    f"{size(step.bytes)} to move{'' if step.bytes_known else ' if as much as last time'}"
                )
            facts += ["cannot be undone: asks first"] if step.destructive else []
            lines.append(f"  {step.step:<{width}}  {' · '.join(facts)}".rstrip())
        if self.then is not None:
            lines.append(f"  then {self.then}")
        return lines

    def as_dict(self) -> dict[str, object]:
        """Under the names of docs/contracts/run.schema.json."""
        return {
            "pass": self.pass_name,
            "release": self.release,
            "trial": self.trial,
            "seconds": self.seconds,
            "steps": [asdict(step) for step in self.steps],
            "then": self.then,
        }


def outlook(
    where: Position, wanted: Sequence[str], journal: Journal, *, trial: bool, confirmed: bool
) -> Outlook:
    """What a run of the steps `wanted` will do before a person has to act.

    `confirmed`: persons' steps don't stop it.
    """
    steps: list[Ahead] = []
    then = None
    for name in wanted:
        item = where.of(name)
        if item.step.kind is Kind.CONFIRM:
            if item.state is State.DONE or trial or confirmed:
                continue
            then = f"the {item.step.owner}'s {name}"
            break
        if trial and item.step.kind is Kind.SUITE:
            continue
        steps.append(
            Ahead(
                name,
                item.estimate,
                *_bytes(item, where, journal),
                item.expected.confidence,
                item.step.destructive,
                item.step.changes,
            )
        )
    return Outlook(str(where.pass_), where.release, tuple(steps), then, trial)


def _bytes(item: StepState, where: Position, journal: Journal) -> tuple[int | None, bool]:
    """What is left of a restore that has begun, else as much as the last one moved; whether it is known."""
    if not item.step.backup:
        return None, False
    looked = last_look(journal, item.step.id, where.release)
    if looked is not None and looked.bytes_total is not None:
        return looked.bytes_total - (looked.bytes or 0), True
    return item.expected.bytes, False


def last_look(journal: Journal, step: str, release: str) -> Segment | None:
    """The newest look at the restore into a release."""
    for attempt in reversed(journal.attempts()):
        if attempt.step == step and attempt.release == release and not attempt.trial:
            segments = journal.segments(attempt.id)
            if segments:
                return segments[-1]
    return None
