"""The journal: what is committed stays, also with a full disk and a killed runner."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import boxlift
from boxlift.journal import Journal, JournalError, JournalFullError, Measure, Result, Segment
from boxlift.journal.export import as_csv, as_dict, export, json_lines
from boxlift.runner.repairs import lost

RESULT = Result(
    play="p", role="r", task="t", host="h", started=1.0, ended=2.0, seconds=1.0, outcome="changed"
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state" / "journal.db", clock=Clock())


def begin(journal: Journal, step: str = "restore-backup", *, trial: bool = False) -> int:
    return journal.begin(
        run=1,
        pass_="rehearsal",
        phase="move",
        step=step,
        kind="playbook",
        release="rehearsal-1",
        trial=trial,
        log="l",
    )


def test_an_attempt_is_kept_with_its_records(journal: Journal) -> None:
    attempt = begin(journal)
    journal.add(attempt, [RESULT], [Segment(host="h", at=5.0, state="running", bytes=7, rate=1.5)])
    journal.end(attempt, "done", 0, changes=1, moved=7)
    (found,) = journal.attempts()
    assert (found.outcome, found.exit, found.changes, found.bytes, found.number) == ("done", 0, 1, 7, 1)
    assert found.seconds == 1.0
    assert journal.results(attempt) == [RESULT]
    assert journal.segments(attempt)[0].bytes == 7


def test_attempts_of_a_step_are_counted(journal: Journal) -> None:
    for _ in range(3):
        journal.end(begin(journal), "failed", 4, cause="c")
    assert [attempt.number for attempt in journal.attempts()] == [1, 2, 3]


def test_the_database_is_private_and_durable(journal: Journal) -> None:
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700
    assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_every_text_goes_through_the_redactor(journal: Journal) -> None:
    journal.redact = lambda text: text.replace("s3cret", "***")
    attempt = begin(journal)
    journal.add(attempt, [Result("s3cret", "s3cret", "s3cret", "h", 1, 2, 1, "failed", cause="s3cret")])
    journal.end(attempt, "failed", 4, cause="a s3cret b")
    journal.incident("rehearsal", "note", "s3cret")
    journal.verdict("rehearsal", "soak", "rehearsal-1", verdict="confirm", by="A", note="s3cret")
    journal.close()
    assert b"s3cret" not in journal.path.read_bytes()


def test_killed_at_any_moment_the_committed_rows_stay(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    program = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        from boxlift.journal import Journal, Result
        journal = Journal(Path(sys.argv[1]))
        attempt = journal.begin(run=1, pass_="rehearsal", phase="move", step="restore-backup",
                                kind="playbook", release="rehearsal-1", trial=False, log="l")
        for number in range(50):
            journal.add(attempt, [Result("p", "r", f"t{number}", "h", number, number + 1, 1.0, "ok")])
        journal._db.execute("BEGIN IMMEDIATE")
        journal._db.execute("UPDATE attempts SET outcome = 'done'")
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    source = str(Path(boxlift.__file__).parents[1])
    ended = subprocess.run(
        [sys.executable, "-c", program, str(path)], check=False, env={"PYTHONPATH": source}
    )
    assert ended.returncode == -9
    with Journal(path) as journal:
        (attempt,) = journal.attempts()
        assert attempt.outcome == "running"
        assert len(journal.results(attempt.id)) == 50
        (stale,) = journal.settle_interrupted()
        assert stale.step == "restore-backup"
        (attempt,) = journal.attempts()
        assert (attempt.outcome, attempt.exit) == ("interrupted", 130)
        assert [incident.kind for incident in journal.incidents()] == ["interruption"]
        assert journal.settle_interrupted() == []


def test_a_killed_runners_time_is_counted_to_the_last_look_at_the_restore(journal: Journal) -> None:
    attempt = begin(journal)
    journal.add(attempt, [RESULT], [Segment(host="h", at=1300.0, state="running", bytes=7)])
    journal.settle_interrupted()
    assert journal.attempts()[0].ended == 1300.0
    (incident,) = journal.incidents()
    assert (incident.cost, incident.at) == (1300.0 - journal.attempts()[0].started, 1300.0)


def test_a_repair_gets_its_cost_when_the_measures_come(journal: Journal) -> None:
    parts = [
        Measure("h", "part", "a.gz", 1.0, 10.0, 1000, repairs=0),
        Measure("h", "part", "a.gz.1", 1.0, 26.0, 2000, repairs=2),
        Measure("h", "part", "a.gz.11", 1.0, 5.0, 1000, repairs=1),
        Measure("h", "line", "", 1.0, 5.0, 1000),
    ]
    assert lost(parts) == {"a.gz.1": 3.0, "a.gz.11": 0.0}
    assert lost(parts[1:]) == {}
    for name in ("a.gz.1", "a.gz.1", "a.gz.11", "a.gz.2"):
        journal.incident("final", "repair", f"damaged; fetched again {name}", step="restore-backup")
    journal.incident("final", "note", "about a.gz.1", step="restore-backup")
    journal.price("final", "restore-backup", lost(parts))
    journal.price("final", "restore-backup", {"a.gz.1": 99.0})
    assert [found.cost for found in journal.incidents()] == [3.0, 3.0, 0.0, None, None]


def limit(journal: Journal, spare: int) -> None:
    """Let the database grow by no more than `spare` pages: what a full disk does to it."""
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages + spare}")


def test_a_full_disk_costs_no_committed_row(journal: Journal) -> None:
    attempt = begin(journal)
    journal.add(attempt, [RESULT])
    limit(journal, 1)
    with pytest.raises(JournalFullError, match="is full"):
        journal.add(attempt, [RESULT] * 5000)
    assert journal.results(attempt) == [RESULT]
    assert journal.attempts()[0].outcome == "running"


def test_the_reserve_is_given_up_to_write_the_end(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.hold_reserve()
    reserve = journal.path.with_suffix(".reserve")
    assert reserve.stat().st_size == 1 << 20
    attempt = begin(journal)
    limit(journal, 0)
    given_up = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        journal._db.execute("PRAGMA max_page_count = 1000000")
        given_up(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    journal.add(attempt, [RESULT] * 5000)
    assert len(journal.results(attempt)) == 5000
    assert not reserve.exists()


def test_no_space_for_the_reserve_is_told_before_work_starts(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(JournalFullError) as caught:
        journal.hold_reserve()
    assert caught.value.code == 3
    assert not journal.path.with_suffix(".reserve").exists()


def test_a_journal_of_a_newer_boxlift_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    sqlite3.connect(path).execute("PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="newer boxlift"):
        Journal(path)


def test_a_file_that_is_no_journal_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_text("this is no database, but long enough to be looked at" * 20)
    with pytest.raises(JournalError, match="cannot be used"):
        Journal(path)


SLICE = Measure("h", "line", "", 1000.5, 30.0, 24_000_000)
TABLE = Measure("h", "table", "b_crm_lead", 1010.0, 4.5, 900_000, rows=1200)


def test_measures_that_are_handed_over_twice_are_kept_once(journal: Journal) -> None:
    first, second = begin(journal), begin(journal)
    journal.add(first, measures=[SLICE, TABLE])
    # a slice that was cut short can begin in the same second as the next
    later = Measure("h", "line", "", 1000.5, 0.5, 21_000_000)
    journal.add(second, measures=[SLICE, TABLE, later])
    assert journal.measures(first) == [SLICE, TABLE]
    assert journal.measures(second) == [later]
    measured = [row for row in export(journal, details=True) if row.kind == "measure"]
    assert [(row.outcome, row.task, row.rate) for row in measured] == [
        ("line", None, 800_000.0),
        ("line", None, 42_000_000.0),
        ("table", "b_crm_lead", 200_000.0),
    ]


def test_frozen_forecasts_are_kept_in_their_order(journal: Journal) -> None:
    journal.freeze("rehearsal", "rehearsal-1", 5.0, "{}")
    journal.freeze("final", "final-1", 6.0, "{}")
    assert [(frozen.pass_, frozen.made) for frozen in journal.forecasts()] == [
        ("rehearsal", 5.0),
        ("final", 6.0),
    ]


def test_a_journal_of_an_older_boxlift_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(path) as made:
        attempt = begin(made)
        for table in ("measures", "forecasts"):
            made._db.execute(f"DROP TABLE {table}")
        made._db.execute("ALTER TABLE verdicts DROP COLUMN began")
        made._db.execute("PRAGMA user_version = 1")
    with Journal(path) as journal:
        journal.add(attempt, measures=[SLICE])
        assert [found.id for found in journal.attempts()] == [attempt]
        assert journal.measures(attempt) == [SLICE]


def older(path: Path) -> None:
    """A journal as the first boxlift with words of people left it."""
    with Journal(path) as made:
        made._db.execute("ALTER TABLE verdicts DROP COLUMN began")
        made._db.execute("PRAGMA user_version = 2")


def test_a_journal_that_cannot_be_brought_up_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    older(path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda place, **told: connect(place, **told | {"timeout": 0}))
    with pytest.raises(JournalError, match="database is locked") as caught:
        Journal(path)
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    holder.execute("ROLLBACK")
    Journal(path).close()


def test_a_full_disk_is_what_keeps_a_journal_from_being_brought_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    older(path)
    real = Journal._connect

    def full(journal: Journal) -> sqlite3.Connection:
        database = real(journal)
        database.execute("PRAGMA query_only = ON")
        return database

    monkeypatch.setattr(Journal, "_connect", full)
    monkeypatch.setattr(Journal, "_space", lambda _: 0)
    with pytest.raises(JournalFullError):
        Journal(path)


def test_two_first_commands_at_once_make_one_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.db"
    begin(Journal(path))
    real, seen = Journal._version, iter([0])
    monkeypatch.setattr(Journal, "_version", lambda journal: next(seen, real(journal)))
    assert len(Journal(path).attempts()) == 1


def test_words_of_an_older_boxlift_have_no_beginning(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(path) as made:
        made.verdict("final", "request-backup", "final-1", verdict="confirm", by="A", note=None)
    older(path)
    with Journal(path) as journal:
        journal.verdict(
            "final", "buy-certificate", "final-1", verdict="confirm", by="A", note=None, began=5.0
        )
        assert [verdict.began for verdict in journal.verdicts()] == [None, 5.0]
        first, second = export(journal, details=False)
    assert as_dict(first)["began"] is None or as_dict(second)["began"] is None
    assert "1970-01-01T00:00:05.000Z" in {as_dict(first)["began"], as_dict(second)["began"]}


def test_the_chosen_pass_is_remembered(journal: Journal) -> None:
    assert journal.chosen_pass() is None
    journal.choose("final")
    assert journal.chosen_pass() == "final"


def test_export_orders_all_records_by_time(journal: Journal) -> None:
    attempt = begin(journal)
    journal.add(attempt, [RESULT], [Segment(host="h", at=1002.5, state="running", bytes=7)])
    journal.incident("rehearsal", "note", "line, with comma", cost=60.0)
    journal.end(attempt, "done", 0)
    journal.verdict("rehearsal", "soak", "rehearsal-1", verdict="confirm", by="A", note=None)
    rows = export(journal, details=True)
    assert [row.kind for row in rows] == ["task", "attempt", "note", "segment", "verdict"]
    assert [row.kind for row in export(journal, details=False)] == ["attempt", "note", "verdict"]
    assert as_dict(rows[1])["at"] == "1970-01-01T00:16:41.000Z"
    assert '"line, with comma"' in as_csv(rows)
    assert all('"schema": 1' in line for line in json_lines(rows))
