"""How long it will still take: by each room's own rate, whatever the wall clock does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bxbackup.crew import LoadProgress
from bxbackup.remaining import Remaining
from bxbackup.status import Status


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moment that the clock which never jumps shows."""
    moment = [1000.0]
    monkeypatch.setattr("bxbackup.remaining.time.monotonic", lambda: moment[0])
    return moment


def at(done: int, total: int) -> LoadProgress:
    return LoadProgress(9, 1, 1, done, total, "b_lead")


def test_nothing_is_said_before_anything_is_measured() -> None:
    assert Remaining().seconds(missing=100, rate=0.0, volumes=5) is None


def test_the_room_that_needs_longest_counts(clock: list[float]) -> None:
    remaining = Remaining()
    assert remaining.seconds(missing=8000, rate=100.0, volumes=3) == 80
    remaining.unpacked(50.0)
    remaining.unpacked(10.0)
    assert remaining.seconds(missing=8000, rate=100.0, volumes=3) == 90
    remaining.loaded(at(0, 1000))
    clock[0] += 10
    remaining.loaded(at(50, 1000))
    assert remaining.seconds(missing=8000, rate=100.0, volumes=3) == 190
    assert remaining.seconds(missing=0, rate=0.0, volumes=0) == 190


def test_the_rate_of_the_load_is_that_of_the_last_minutes(clock: list[float]) -> None:
    remaining = Remaining()
    for second in range(400):
        clock[0] += 1
        remaining.loaded(at(second * (1 if second < 200 else 10), 10_000))
    left = remaining.seconds(missing=0, rate=0.0, volumes=0)
    assert left == pytest.approx((10_000 - 3990) / 10, rel=0.02)


def test_what_earlier_runs_have_done_is_no_rate(clock: list[float]) -> None:
    remaining = Remaining()
    remaining.loaded(at(900, 1000))
    assert remaining.seconds(missing=0, rate=0.0, volumes=0) is None
    clock[0] += 10
    remaining.loaded(at(910, 1000))
    assert remaining.seconds(missing=0, rate=0.0, volumes=0) == 90


def test_the_end_is_told_by_the_wall_clock_as_it_is_now() -> None:
    status = Status(remaining=60.0)
    eta = datetime.fromisoformat(status.as_json()["eta"])
    assert abs(eta - datetime.now(UTC) - timedelta(seconds=60)) < timedelta(seconds=5)
