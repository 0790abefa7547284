"""The story that this software exists for (migration_story): 10 hours the first time, 14 the second."""

from __future__ import annotations

from boxlift.forecast.forecast import Question, forecast
from boxlift.forecast.result import Forecast, Quantiles, Source
from boxlift.journal import Segment
from boxlift.plan import Pass
from boxlift.plan.state import State
from tests.unit.forecast.diary import GB, HOUR, Diary


def lane(told: Forecast, name: str) -> Quantiles:
    return next(lane.seconds for lane in told.restore.lanes if lane.id == name)


def test_the_first_download_contains_the_second(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL, hours=10)
    told = forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=diary.now))
    transfer = lane(told, "transfer")
    assert transfer.p10 < 10 * HOUR < transfer.p90
    assert 14 * HOUR < transfer.p95 < 24 * HOUR
    assert told.cut_over is not None
    assert told.cut_over.bound is not None
    assert (told.cut_over.bound.runs, told.cut_over.bound.chance) == (1, 0.5)
    assert any("prior" in note for note in told.notes)


def test_once_both_are_known_the_forecast_lies_between_and_beyond(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL, hours=10)
    once = lane(forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=diary.now)), "transfer")
    diary.journal.verdict("rehearsal", "request-backup", "rehearsal-1", verdict="confirm", by="A", note=None)
    diary.go(Pass.REHEARSAL, hours=14, release=2)
    told = forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=diary.now))
    transfer = lane(told, "transfer")
    assert 10.5 * HOUR < transfer.p50 < 13.5 * HOUR
    assert transfer.p50 > once.p50
    assert told.cut_over is not None
    assert told.cut_over.bound is not None
    assert told.cut_over.bound.chance == 2 / 3
    step = told.step("restore-backup")
    assert step is not None
    assert (step.basis.source, step.basis.runs) == (Source.MEASURED, 2)


def test_the_forecast_of_the_final_pass_is_compared_with_what_came(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL, hours=10)
    frozen = forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=diary.now, detail=False))
    diary.journal.freeze("final", "final-1", frozen.made, frozen.model_dump_json(by_alias=True))
    diary.go(Pass.FINAL, hours=14)
    told = forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=diary.now))
    assert told.complete
    assert told.finish is None
    facts = {fact.step: fact for fact in told.facts}
    assert facts["restore-backup"].took == 14 * HOUR + 900
    assert facts["restore-backup"].inside
    assert facts["cut-over"].frozen == frozen.made
    assert facts["cut-over"].inside
    assert "buy-certificate" not in facts
    frozen_coverage, replayed = told.coverage
    assert (frozen_coverage.method, replayed.method) == ("frozen", "replay")
    assert frozen_coverage.of == len(facts) - 1
    assert frozen_coverage.inside / frozen_coverage.of > 0.8
    assert replayed.of > 10
    assert replayed.pinball is not None


def test_the_live_rate_outweighs_the_rehearsal_the_more_has_come(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL, hours=10)
    diary.go(Pass.FINAL, until="restore-backup")
    phase, step = diary.step("restore-backup")
    attempt = diary.begin(phase, step, Pass.FINAL, "final-1")
    from_story = 30 * GB / (14 * HOUR)
    begun = diary.now
    widths, middles = [], []
    for share in (0.02, 0.3, 0.6, 0.9):
        fetched = int(30 * GB * share)
        diary.now = begun + fetched / from_story
        diary.journal.add(attempt, segments=looks(begun, diary.now, fetched))
        told = forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=diary.now), runner_alive=True)
        forecast_step = told.step("restore-backup")
        assert forecast_step is not None
        assert forecast_step.state is State.RUNNING
        assert forecast_step.basis.source is Source.LIVE
        transfer = lane(told, "transfer")
        widths.append(transfer.p90 - transfer.p10)
        middles.append(diary.now - begun + transfer.p50)
    assert widths == sorted(widths, reverse=True)
    assert abs(middles[-1] - 14 * HOUR) < 0.5 * HOUR
    assert abs(middles[-1] - 14 * HOUR) < abs(middles[0] - 14 * HOUR)


def test_a_first_restore_that_goes_on_is_no_guess_of_the_plan(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL, until="restore-backup")
    phase, step = diary.step("restore-backup")
    attempt = diary.begin(phase, step, Pass.REHEARSAL, "rehearsal-1")
    begun, diary.now = diary.now, diary.now + HOUR
    diary.journal.add(attempt, segments=looks(begun, diary.now, 3 * GB))
    told = forecast(diary.plan, diary.journal, Question(Pass.REHEARSAL, now=diary.now), runner_alive=True)
    assert not any("that step is the plan's guess" in note for note in told.notes)
    assert any("beside the transfer counts for nothing" in note for note in told.notes)


def looks(begun: float, now: float, fetched: int) -> list[Segment]:
    """A few looks at a transfer of even rate."""
    return [
        Segment(
            "portal-1",
            begun + (now - begun) * place / 10,
            "running",
            bytes=fetched * place // 10,
            bytes_total=30 * GB,
        )
        for place in range(11)
    ]
