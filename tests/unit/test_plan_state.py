"""Where a pass stands, from the plan and the journal."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from boxlift.errors import RefusedError, UsageError
from boxlift.journal import Journal, Segment
from boxlift.plan import Pass, default_plan
from boxlift.plan import verdict as saying
from boxlift.plan.standing import standing
from boxlift.plan.state import Position, State, position
from boxlift.plan.verdict import Word, speak

PLAN = default_plan()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db", clock=CLOCK)


def where(journal: Journal, pass_: Pass = Pass.REHEARSAL, *, alive: bool = False) -> Position:
    return position(PLAN, journal, pass_, runner_alive=alive)


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        self.now += 0.01
        return self.now


CLOCK = Clock()


def did(
    journal: Journal,
    step: str,
    outcome: str | None = "done",
    pass_: Pass = Pass.REHEARSAL,
    *,
    changes: int = 0,
    seconds: float = 0.0,
) -> None:
    """Write an attempt; None leaves it running."""
    attempt = journal.begin(
        run=1,
        pass_=pass_,
        phase=where(journal, pass_).of(step).phase.id,
        step=step,
        kind=PLAN.step(step).kind,
        release=where(journal, pass_).release,
        trial=False,
        log="",
    )
    if outcome is not None:
        done = outcome == "done"
        CLOCK.now += seconds - 0.01
        journal.end(attempt, outcome, 0 if done else 4, changes=changes, cause=None if done else "broke")


def say(journal: Journal, step: str, word: Word = Word.CONFIRM, pass_: Pass = Pass.REHEARSAL) -> str:
    return speak(PLAN, journal, pass_, step, word=word, by="Anna", note="n", runner_alive=False)


def go_through(journal: Journal, until: str, pass_: Pass = Pass.REHEARSAL) -> None:
    for item in where(journal, pass_).ahead:
        if item.step.kind == "confirm":
            say(journal, item.step.id, pass_=pass_)
        else:
            did(journal, item.step.id, pass_=pass_)
        if item.step.id == until:
            return


def test_at_first_only_persons_without_needs_can_act(journal: Journal) -> None:
    now = where(journal)
    waiting = [item.step.id for item in now.steps if item.state is State.WAITING]
    assert waiting == ["buy-certificate", "request-backup"]
    assert now.of("open-portal").state is State.SKIPPED
    assert now.ahead[0].step.id == "provision-production"
    assert now.release == "rehearsal-1"


def test_the_last_attempt_decides(journal: Journal) -> None:
    did(journal, "provision-production", "failed")
    assert where(journal).of("provision-production").state is State.FAILED
    assert where(journal).of("provision-production").cause == "broke"
    did(journal, "provision-production")
    assert where(journal).of("provision-production").state is State.DONE
    assert where(journal).of("provision-production").attempts == 2


def test_running_counts_only_while_a_runner_lives(journal: Journal) -> None:
    did(journal, "provision-production", None)
    assert where(journal, alive=True).of("provision-production").state is State.RUNNING
    assert where(journal, alive=False).of("provision-production").state is State.FAILED


def test_check_mode_does_no_step(journal: Journal) -> None:
    attempt = journal.begin(
        run=1, pass_="rehearsal", phase="prepare", step="provision-production", kind="playbook",
        release="rehearsal-1", trial=True, log="",
    )  # fmt: skip
    journal.end(attempt, "done", 0)
    assert where(journal).of("provision-production").state is State.TODO


def test_the_final_pass_begins_at_request_backup(journal: Journal) -> None:
    go_through(journal, "build-staging")
    final = where(journal, Pass.FINAL)
    assert final.ahead[0].step.id == "request-backup"
    assert final.of("install-portal").state is State.DONE


def test_what_the_move_did_in_the_rehearsal_does_not_stand_for_the_final(journal: Journal) -> None:
    go_through(journal, "repair-portal")
    assert where(journal).of("repair-portal").state is State.DONE
    assert where(journal, Pass.FINAL).of("repair-portal").state is State.TODO


def test_the_rehearsals_duration_is_the_finals_estimate(journal: Journal) -> None:
    go_through(journal, "restore-backup")
    measured = where(journal).of("restore-backup").seconds
    assert where(journal, Pass.FINAL).of("restore-backup").estimate == measured
    assert where(journal).of("restore-backup").estimate == 14 * 3600


def test_a_failed_restore_goes_on_with_its_release(journal: Journal) -> None:
    go_through(journal, "inform-users")
    did(journal, "restore-backup", "failed")
    did(journal, "restore-backup")
    assert where(journal).release == "rehearsal-1"


def test_a_new_backup_starts_the_next_release(journal: Journal) -> None:
    go_through(journal, "repair-portal")
    say(journal, "request-backup", Word.REOPEN)
    assert where(journal).of("restore-backup").state is State.DONE
    say(journal, "request-backup")
    now = where(journal)
    assert now.release == "rehearsal-2"
    assert now.of("restore-backup").state is State.TODO
    assert now.of("inform-users").state is State.WAITING
    assert now.of("install-portal").state is State.DONE
    assert where(journal, Pass.FINAL).release == "final-1"


def test_a_refusal_stops_what_needs_it(journal: Journal) -> None:
    go_through(journal, "connect-telephony")
    say(journal, "check-telephony", Word.REFUSE)
    now = where(journal)
    assert now.of("check-telephony").state is State.FAILED
    assert now.of("check-telephony").cause == "refused by Anna: n"
    assert now.of("check-business").missing == ("check-telephony",)
    say(journal, "check-telephony")
    assert where(journal).of("check-telephony").state is State.DONE


def test_words_that_make_no_sense_are_refused(journal: Journal) -> None:
    with pytest.raises(UsageError, match="done by a machine"):
        say(journal, "provision-production")
    with pytest.raises(RefusedError, match="needs steps that are not done: request-backup"):
        say(journal, "inform-users")
    with pytest.raises(RefusedError, match="no step of the rehearsal"):
        say(journal, "go-no-go")
    with pytest.raises(UsageError, match="nothing was said"):
        say(journal, "request-backup", Word.REOPEN)
    say(journal, "request-backup")
    with pytest.raises(UsageError, match="confirmed already"):
        say(journal, "request-backup")


def test_reopening_makes_doubtful_what_came_after(journal: Journal) -> None:
    go_through(journal, "switch-names", Pass.FINAL)
    told = say(journal, "check-business", Word.REOPEN, Pass.FINAL)
    after = (
        "go-no-go, stop-cloud-sales, transfer-delta, delete-test-data, declare-healthy, backup-production,"
        " switch-names"
    )
    assert told == f"check-business is open again; doubtful now, do or confirm them again: {after}"
    now = where(journal, Pass.FINAL)
    assert now.of("switch-names").state is State.DONE
    assert now.of("switch-names").doubt == "check-business is not done any more"
    # what only rests on doubtful steps may not be done, how many done ones stand between
    assert now.of("open-portal").missing == ("check-business",)
    assert standing(now, journal).doubtful == tuple(after.split(", "))
    say(journal, "check-business", pass_=Pass.FINAL)
    now = where(journal, Pass.FINAL)
    assert now.of("go-no-go").doubt == "check-business was done again after it"
    assert now.of("switch-names").doubt == now.of("go-no-go").doubt
    assert now.of("open-portal").missing == ()
    say(journal, "go-no-go", Word.REOPEN, Pass.FINAL)
    say(journal, "go-no-go", pass_=Pass.FINAL)
    assert where(journal, Pass.FINAL).of("go-no-go").doubt is None


def test_what_is_changed_after_it_was_tested_makes_the_test_doubtful(journal: Journal) -> None:
    go_through(journal, "check-business")
    did(journal, "repair-portal")
    assert not where(journal).doubtful
    did(journal, "repair-portal", changes=1)
    doubtful = [item.step.id for item in where(journal).doubtful]
    assert doubtful == [
        "configure-telephony-server",
        "connect-telephony",
        "check-telephony",
        "check-business",
    ]
    did(journal, "deploy-certificate", changes=1)
    assert [item.step.id for item in where(journal).doubtful][:2] == ["check-portal", doubtful[0]]


def test_an_estimate_is_the_whole_time_of_a_step_with_its_failed_attempts(journal: Journal) -> None:
    go_through(journal, "inform-users")
    did(journal, "restore-backup", "interrupted", seconds=40.0)
    did(journal, "restore-backup", seconds=10.0)
    assert where(journal).of("restore-backup").seconds == pytest.approx(50.0)
    did(journal, "restore-backup", seconds=1.0)
    assert where(journal).of("restore-backup").seconds == pytest.approx(1.0)
    expected = where(journal, Pass.FINAL).of("restore-backup").expected
    assert (expected.seconds, expected.samples) == (50.0, 1)
    assert expected.confidence == "measured once, the next is below that with 50 %"
    say(journal, "request-backup", Word.REOPEN)
    say(journal, "request-backup")
    did(journal, "restore-backup", seconds=70.0)
    expected = where(journal, Pass.FINAL).of("restore-backup").expected
    assert expected.confidence == "50 s to 1 min 10 s in 2 runs, the next is below the worst with 67 %"
    assert where(journal, Pass.FINAL).of("soak").expected.confidence == "as the plan guesses"


def test_status_in_five_lines(journal: Journal) -> None:
    go_through(journal, "request-backup")
    did(journal, "restore-backup", "failed")
    told = standing(where(journal), journal)
    assert told.where == "rehearsal, release rehearsal-1: 8 of 19 steps done; restore-backup failed: broke"
    assert told.next.endswith("boxlift confirm inform-users --by NAME")
    assert told.who == "client: inform-users"
    assert "if every step takes its estimate" in told.done
    assert told.back == "the cloud still serves everybody, and nothing here replaces it yet"


def test_status_after_everything(journal: Journal) -> None:
    go_through(journal, "refresh-staging")
    told = standing(where(journal), journal)
    assert (told.next_step, told.who, told.done) == (None, "nobody", "the rehearsal is complete")
    go_through(journal, "open-portal", Pass.FINAL)
    assert "cannot be taken back" in standing(where(journal, Pass.FINAL), journal).back


def test_status_while_a_restore_runs_takes_its_own_rate(journal: Journal) -> None:
    go_through(journal, "inform-users")
    did(journal, "restore-backup", None)
    attempt = journal.attempts()[-1].id
    journal.add(
        attempt, [], [Segment(host="h", at=1.0, state="running", bytes=400, bytes_total=1000, rate=2.0)]
    )
    told = standing(where(journal, alive=True), journal)
    assert "restore-backup runs since" in told.where
    assert told.where.endswith("40 % fetched")
    assert told.next.startswith("restore-backup ends")
    after = sum(item.estimate or 0 for item in where(journal, alive=True).ahead[1:])
    assert told.seconds_left == after + 300


def test_nobody_knows_how_long_a_word_took_that_waited_for_nothing(journal: Journal) -> None:
    say(journal, "buy-certificate")
    said = where(journal).of("buy-certificate")
    assert said.state is State.DONE
    assert said.seconds is None
    assert said.started == said.ended


def test_two_who_confirm_at_once_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.db"
    Journal(path).close()
    both_have_looked = threading.Barrier(2)

    def slowly(*found: Any, **more: Any) -> Position:
        here = position(*found, **more)
        with suppress(threading.BrokenBarrierError):
            both_have_looked.wait(timeout=0.5)
        return here

    monkeypatch.setattr(saying, "position", slowly)

    def say() -> str:
        with Journal(path) as own:
            try:
                return saying.speak(
                    PLAN,
                    own,
                    Pass.REHEARSAL,
                    "request-backup",
                    word=Word.CONFIRM,
                    by="Anna",
                    note=None,
                    runner_alive=False,
                )
            except UsageError as error:
                return error.message

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(one.result() for one in [pool.submit(say), pool.submit(say)])
    with Journal(path) as journal:
        assert len(journal.verdicts()) == 1
    assert answers[0] == "`request-backup` is confirmed already"


def test_a_word_that_is_not_allowed_leaves_nothing_behind(journal: Journal) -> None:
    with pytest.raises(RefusedError):
        speak(
            PLAN,
            journal,
            Pass.REHEARSAL,
            "check-business",
            word=Word.CONFIRM,
            by="Anna",
            note=None,
            runner_alive=False,
        )
    journal.choose("final")
    assert journal.verdicts() == []
