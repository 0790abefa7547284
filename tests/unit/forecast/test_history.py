"""What is read out of a journal, and how steps are laid along their needs."""

from __future__ import annotations

import numpy as np
import pytest

from boxlift.forecast.forecast import Question, forecast
from boxlift.forecast.history import Run, read_history
from boxlift.forecast.path import critical, ends, latest
from boxlift.forecast.result import Source
from boxlift.journal import Measure
from boxlift.plan import Pass
from tests.unit.forecast.diary import GB, HOUR, Diary


def runs(diary: Diary) -> list[Run]:
    return list(read_history(diary.plan, diary.journal).runs)


def test_a_rehearsal_is_a_run_with_its_times(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL)
    (run,) = runs(diary)
    assert run.seconds["activate-release"] == 120
    assert run.seconds["check-business"] == 4 * HOUR
    assert run.seconds["restore-backup"] == 10 * HOUR + 900
    assert "request-backup" not in run.seconds, "nobody knows when it was begun"
    restored = run.restored
    assert restored is not None
    assert restored.total == 30 * GB
    assert restored.transfer == 10 * HOUR
    assert (restored.parts, restored.repairs, len(restored.tables)) == (30, 1, 58)
    assert restored.load_after == pytest.approx(0.1)
    assert restored.rest == pytest.approx(900)


def test_a_persons_time_begins_when_the_step_could(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL, until="check-telephony")
    diary.now += 5 * HOUR
    diary.journal.verdict("rehearsal", "check-telephony", "rehearsal-1", verdict="refuse", by="A", note=None)
    diary.now += HOUR
    diary.journal.verdict("rehearsal", "check-telephony", "rehearsal-1", verdict="confirm", by="A", note=None)
    (run,) = runs(diary)
    assert run.seconds["check-telephony"] == 6 * HOUR


def test_a_person_may_say_when_a_step_began(diary: Diary) -> None:
    ordered = diary.now
    diary.now += 30 * HOUR
    diary.journal.verdict(
        "rehearsal", "request-backup", "rehearsal-1", verdict="confirm", by="A", note=None, began=ordered
    )
    (run,) = runs(diary)
    assert run.seconds["request-backup"] == 30 * HOUR
    assert run.elapsed["request-backup"] == 30 * HOUR
    diary.go(Pass.FINAL, until="provision-production")
    told = forecast(diary.plan, diary.journal, Question(Pass.FINAL, now=diary.now)).step("request-backup")
    assert told is not None
    assert told.basis.source is Source.HISTORY


def test_a_restore_that_was_killed_counts_whole_and_its_measures_once(diary: Diary) -> None:
    diary.go(Pass.REHEARSAL, until="restore-backup")
    phase, step = diary.step("restore-backup")
    began = diary.now
    slices = [Measure("h", "line", "", began + 30 * place, 30.0, 10**7) for place in range(100)]
    first = diary.begin(phase, step, Pass.REHEARSAL, "rehearsal-1")
    diary.journal.add(first, measures=slices[:50])
    diary.now += 1500
    diary.journal.end(first, "interrupted", 130)
    diary.now += HOUR
    second = diary.begin(phase, step, Pass.REHEARSAL, "rehearsal-1")
    diary.journal.add(second, measures=slices)
    diary.now += 1700
    diary.journal.end(second, "done", 0)
    (run,) = runs(diary)
    assert run.restored is not None
    assert run.restored.arrived == 10**9
    assert run.seconds["restore-backup"] == 3200
    assert run.elapsed["restore-backup"] == 3200 + HOUR
    assert (run.tries["restore-backup"], run.failures["restore-backup"]) == (1, 0), "killed is not failed"
    assert run.reactions == ()


def test_check_mode_is_no_history(diary: Diary) -> None:
    phase, step = diary.step("provision-production")
    number = diary.journal.begin(
        run=1,
        pass_="rehearsal",
        phase=phase.id,
        step=step.id,
        kind="playbook",
        release="rehearsal-1",
        trial=True,
        log="l",
    )
    diary.now += 5
    diary.journal.end(number, "done", 0)
    assert runs(diary) == []


NEEDS = {"a": [], "b": [], "c": ["a", "b"], "d": ["a"], "gone": []}
SECONDS = {"a": [10.0, 10.0], "b": [5.0, 30.0], "c": [10.0, 10.0], "d": [1.0, 50.0]}


def test_what_runs_side_by_side_counts_once() -> None:
    seconds = {name: np.array(values) for name, values in SECONDS.items()}
    found = ends(list(seconds), NEEDS, seconds)
    assert {name: list(values) for name, values in found.items()} == {
        "a": [10, 10],
        "b": [5, 30],
        "c": [20, 40],
        "d": [11, 60],
    }
    assert list(latest(found, ["c", "d"])) == [20, 60]
    shares = critical(list(seconds), NEEDS, found, ["c", "d"])
    assert shares == {"a": 1.0, "b": 0.0, "c": 0.5, "d": 0.5}


def test_needs_that_are_done_hold_nothing_up() -> None:
    found = ends(["c"], NEEDS, {"c": np.array([7.0])})
    assert list(found["c"]) == [7.0]
