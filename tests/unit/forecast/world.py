"""A world that moves portals: it knows nothing of forecasts, and tells what a journal would hold."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from boxlift.forecast.history import Restored, Run, Table, lanes
from boxlift.forecast.path import ends, latest
from boxlift.plan import Kind, Pass, Plan, Step
from boxlift.plan.state import Position

GB = 1_000_000_000
SLICE = 30.0


@dataclass
class World:
    """One customer: a line, a host, persons. Every quantity differs from run to run by its own measure."""

    random: np.random.Generator
    line: float = field(init=False)
    line_spread: float = field(init=False)
    machine_spread: float = field(init=False)
    person_spread: float = field(init=False)
    failure: float = field(init=False)

    def __post_init__(self) -> None:
        draw = self.random
        self.line = 800e3 * float(np.exp(0.5 * draw.standard_normal()))
        self.line_spread = draw.uniform(0.05, 0.35)
        self.machine_spread = draw.uniform(0.1, 0.4)
        self.person_spread = draw.uniform(0.3, 0.7)
        self.failure = draw.beta(1, 12)
        self.shares = draw.dirichlet(np.full(58, 0.3))
        self.table_pace = 1 / (4e6 * np.exp(0.6 * draw.standard_normal(58)))
        self.habits: dict[str, float] = {}

    def factor(self, spread: float) -> float:
        return float(np.exp(spread * self.random.standard_normal()))

    def transfer(self, size: float) -> tuple[np.ndarray, np.ndarray]:
        """Seconds and bytes of slices: a day's rate, slow hours, stalls."""
        rate = self.line * self.factor(self.line_spread)
        seconds: list[float] = []
        arrived: list[float] = []
        slow, left, stall = 0.0, size, 0
        while left > 0:
            slow = 0.9 * slow + 0.1 * self.random.standard_normal()
            if stall == 0 and self.random.random() < 0.002:
                stall = int(self.random.integers(2, 11))
            came = 0.0 if stall else min(left, rate * SLICE * float(np.exp(slow)))
            stall = max(0, stall - 1)
            seconds.append(SLICE)
            arrived.append(came)
            left -= came
        return np.array(seconds), np.array(arrived)

    def restore(self, size: float) -> Restored:
        """Fetch and load a backup."""
        seconds, arrived = self.transfer(size)
        day = self.factor(0.12)
        tables = tuple(
            Table(f"b_table_{number}", int(bytes_), float(bytes_ * pace * day * self.factor(0.15)))
            for number, (bytes_, pace) in enumerate(
                zip(self.shares * size * 0.2, self.table_pace, strict=True)
            )
        )
        made = Restored(
            total=int(size),
            seconds=seconds,
            bytes=arrived,
            parts=max(1, round(size / GB)),
            repairs=0,
            tables=tables,
            load=0.6 * sum(table.seconds for table in tables),
            load_after=0.1,
            unpack=float(size / 60e6) * self.factor(0.1),
            unpack_after=0.01,
            whole=None,
            measured=True,
        )
        whole = lanes(float(seconds.sum()), made) + 600 * self.factor(0.2)
        return Restored(**(made.__dict__ | {"whole": whole}))

    def habit(self, step: Step) -> float:
        """What a step takes in this world on an ordinary day; the plan's guess is not far off."""
        if step.id not in self.habits:
            self.habits[step.id] = (step.estimate or 600) * self.factor(0.5)
        return self.habits[step.id]

    def seconds(self, step: Step) -> float:
        """What it takes this time."""
        spread = self.person_spread if step.kind is Kind.CONFIRM else self.machine_spread
        return self.habit(step) * self.factor(spread)

    def failures(self) -> int:
        return min(5, int(self.random.geometric(1 - self.failure)) - 1)

    def rehearsal(self, plan: Plan, size: float, release: str = "rehearsal-1") -> Run:
        """One rehearsal as the journal tells it."""
        run = Run("rehearsal", release, restored=self.restore(size))
        reactions: list[float] = []
        for step in plan.in_pass(Pass.REHEARSAL):
            if step.backup:
                assert run.restored is not None
                run.seconds[step.id] = run.restored.whole or 0.0
            elif step.needs:
                run.seconds[step.id] = self.seconds(step)
            if step.kind is not Kind.CONFIRM:
                bad = self.failures()
                run.tries[step.id], run.failures[step.id] = bad + 1, bad
                reactions += [600 * self.factor(0.8) for _ in range(bad)]
        return Run(**(run.__dict__ | {"reactions": tuple(reactions)}))

    def move(self, position: Position, needs: dict[str, list[str]], size: float) -> float:
        """Seconds of a real cut-over."""
        seconds = {}
        for item in position.ahead:
            step = item.step
            work = (self.restore(size).whole or 0.0) if step.backup else self.seconds(step)
            if step.kind is not Kind.CONFIRM:
                for _ in range(self.failures()):
                    work += 600 * self.factor(0.8) + (0 if step.backup else self.random.random() * work)
            seconds[step.id] = np.array([work])
        cut = [item.step.id for item in position.ahead if item.phase.id == "move"]
        return float(latest(ends(cut, needs, seconds), cut)[0])
