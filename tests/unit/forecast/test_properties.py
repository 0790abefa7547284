"""What holds of every forecast, whatever a journal says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from boxlift.forecast.fact import quantiles
from boxlift.forecast.forecast import Question, forecast
from boxlift.forecast.history import Restored, Table, read_history
from boxlift.forecast.restoring import Live, draw_restore
from boxlift.forecast.result import Forecast, Quantiles, Source
from boxlift.forecast.sample import LINE, block_ratio, jeffreys, predicted, still
from boxlift.journal import Measure, Segment
from boxlift.plan import Pass
from tests.unit.forecast.diary import HOUR, Diary

pytestmark = pytest.mark.slow

PROFILE = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
SECONDS = st.floats(0, 1e6, allow_nan=False)
COUNTS = st.integers(0, 10**13)


def restored(slices: list[tuple[float, int]], total: int | None, whole: float | None) -> Restored:
    return Restored(
        total=total,
        seconds=np.array([item[0] for item in slices]),
        bytes=np.array([float(item[1]) for item in slices]),
        parts=3,
        repairs=1,
        tables=(Table("a", 10**6, 4.0), Table("b", 0, 0.0), Table("c", 10**7, 9.0)),
        load=10.0,
        load_after=0.2,
        unpack=5.0,
        unpack_after=0.0,
        whole=whole,
        measured=True,
    )


RESTORES = st.lists(
    st.builds(
        restored,
        st.lists(st.tuples(SECONDS, COUNTS), max_size=30),
        st.none() | st.integers(1, 10**13),
        st.none() | st.floats(0.1, 1e6),
    ),
    max_size=3,
)
LIVES = st.none() | st.builds(
    Live,
    total=st.none() | st.integers(1, 10**13),
    fetched=COUNTS,
    arrived=st.floats(0, 1e13),
    seconds=SECONDS,
    unpacked=st.floats(0, 1),
    loaded=st.floats(0, 1),
    tables=st.none() | st.integers(0, 500),
)


def ordered(values: Quantiles) -> bool:
    found = list(values.model_dump().values())
    return found == sorted(found) and all(math.isfinite(value) and value >= 0 for value in found)


@PROFILE
@given(RESTORES, st.none() | st.integers(1, 10**13), LIVES, st.integers(0, 99))
def test_quantiles_are_ordered_and_finite(
    restores: list[Restored], size: int | None, live: Live | None, seed: int
) -> None:
    drawn = draw_restore(restores, size, live, 100, np.random.default_rng(seed))
    if drawn is not None:
        assert ordered(quantiles(drawn.seconds))
        assert all(ordered(quantiles(lane.seconds)) for lane in drawn.lanes.values())


@PROFILE
@given(st.integers(10**8, 10**12), st.floats(1.05, 20), st.integers(0, 99))
def test_a_larger_backup_takes_longer(size: int, factor: float, seed: int) -> None:
    slices = [(30.0, 20_000_000 + 400_000 * (place % 50)) for place in range(400)]
    earlier = [restored(slices, 10**10, 14000.0)]

    def told(size: int) -> Quantiles:
        drawn = draw_restore(earlier, size, None, 400, np.random.default_rng(seed))
        assert drawn is not None
        return quantiles(drawn.seconds)

    small, large = told(size), told(int(size * factor))
    assert small.p50 < large.p50
    assert small.p80 < large.p80
    assert small.p95 < large.p95


@PROFILE
@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=6), st.floats(0, 1e7), st.integers(0, 99))
def test_what_goes_on_is_never_negative(seen: list[float], elapsed: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    left = still(predicted(seen, LINE, 200, random), elapsed, random)
    assert np.all(left >= 0)
    assert np.all(np.isfinite(left))


def test_jeffreys_is_honest_about_few_tries() -> None:
    random = np.random.default_rng(1)
    few, many = jeffreys(0, 1, 4000, random), jeffreys(0, 100, 4000, random)
    assert 0.2 < few.mean() < 0.3
    assert many.mean() < 0.01


def test_blocks_keep_slow_hours_together() -> None:
    """An autocorrelated line is less sure than one of the same slices in any order."""
    random = np.random.default_rng(1)
    seconds = np.full(400, 30.0)
    slow = np.where((np.arange(400) // 50) % 2, 45.0, 15.0)
    shuffled = random.permutation(slow)
    together = block_ratio(seconds, slow, 3000.0, 4000, random).std()
    assert together > 1.5 * block_ratio(seconds, shuffled, 3000.0, 4000, random).std()


def test_an_empty_journal_gives_the_plans_guess(diary: Diary) -> None:
    told = forecast(diary.plan, diary.journal, Question(Pass.REHEARSAL, now=diary.now))
    assert {step.basis.source for step in told.steps} == {Source.ESTIMATE}
    assert told.cut_over is not None
    assert told.cut_over.bound is None
    assert told.finish is not None
    assert [coverage.of for coverage in told.coverage] == [0, 0]
    assert told.gap is None


def test_the_same_question_gives_the_same_answer(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL)
    question = Question(Pass.FINAL, now=diary.now)
    first, again = (forecast(diary.plan, diary.journal, question) for _ in range(2))
    other = forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=diary.now, seed=2))
    assert first == again
    assert first.finish != other.finish


def test_what_is_written_is_read_again(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL)
    told = forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=diary.now))
    again = Forecast.model_validate_json(told.model_dump_json(by_alias=True))
    assert again.model_dump_json() == told.model_dump_json()


def test_failures_make_the_next_pass_less_sure(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL)
    question = Question(Pass.FINAL, now=diary.now)
    before = forecast(diary.plan, diary.journal, question).cut_over
    phase, step = diary.step("activate-release")
    for _ in range(6):
        diary.attempt(phase, step, Pass.REHEARSAL, "rehearsal-1", 60.0, outcome="failed")
        diary.now += 4 * HOUR
    diary.attempt(phase, step, Pass.REHEARSAL, "rehearsal-1", 60.0)
    after = forecast(diary.plan, diary.journal, question).cut_over
    assert before is not None
    assert after is not None
    assert after.seconds.p80 > before.seconds.p80 + HOUR
    (run,) = read_history(diary.plan, diary.journal).runs
    assert run.failures["activate-release"] == 6
    assert all(reaction == 4 * HOUR for reaction in run.reactions)


def test_one_failed_first_try_does_not_speak_for_all_steps(diary: Diary) -> None:
    phase, step = diary.step("provision-production")
    question = Question(Pass.REHEARSAL, now=diary.now)
    before = forecast(diary.plan, diary.journal, question).finish
    diary.attempt(phase, step, Pass.REHEARSAL, "rehearsal-1", 1.0, outcome="failed")
    number = diary.begin(phase, step, Pass.REHEARSAL, "rehearsal-1")
    diary.journal.end(number, "interrupted", 130)
    after = forecast(diary.plan, diary.journal, question).finish
    assert before is not None
    assert after is not None
    assert after.p50 - before.p50 < 2 * HOUR


def test_without_measures_the_looks_at_a_restore_do(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL, until="restore-backup")
    phase, step = diary.step("restore-backup")
    attempt = diary.begin(phase, step, Pass.REHEARSAL, "rehearsal-1")
    looks = [
        Segment("h", diary.now + 60 * place, "running", bytes=10**8 * place, bytes_total=10**10)
        for place in range(101)
    ]
    diary.journal.add(attempt, segments=looks)
    diary.now += 6600
    diary.journal.end(attempt, "done", 0)
    told = forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=diary.now))
    transfer = next(lane for lane in told.restore.lanes if lane.id == "transfer")
    assert transfer.basis.source is Source.HISTORY
    assert 5000 < transfer.seconds.p50 < 7500


def test_a_clock_that_jumps_spoils_nothing(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL, until="restore-backup")
    phase, step = diary.step("restore-backup")
    attempt = diary.begin(phase, step, Pass.REHEARSAL, "rehearsal-1")
    at = diary.now
    jumps = [0, 60, 120, -86400, -86340, 10 * 365 * 86400, 180, 240]
    looks = [
        Segment("h", at + jump, "running", bytes=10**8 * place, bytes_total=10**9)
        for place, jump in enumerate(jumps)
    ]
    torn = [Measure("h", "line", "", at, 0.0, 5), Measure("h", "table", "t", at - 1e9, 1.0, 0)]
    diary.journal.add(attempt, segments=looks, measures=torn)
    diary.now -= 5 * HOUR
    diary.journal.end(attempt, "done", 0)
    told = forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=diary.now))
    assert told.finish is not None
    assert told.finish.p95 - told.made < 60 * 86400
    for step_told in told.steps:
        assert step_told.seconds is None or ordered(step_told.seconds)


def test_a_torn_or_strange_frozen_forecast_is_left_out(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL)
    for content in ("", "{", "{}", '{"schema": 99}', "null"):
        diary.journal.freeze("rehearsal", "rehearsal-1", 0.0, content)
    assert forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=diary.now)).facts == ()


@pytest.mark.parametrize("size", [1, 10**15])
def test_any_size_can_be_asked_for(diary: Diary, size: int) -> None:
    diary.go(Pass.REHEARSAL)
    told = forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=diary.now, size=size))
    step = told.step("restore-backup")
    assert step is not None
    assert step.seconds is not None
    assert ordered(step.seconds)


@pytest.mark.parametrize(
    "strange",
    [
        Measure("h", "line", "", 0.0, 1e300, 1),
        Measure("h", "line", "", 0.0, 1.0, -(10**18)),
        Measure("h", "table", "b_x", 0.0, 1e300, 1),
        Measure("h", "unpack", "p", 1e300, 1.0, 1),
    ],
)
def test_no_measure_of_a_host_carries_a_forecast_away(diary: Diary, strange: Measure) -> None:
    diary.go(Pass.REHEARSAL)
    question = Question(Pass.FINAL, now=diary.now)
    sound = forecast(diary.plan, diary.journal, question)
    attempt = next(item.id for item in diary.journal.attempts() if item.step == "restore-backup")
    diary.journal.add(attempt, measures=[strange])
    told = forecast(diary.plan, diary.journal, question)
    assert told.model_dump_json(by_alias=True)
    assert told.finish is not None
    assert sound.finish is not None
    assert told.finish.p50 == pytest.approx(sound.finish.p50, rel=0.001)


def test_a_forecast_of_centuries_can_be_written(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL)
    told = forecast(diary.plan, diary.journal, Question(Pass.FINAL, size=10**20, now=diary.now))
    assert told.model_dump_json(by_alias=True)
