"""Writes journals as a move would: by a clock of its own, step by step."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from boxlift.journal import Journal, Measure, Segment
from boxlift.plan import Kind, Pass, Phase, Step, default_plan

HOUR = 3600.0
GB = 1_000_000_000
BEGIN = 1_795_000_000.0


class Diary:
    """One project's journal. `took` are seconds of steps; other steps take their estimate."""

    def __init__(self, path: Path) -> None:
        self.now = BEGIN
        self.journal = Journal(path, clock=lambda: self.now)
        self.plan = default_plan()
        self.random = np.random.default_rng(7)

    def go(
        self, pass_: Pass, *, size: int = 30 * GB, hours: float = 10.0, until: str = "", release: int = 1
    ) -> Diary:
        """All steps of a pass that are not done by the other, until one that is left out."""
        for phase, step in self.plan.steps():
            if step.id == until:
                break
            done = {attempt.step for attempt in self.journal.attempts()}
            said = {verdict.step for verdict in self.journal.verdicts()}
            if pass_ not in step.passes or (phase.once and step.id in done | said):
                continue
            name = f"{pass_}-{release}"
            if step.kind is Kind.CONFIRM:
                self.now += float(step.estimate or 600)
                self.journal.verdict(pass_, step.id, name, verdict="confirm", by="A", note=None)
            elif step.backup:
                self.restore(phase, step, pass_, name, size=size, hours=hours)
            else:
                self.attempt(phase, step, pass_, name, float(step.estimate or 600))
        return self

    def attempt(
        self, phase: Phase, step: Step, pass_: Pass, release: str, seconds: float, outcome: str = "done"
    ) -> int:
        number = self.begin(phase, step, pass_, release)
        self.now += seconds
        self.journal.end(number, outcome, 0 if outcome == "done" else 4)
        return number

    def begin(self, phase: Phase, step: Step, pass_: Pass, release: str) -> int:
        return self.journal.begin(
            run=1,
            pass_=pass_,
            phase=phase.id,
            step=step.id,
            kind=str(step.kind),
            release=release,
            trial=False,
            log="l",
        )

    def restore(
        self, phase: Phase, step: Step, pass_: Pass, release: str, *, size: int, hours: float
    ) -> None:
        """A transfer of so many hours, measured in slices; load and unpacking beside it."""
        number = self.begin(phase, step, pass_, release)
        begun, slices = self.now, round(hours * HOUR / 30)
        weights = np.exp(0.2 * self.random.standard_normal(slices))
        arrived = (size * weights / weights.sum()).astype(np.int64)
        measures = [
            Measure("portal-1", "line", "", begun + 30 * place, 30.0, int(came))
            for place, came in enumerate(arrived)
        ]
        for part in range(30):
            at = begun + part * hours * HOUR / 30
            measures.append(
                Measure("portal-1", "part", f"p.{part}", at, 60.0, size // 30, repairs=int(part == 17))
            )
            measures.append(Measure("portal-1", "unpack", f"p.{part}", at + 60, 20.0, size // 15))
        for table in range(58):
            at = begun + HOUR + 60 * table
            measures.append(Measure("portal-1", "table", f"b_t{table}", at, 50.0, size // 500, rows=1000))
        self.journal.add(
            number,
            segments=[Segment("portal-1", begun + 5, "running", bytes=1, bytes_total=size)],
            measures=measures,
        )
        self.now = begun + hours * HOUR + 900
        self.journal.end(number, "done", 0, moved=size)

    def step(self, name: str) -> tuple[Phase, Step]:
        return next((phase, step) for phase, step in self.plan.steps() if step.id == name)
