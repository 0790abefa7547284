"""Leads in the gap, the best start, the latest hour."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from boxlift.forecast.arrivals import HOURS, ArrivalPattern, Pattern, Taken, Week
from boxlift.forecast.forecast import Question, forecast
from boxlift.forecast.gap import Rates, hour_of_week, rates
from boxlift.forecast.result import Forecast
from boxlift.plan import Pass
from tests.unit.forecast.diary import HOUR, Diary

pytestmark = pytest.mark.slow

MONDAY = datetime(2026, 11, 23, tzinfo=UTC).timestamp()


def office(per_hour: int = 60, weeks: float = 12.0) -> Pattern:
    """Leads from Monday to Friday, 9 to 18."""
    hours = [per_hour * (hour // 24 < 5 and 9 <= hour % 24 < 18) for hour in range(HOURS)]
    weekly = tuple(Week(week=f"2026-{week:02}", count=225) for week in range(20, 46))
    return Pattern(hours=tuple(hours), weeks=weeks, first=None, last=None, weekly=weekly)


def pattern(release: str = "rehearsal-1", began: str | None = None) -> ArrivalPattern:
    return ArrivalPattern(
        release=release,
        timezone="Europe/Moscow",
        backup=Taken(began=began, ended=None, zone=None),
        kinds={"leads": office()},
    )


def found(one: Pattern) -> Rates:
    rated = rates(one)
    assert rated is not None
    return rated


def asked(diary: Diary, *, now: float, deadline: float | None = None) -> Forecast:
    return forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=now, deadline=deadline), pattern())


def test_expected_arrivals_follow_the_hours_of_the_week() -> None:
    rated = found(office())
    week = rated.expected(0.0, np.array([7 * 24 * HOUR]))[0]
    assert week == pytest.approx(rated.weekly)
    assert rated.weekly == pytest.approx(225, rel=0.01)
    morning = rated.expected(9.0, np.array([HOUR]))[0]
    weekend = rated.expected(5 * 24.0, np.array([48 * HOUR]))[0]
    assert morning == pytest.approx(5, rel=0.01)
    assert weekend < 0.1
    over_the_end = rated.expected(HOURS - 1.0, np.array([11 * HOUR]))[0]
    assert over_the_end == pytest.approx(morning, rel=0.02)


def test_counts_scatter_more_than_poisson_where_weeks_differ() -> None:
    even = found(office())
    uneven = office().model_copy(
        update={
            "weekly": tuple(
                Week(week=f"2026-{week:02}", count=100 + 300 * (week % 2)) for week in range(20, 46)
            )
        }
    )
    expected = np.full(20000, 200.0)
    random = np.random.default_rng(1)
    assert found(uneven).drawn(expected, random).std() > 2 * even.drawn(expected, random).std()
    assert even.drawn(expected, random).std() > 14


def test_the_interval_covers_the_arrivals_of_an_even_world() -> None:
    rated = found(office())
    expected = np.full(4000, 100.0)
    low, high = np.quantile(rated.drawn(expected, np.random.default_rng(1)), (0.1, 0.9))
    came = np.random.default_rng(2).poisson(100.0, 4000)
    assert np.mean((came >= low) & (came <= high)) >= 0.8


@pytest.mark.parametrize(
    "weekly", [(), (Week(week="2026-01", count=5),), (Week(week="2026-53", count=0),) * 3]
)
def test_few_weeks_fall_back_on_a_prior(weekly: tuple[Week, ...]) -> None:
    rated = found(office().model_copy(update={"weekly": weekly}))
    assert 0.03 < rated.dispersion < 0.06


def test_nothing_counted_is_nothing_told() -> None:
    assert rates(office(per_hour=0)) is None
    assert rates(office(weeks=0.0)) is None


def test_hours_of_the_week_begin_on_monday() -> None:
    assert hour_of_week(datetime(2026, 11, 23, 0, 30, tzinfo=UTC)) == 0.5
    assert hour_of_week(datetime(2026, 11, 29, 23, 0, tzinfo=UTC)) == HOURS - 1


def test_a_start_before_the_weekend_loses_least(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL)
    told = asked(diary, now=MONDAY)
    assert told.gap is not None
    assert told.starts is not None
    (leads,) = told.gap.arrivals
    assert leads.p10 <= leads.expected <= leads.p90 <= leads.p95
    assert 0 <= leads.uncovered <= leads.expected
    assert len(told.starts.hours) == 14 * 24
    best, worst = told.starts.best[0], told.starts.worst
    assert best.local.startswith(("Thu", "Fri", "Sat"))
    assert worst.expected > 2 * best.expected
    assert len({start.local[:14] for start in told.starts.best}) == len(told.starts.best)
    assert best.expected == min(start.expected for start in told.starts.hours)


def test_a_deadline_rules_out_late_starts(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL)
    told = asked(diary, now=MONDAY, deadline=MONDAY + 6 * 86400)
    assert told.decision is not None
    assert told.decision.latest_start is not None
    assert told.decision.latest_go is not None
    assert told.decision.latest_start < told.decision.latest_go < told.decision.deadline
    assert told.starts is not None
    assert all(start.at <= told.decision.latest_start for start in told.starts.best)
    assert told.decision.chance > 0.9


def test_the_chance_counts_what_comes_before_the_cut_over(diary: Diary) -> None:
    told = forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=MONDAY))
    assert told.cut_over is not None
    assert told.cut_over.ends.p80 > MONDAY + told.cut_over.seconds.p80 + HOUR
    question = Question(Pass.FINAL, now=MONDAY, deadline=told.cut_over.ends.p80)
    decided = forecast(diary.plan, diary.journal, question).decision
    assert decided is not None
    assert decided.chance == pytest.approx(0.8, abs=0.01)


def test_a_deadline_that_has_passed_is_told(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL)
    told = asked(diary, now=MONDAY, deadline=MONDAY - HOUR)
    assert told.decision is not None
    assert told.decision.chance == 0.0
    assert "fewer than 1 of 100" in told.decision.text
    assert "has passed" in told.decision.text


def test_once_the_backup_is_there_the_gap_runs_from_it(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL)
    diary.go(Pass.FINAL, until="restore-backup")
    ordered = diary.now
    told = asked(diary, now=ordered + 5 * HOUR)
    assert told.starts is None
    assert told.gap is not None
    assert told.gap.begun
    assert told.gap.begins < ordered
    assert told.gap.text.endswith("so these are lower figures")
    assert told.gap.seconds.p10 > 5 * HOUR
    assert told.decision is None


def test_the_gap_of_an_ordered_backup_waits_for_all_that_is_left(diary: Diary) -> None:
    diary.journal.verdict("final", "request-backup", "final-1", verdict="confirm", by="A", note=None)
    told = forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=diary.now))
    sales = told.step("start-box-sales")
    assert told.gap is not None
    assert sales is not None
    assert sales.ends is not None
    assert told.gap.seconds.p50 == pytest.approx(sales.ends.p50 - diary.now)


def test_the_gap_begins_with_the_dump_where_that_is_known(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL)
    diary.go(Pass.FINAL, until="activate-release")
    dumped = datetime.fromtimestamp(diary.now - 40 * HOUR, UTC)
    arrivals = pattern("final-1", f"{dumped:%Y-%m-%d %H:%M:%S}").model_copy(
        update={"backup": Taken(began=f"{dumped:%Y-%m-%d %H:%M:%S}", ended=None, zone="UTC")}
    )
    told = forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=diary.now), arrivals)
    assert told.gap is not None
    assert told.gap.begins == dumped.timestamp()


def test_a_finished_move_has_a_gap_of_fact(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL)
    diary.go(Pass.FINAL, until="watch-portal")
    told = asked(diary, now=diary.now + HOUR)
    assert told.gap is not None
    assert told.gap.seconds.p10 == told.gap.seconds.p95
    assert told.cut_over is None


def test_without_a_count_there_is_a_gap_and_no_leads(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL)
    told = forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=diary.now))
    assert told.gap is not None
    assert told.gap.arrivals == ()
    assert any("counted" in note for note in told.notes)
