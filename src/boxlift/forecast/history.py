"""What the journal knows of earlier runs, in the form that a forecast is made from.

A run is what one pass did for one release: the steps it did and the restore that filled it. Attempts in check
mode don't count. A duration that is not positive (a clock was set back) is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from boxlift.forecast.sample import Draws
from boxlift.journal import Attempt, Journal, Measure, Segment, Verdict
from boxlift.plan.model import Kind, Pass, Plan, Step

_LEAST_BYTES = 1_000_000
"""A transfer of less says nothing of a line's rate, unless it was all."""
_LEAST_SECONDS = 0.001
_LONGEST = 45 * 86400.0
"""Seconds; longer is a clock that was set, not work."""


@dataclass(frozen=True)
class Table:
    """Load of one table: bytes of dump, seconds."""

    name: str
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Restored:
    """One restore of a backup of `total` bytes.

    `seconds` and `bytes` of the line have the shape (slices,); `measured`: they are bxbackup's, not looks at
    it. `unpack` and `load` are seconds in which that was busy; `unpack_after` and `load_after` the shares of
    the transfer after which it began. `whole` is the time of all attempts, None unless it came to its end.
    """

    total: int | None
    seconds: Draws
    bytes: Draws
    parts: int
    repairs: int
    tables: tuple[Table, ...]
    load: float
    load_after: float
    unpack: float
    unpack_after: float
    whole: float | None
    measured: bool

    @property
    def arrived(self) -> float:
        return float(self.bytes.sum())

    @property
    def transfer(self) -> float:
        """Seconds on the line."""
        return float(self.seconds.sum())

    @property
    def pace(self) -> float | None:
        """Seconds per byte; None where too little came to say."""
        least = min(_LEAST_BYTES, self.total or _LEAST_BYTES)
        if self.arrived < max(1, least) or self.transfer < _LEAST_SECONDS:
            return None
        return self.transfer / self.arrived

    @property
    def rest(self) -> float | None:
        """What the whole took beside its lanes: installing before, proving after."""
        if self.whole is None:
            return None
        return max(0.0, self.whole - lanes(self.transfer, self))


def lanes(transfer: float, restored: Restored) -> float:
    """Seconds until the last of transfer, unpacking and load is through."""
    return max(
        transfer,
        restored.unpack_after * transfer + restored.unpack,
        restored.load_after * transfer + restored.load,
    )


@dataclass(frozen=True)
class Run:
    """One pass over one release.

    Of each step that was done: `seconds` of its work, `elapsed` since its first try, when it `ended`. `tries`
    and `failures` of machine steps; a try that was interrupted says nothing of the step and is neither.
    `reactions`: seconds between a failure and the next try of a step.
    `restoring`: when its restore was first begun.
    """

    pass_: str
    release: str
    seconds: dict[str, float] = field(default_factory=dict)
    elapsed: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    reactions: tuple[float, ...] = ()
    restoring: float | None = None
    restored: Restored | None = None


@dataclass(frozen=True)
class History:
    """All runs, oldest first."""

    runs: tuple[Run, ...]

    def without(self, run: Run) -> History:
        return History(tuple(other for other in self.runs if other is not run))

    def seconds(self, step: str) -> list[float]:
        """Every time that the step was done."""
        return [run.seconds[step] for run in self.runs if step in run.seconds]

    def tried(self, step: str | None = None) -> tuple[int, int]:
        """Failures and tries of one machine step, or of all of them."""
        failures = tries = 0
        for run in self.runs:
            for name, count in run.tries.items():
                if step in {None, name}:
                    tries += count
                    failures += run.failures.get(name, 0)
        return failures, tries

    @property
    def reactions(self) -> list[float]:
        """Of all runs."""
        return [seconds for run in self.runs for seconds in run.reactions]

    @property
    def restores(self) -> list[Restored]:
        return [run.restored for run in self.runs if run.restored is not None]

    def of(self, pass_: str, release: str) -> Run | None:
        return next((run for run in self.runs if (run.pass_, run.release) == (pass_, release)), None)


def read_history(plan: Plan, journal: Journal) -> History:
    """Read the journal into runs."""
    attempts = [attempt for attempt in journal.attempts() if not attempt.trial]
    verdicts = journal.verdicts()
    keys: dict[tuple[str, str], None] = {}
    records: list[Attempt | Verdict] = [*attempts, *verdicts]
    for record in sorted(records, key=_moment):
        keys.setdefault((record.pass_, record.release))
    once = {step.id for phase, step in plan.steps() if phase.once}
    runs = []
    for pass_, release in keys:
        own = [item for item in attempts if (item.pass_, item.release) == (pass_, release)]
        said = [item for item in verdicts if (item.pass_, item.release) == (pass_, release)]
        stands = [item for item in attempts if item.step in once]
        stands_said = [item for item in verdicts if item.step in once]
        ended = {**_ended(stands, stands_said), **_ended(own, said)}
        runs.append(_run(plan, journal, Pass(pass_), release, attempts=own, verdicts=said, ended=ended))
    return History(tuple(runs))


def _moment(record: Attempt | Verdict) -> float:
    return record.started if isinstance(record, Attempt) else record.at


def _ended(attempts: Iterable[Attempt], verdicts: Iterable[Verdict]) -> dict[str, float]:
    """When each step was done, the last time."""
    ended = {item.step: item.ended for item in attempts if item.outcome == "done" and item.ended is not None}
    ended |= {item.step: item.at for item in verdicts if item.verdict == "confirm"}
    return ended


def _run(
    plan: Plan,
    journal: Journal,
    pass_: Pass,
    release: str,
    *,
    attempts: Sequence[Attempt],
    verdicts: Sequence[Verdict],
    ended: dict[str, float],
) -> Run:
    run = Run(pass_, release)
    reactions: list[float] = []
    restored = None
    said = {verdict.step for verdict in verdicts}
    began = {verdict.step: verdict.began for verdict in verdicts if verdict.verdict == "confirm"}
    for step in plan.in_pass(pass_):
        tries = [attempt for attempt in attempts if attempt.step == step.id]
        if step.kind is Kind.CONFIRM:
            ready = [ended[need] for need in plan.needs(step.id, pass_) if need in ended]
            since = began.get(step.id)
            if since is None:
                since = max(ready, default=None)
            if step.id in ended and step.id in said and since is not None:
                took = _sane(step.id, ended[step.id] - since)
                run.seconds.update(took)
                run.elapsed.update(took)
        elif tries:
            outcomes = [attempt.outcome for attempt in tries if attempt.outcome in {"done", "failed"}]
            run.tries[step.id], run.failures[step.id] = len(outcomes), outcomes.count("failed")
            reactions += _reactions(tries)
            done = [attempt for attempt in tries if attempt.outcome == "done"]
            if done and done[0].ended is not None:
                run.elapsed.update(_sane(step.id, done[0].ended - tries[0].started))
            if step.backup:
                run = replace(run, restoring=tries[0].started)
                restored = _restored(journal, tries, done=bool(done))
                whole = restored.whole if restored else None
                if done and whole is not None:
                    run.seconds.update(_sane(step.id, whole))
            elif done and done[-1].seconds is not None:
                run.seconds.update(_sane(step.id, done[-1].seconds))
        if step.id in ended and (step.id in said or tries):
            run.ended[step.id] = ended[step.id]
    return replace(run, reactions=tuple(reactions), restored=restored)


def _sane(step: str, seconds: float) -> dict[str, float]:
    return {step: seconds} if 0 < seconds < _LONGEST else {}


def _reactions(tries: Sequence[Attempt]) -> list[float]:
    gaps = [
        later.started - earlier.ended
        for earlier, later in pairwise(tries)
        if earlier.outcome == "failed" and earlier.ended is not None
    ]
    return [gap for gap in gaps if 0 < gap < _LONGEST]


def _restored(journal: Journal, tries: Sequence[Attempt], *, done: bool) -> Restored | None:
    """One restore from what all its attempts handed over; from looks at it where nothing was measured."""
    measures = [one for attempt in tries for one in journal.measures(attempt.id) if _is_work(one)]
    looks = [journal.segments(attempt.id) for attempt in tries]
    totals = [look.bytes_total for segments in looks for look in segments if look.bytes_total]
    lines = [item for item in measures if item.kind == "line" and item.seconds > 0]
    measured = bool(lines)
    slices = [(item.seconds, float(item.bytes)) for item in lines] if measured else _steps(looks)
    parts = [item for item in measures if item.kind == "part"]
    tables = [item for item in measures if item.kind == "table" and item.seconds >= 0]
    unpacks = [item for item in measures if item.kind == "unpack" and item.seconds >= 0]
    seconds = np.array([item[0] for item in slices], dtype=np.float64)
    transfer = float(seconds.sum())
    first = min((item.started for item in lines), default=0.0)
    times = [attempt.seconds for attempt in tries if attempt.seconds is not None and attempt.seconds > 0]
    # the work goes on on its host while no runner waits for it
    whole = max(sum(times), transfer) if done and times and sum(times) < _LONGEST else None
    if not times and not measures and not totals:
        return None
    load, load_after = _lane(tables, first, transfer, whole)
    unpack, unpack_after = _lane(unpacks, first, transfer, whole)
    return Restored(
        total=totals[-1] if totals else (sum(item.bytes for item in parts) or None),
        seconds=seconds,
        bytes=np.array([item[1] for item in slices], dtype=np.float64),
        parts=len({item.name for item in parts}),
        repairs=sum(item.repairs or 0 for item in parts),
        tables=tuple(Table(item.name, item.bytes, item.seconds) for item in _last(tables)),
        load=load,
        load_after=load_after,
        unpack=unpack,
        unpack_after=unpack_after,
        whole=whole,
        measured=measured,
    )


def _is_work(measure: Measure) -> bool:
    """Whether it can have been measured: what a host hands over must not carry a forecast away."""
    return 0 <= measure.seconds < _LONGEST and measure.bytes >= 0


def _last(tables: Sequence[Measure]) -> list[Measure]:
    """Each table once: a load that was begun again counts by its last time."""
    return list({table.name: table for table in tables}.values())


def _lane(work: Sequence[Measure], first: float, transfer: float, whole: float | None) -> tuple[float, float]:
    """Seconds that other work was busy, and the share of the transfer after which it began.

    Seconds of several sessions are added up in a measure: the lane is no longer than the whole lets it be.
    """
    after = 0.0
    if work and first and transfer > 0:
        after = float(np.clip((min(item.started for item in work) - first) / transfer, 0.0, 1.0))
    busy = _busy(work)
    return (busy if whole is None else min(busy, max(0.0, whole - after * transfer))), after


def _busy(work: Sequence[Measure]) -> float:
    """Seconds in which at least one of them went on."""
    busy, until = 0.0, -np.inf
    for item in sorted(work, key=lambda item: item.started):
        end = item.started + item.seconds
        busy += max(0.0, end - max(until, item.started))
        until = max(until, end)
    return busy


def _steps(looks: Sequence[Sequence[Segment]]) -> list[tuple[float, float]]:
    """Seconds and bytes between two looks at a running restore; what a set clock spoils is left out."""
    found = []
    for segments in looks:
        known = [(look.at, look.bytes, look.bytes_total) for look in segments if look.bytes is not None]
        for (at, before, _), (then, after, total) in pairwise(known):
            arriving = total is None or before < total
            if 0 < then - at < _LONGEST and after >= before and arriving:
                found.append((then - at, float(after - before)))
    return found


def backup_step(plan: Plan, pass_: Pass) -> Step | None:
    """The step that restores the pass's backup."""
    return next((step for step in plan.in_pass(pass_) if step.backup), None)
