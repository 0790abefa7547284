"""What a report says, before it is laid out. Times are seconds since 1970 UTC, durations seconds.

All of it is frozen and hashable: a plot is drawn anew only when what it shows has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from boxlift.forecast.result import Forecast
from boxlift.plan.standing import Standing
from boxlift.report.clock import Clock
from boxlift.report.outlook import Week
from boxlift.risks import LeadView, RiskView


@dataclass(frozen=True)
class Missing:
    """A part of the report that can't be shown yet: why, and what brings it."""

    why: str
    cure: str | None = None


class Course(StrEnum):
    """How a stretch of work ended, or that it goes on."""

    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    RUNNING = "running"
    WAITING = "waiting"


@dataclass(frozen=True)
class Bar:
    """One attempt of a machine, or the time that a person's step took from being possible to being said."""

    step: str
    title: str
    owner: str
    person: bool
    attempt: int
    course: Course
    started: float
    ended: float
    cause: str | None = None

    @property
    def seconds(self) -> float:
        return self.ended - self.started


@dataclass(frozen=True)
class Stage:
    """The bars of one phase in one pass, at least one."""

    phase: str
    title: str
    bars: tuple[Bar, ...]

    @property
    def started(self) -> float:
        return min(bar.started for bar in self.bars)

    @property
    def ended(self) -> float:
        return max(bar.ended for bar in self.bars)


@dataclass(frozen=True)
class Passage:
    """One pass: how far it is and what was done when."""

    name: str
    title: str
    release: str
    steps: int
    steps_done: int
    stages: tuple[Stage, ...]

    @property
    def complete(self) -> bool:
        return self.steps_done == self.steps


@dataclass(frozen=True)
class Event:
    """A note, an automatic repair, a failure or an interruption. Its number is the same in plot and table."""

    number: int
    at: float
    pass_name: str
    step: str | None
    host: str | None
    kind: str
    text: str
    cost: float | None


@dataclass(frozen=True)
class Slice:
    """Bytes that arrived in a slice of time."""

    started: float
    seconds: float
    bytes: int

    @property
    def rate(self) -> float:
        """Bytes per second."""
        return self.bytes / self.seconds


@dataclass(frozen=True)
class Transfer:
    """The transfer of one release's backup. `slices` leave no gap; the last may be shorter."""

    pass_name: str
    release: str
    total: int | None
    fetched: int
    slices: tuple[Slice, ...]
    events: tuple[Event, ...]

    @property
    def started(self) -> float:
        return self.slices[0].started

    @property
    def ended(self) -> float:
        return self.slices[-1].started + self.slices[-1].seconds

    @property
    def seconds(self) -> float:
        return self.ended - self.started

    @property
    def rate(self) -> float:
        """Bytes per second from first to last byte."""
        return sum(part.bytes for part in self.slices) / self.seconds

    @property
    def best(self) -> float:
        """Bytes per second of the fastest slice."""
        return max(part.rate for part in self.slices)


@dataclass(frozen=True)
class Cases:
    """One test with all its cases."""

    name: str
    passed: int
    failed: int
    skipped: int
    seconds: float


@dataclass(frozen=True)
class Failure:
    """One case of a test that failed."""

    test: str
    cause: str


@dataclass(frozen=True)
class Verification:
    """The newest run of one suite in one pass."""

    suite: str
    pass_name: str
    release: str
    step: str
    at: float
    complete: bool
    groups: tuple[Cases, ...]
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> int:
        return sum(group.passed for group in self.groups)

    @property
    def failed(self) -> int:
        return sum(group.failed for group in self.groups)

    @property
    def skipped(self) -> int:
        return sum(group.skipped for group in self.groups)

    @property
    def sound(self) -> bool:
        return self.complete and not self.failed and self.passed > 0


@dataclass(frozen=True)
class Proof:
    """What shows that a repair holds: `holds` is None where nothing has been proved yet."""

    text: str
    holds: bool | None


@dataclass(frozen=True)
class Repair:
    """Something that was put right without a person."""

    at: float | None
    pass_name: str
    what: str
    how: str
    proof: Proof


@dataclass(frozen=True)
class Task:
    """A step that is left to do in the current pass."""

    step: str
    title: str
    owner: str
    state: str
    missing: tuple[str, ...]
    estimate: float | None
    instructions: str
    command: str
    cause: str | None


@dataclass(frozen=True)
class Word:
    """What a person said about a step."""

    at: float
    pass_name: str
    step: str
    verdict: str
    by: str
    note: str | None


@dataclass(frozen=True)
class Doubt:
    """A step that is done and may not hold any more."""

    step: str
    title: str
    why: str


@dataclass(frozen=True)
class Report:
    """All that a report says."""

    project: str
    version: str | None
    made: float
    clock: Clock
    running: bool
    standing: Standing
    passages: tuple[Passage, ...]
    transfers: tuple[Transfer, ...] | Missing
    events: tuple[Event, ...]
    repairs: tuple[Repair, ...]
    verifications: tuple[Verification, ...]
    tasks: tuple[Task, ...]
    words: tuple[Word, ...]
    doubts: tuple[Doubt, ...]
    forecast: Forecast | Missing
    week: Week | Missing
    risks: RiskView | Missing
    leads: LeadView | Missing

    def missing(self) -> dict[str, Missing]:
        """Parts that can't be shown yet."""
        parts = {
            "forecast": self.forecast,
            "leads": self.leads,
            "risks": self.risks,
            "transfers": self.transfers,
            "week": self.week,
        }
        return {name: part for name, part in parts.items() if isinstance(part, Missing)}

    @property
    def title(self) -> str:
        """Of the pass that it stands in."""
        return next(passage.title for passage in self.passages if passage.name == self.standing.pass_name)
