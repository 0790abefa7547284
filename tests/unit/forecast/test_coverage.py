"""The interval holds what it promises: 500 simulated moves, each forecast from its own rehearsal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from boxlift.forecast.fact import quantiles, replay
from boxlift.forecast.history import History
from boxlift.forecast.move import simulate
from boxlift.journal import Journal
from boxlift.plan import Pass, default_plan
from boxlift.plan.state import position
from tests.unit.forecast.world import GB, World

pytestmark = pytest.mark.slow


@pytest.fixture
def empty(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db")


def held(empty: Journal, moves: int, *, rehearsals: int, spread: float | None = None, seed: int = 0) -> float:
    """Share of simulated moves whose cut-over ended within the interval of 80 %."""
    plan = default_plan()
    where = position(plan, empty, Pass.FINAL, runner_alive=False)
    needs = {item.step.id: plan.needs(item.step.id, Pass.FINAL) for item in where.in_pass}
    inside = 0
    for number in range(moves):
        world = World(np.random.default_rng([seed, number]))
        world.line_spread = spread if spread is not None else world.line_spread
        size = world.random.uniform(2, 12) * GB
        runs = [world.rehearsal(plan, size, f"rehearsal-{one + 1}") for one in range(rehearsals)]
        new = size * world.random.uniform(1.0, 1.2)
        told = simulate(
            where, needs, History(tuple(runs)), size=int(new), live=None, now=0.0, draws=300, seed=number
        )
        assert told.cut_end is not None
        expected = quantiles(told.cut_end)
        inside += expected.p10 <= world.move(where, needs, new) <= expected.p90
    return inside / moves


def test_500_moves_after_one_rehearsal(empty: Journal) -> None:
    assert 0.7 <= held(empty, 500, rehearsals=1) <= 0.9


@pytest.mark.long
@pytest.mark.parametrize("rehearsals", [1, 2, 4])
@pytest.mark.parametrize("seed", [1, 2])
def test_500_moves_after_more_rehearsals(empty: Journal, rehearsals: int, seed: int) -> None:
    assert 0.7 <= held(empty, 500, rehearsals=rehearsals, seed=seed) <= 0.9


def restores_held(moves: int, *, rehearsals: int, spread: float, seed: int) -> float:
    """Share of restores, alone, within the interval: each world's last run forecast from the others."""
    plan = default_plan()
    inside = of = 0
    for number in range(moves):
        world = World(np.random.default_rng([seed, number]))
        world.line_spread = spread
        runs = [world.rehearsal(plan, 5 * GB, f"rehearsal-{one + 1}") for one in range(rehearsals + 1)]
        last = runs[-1].seconds["restore-backup"]
        for told, took in replay(plan, History(tuple(runs)), seed=number):
            if took == last:
                inside, of = inside + (told.p10 <= took <= told.p90), of + 1
    return inside / of


@pytest.mark.long
@pytest.mark.parametrize("rehearsals", [1, 3])
def test_restores_alone_on_an_ordinary_line(rehearsals: int) -> None:
    assert 0.7 <= restores_held(300, rehearsals=rehearsals, spread=0.2, seed=3) <= 0.95
