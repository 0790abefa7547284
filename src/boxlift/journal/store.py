"""The journal's database: SQLite in WAL mode with synchronous FULL.

Committed rows survive kill -9 and a power cut. A full disk costs no row that was committed: a small reserve
file beside the database is given up first so that a run's end can still be written.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from boxlift.errors import BoxliftError, ExitCode
from boxlift.journal.records import Attempt, Frozen, Incident, Measure, Result, Segment, Verdict
from boxlift.redact import Redactor

_SCHEMAS = ("schema.sql", "schema_2.sql", "schema_3.sql")
"""What brings the database from one version to the next."""
SCHEMA_VERSION = len(_SCHEMAS)
_RESERVE_BYTES = 1 << 20
_LEAST_SPACE = 1 << 18
"""Bytes: with less a failure of the disk is taken for a full disk."""
_PRIMARY_CODE = 0xFF
_OF_THE_DISK = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})
_T = TypeVar("_T")
_INSERT_RESULT = (
    "INSERT INTO results (attempt, play, role, task, host, started, ended, seconds, outcome, tries, cause)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_SEGMENT = (
    "INSERT INTO segments (attempt, host, at, state, bytes, bytes_total, rate, parts, parts_total, files,"
    " tables, tables_total, rows) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_MEASURE = (
    "INSERT OR IGNORE INTO measures (attempt, host, kind, name, started, seconds, bytes, rows, repairs)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class JournalError(BoxliftError):
    """The journal can't be read or written."""

    code = ExitCode.OUR_FAULT


class JournalFullError(JournalError):
    """No space is left for the journal, even after its reserve was given up."""

    code = ExitCode.PREFLIGHT


class Journal:
    """All that happened in a project. Every text goes through `redact` before it is written.

    At first that hides signatures and logins in links; a run adds the secrets that it knows.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.redact: Callable[[str], str] = Redactor()
        self._clock = clock
        self._reserve = path.with_suffix(".reserve")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.close(descriptor)
        try:
            self._db = self._connect()
        except sqlite3.Error as error:
            failure = self._failure(error)
            if not isinstance(failure, JournalFullError) or self._in_use():
                raise failure from error
            self._db = sqlite3.connect(f"file:{quote(str(path))}?immutable=1", uri=True, isolation_level=None)
        self._migrate()

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=20, isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA foreign_keys = ON")
        # the first read is what makes the files beside the database
        database.execute("PRAGMA user_version").fetchone()
        return database

    def _in_use(self) -> bool:
        """Whether rows wait beside the database; without them it can be read on a full disk as it is."""
        wal = self.path.with_name(f"{self.path.name}-wal")
        return wal.exists() and wal.stat().st_size > 0

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _migrate(self) -> None:
        version = self._version()
        if version > SCHEMA_VERSION:
            raise JournalError(
                f"{self.path} was written by a newer boxlift (schema {version}, not {SCHEMA_VERSION})",
                cure="install that boxlift again",
            )
        if version == SCHEMA_VERSION:
            return
        for number, name in enumerate(_SCHEMAS[version:], version + 1):
            schema = (resources.files("boxlift.journal") / name).read_text(encoding="utf-8")
            try:
                self._db.executescript(
                    f"BEGIN IMMEDIATE;\n{schema}\nPRAGMA user_version = {number};\nCOMMIT;"
                )
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                # two first commands at once: the second finds the tables made
                if self._version() < number:
                    raise self._failure(error) from error

    def _version(self) -> int:
        return int(self._rows("PRAGMA user_version")[0][0])

    # writing

    def hold_reserve(self) -> None:
        """Set the reserve aside; JournalFullError if even that does not fit."""
        if self._reserve.exists() and self._reserve.stat().st_size == _RESERVE_BYTES:
            return
        try:
            descriptor = os.open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, _RESERVE_BYTES)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._reserve.unlink(missing_ok=True)
            raise self._full() from error

    def _space(self) -> int:
        """Bytes free for this user on the journal's disk."""
        disk = os.statvfs(self.path.parent)
        return disk.f_bavail * disk.f_frsize

    def _full(self) -> JournalFullError:
        return JournalFullError(
            f"the disk of {self.path.parent} is full: the journal cannot be written",
            cure=f"free at least {_RESERVE_BYTES >> 20} MiB there, then run the command again",
        )

    def _failure(self, error: sqlite3.Error) -> JournalError:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
        if code == sqlite3.SQLITE_FULL or (code in _OF_THE_DISK and self._space() < _LEAST_SPACE):
            return self._full()
        return JournalError(f"the journal {self.path} cannot be used: {error}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Rows written inside are kept together or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def together(self, work: Callable[[], _T]) -> _T:
        """Read and write in one transaction: nobody writes in between, and all of it is kept or nothing.

        `work` may be done twice, and keeps nothing where it raises.
        """
        return self._write(work)

    def _write(self, work: Callable[[], _T]) -> _T:
        """Run one transaction; on a full disk give up the reserve and try once more.

        Within a transaction it is a part of that.
        """
        if self._db.in_transaction:
            return work()
        try:
            with self.transaction():
                return work()
        except sqlite3.OperationalError as error:
            if not isinstance(self._failure(error), JournalFullError) or not self._reserve.exists():
                raise self._failure(error) from error
        self._reserve.unlink(missing_ok=True)
        try:
            with self.transaction():
                return work()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _clean(self, text: str | None) -> str | None:
        return None if text is None else self.redact(text)

    def begin(
        self, *, run: int, pass_: str, phase: str, step: str, kind: str, release: str, trial: bool, log: str
    ) -> int:
        """Write that an attempt starts; gives its id."""

        def work() -> int:
            number = self._db.execute(
                "SELECT COUNT(*) + 1 FROM attempts WHERE pass = ? AND step = ?", (pass_, step)
            ).fetchone()[0]
            cursor = self._db.execute(
                "INSERT INTO attempts (run, pass, phase, step, kind, release, number, trial, started, log)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (run, pass_, phase, step, kind, release, number, int(trial), self._clock(), log),
            )
            return int(cursor.lastrowid or 0)

        return self._write(work)

    def end(
        self,
        attempt: int,
        outcome: str,
        code: int,
        *,
        changes: int = 0,
        moved: int | None = None,
        cause: str | None = None,
    ) -> None:
        """Write how an attempt ended. `moved` is the bytes it transferred."""
        self._write(
            lambda: self._db.execute(
                "UPDATE attempts SET ended = ?, outcome = ?, exit = ?, changes = ?, bytes = ?, cause = ?"
                " WHERE id = ?",
                (self._clock(), outcome, code, changes, moved, self._clean(cause), attempt),
            )
        )

    def add(
        self,
        attempt: int,
        results: Iterable[Result] = (),
        segments: Iterable[Segment] = (),
        measures: Iterable[Measure] = (),
    ) -> None:
        """Write results, segments and measures of one attempt in one transaction.

        A measure that was written before, by whichever attempt, stays as it was.
        """

        def work() -> None:
            for result in results:
                self._insert(_INSERT_RESULT, attempt, result)
            for segment in segments:
                self._insert(_INSERT_SEGMENT, attempt, segment)
            for measure in measures:
                self._insert(_INSERT_MEASURE, attempt, measure)

        self._write(work)

    def freeze(self, pass_: str, release: str, made: float, content: str) -> None:
        """Keep a forecast as it was made."""
        self._write(
            lambda: self._db.execute(
                "INSERT INTO forecasts (pass, release, made, content) VALUES (?, ?, ?, ?)",
                (pass_, release, made, self.redact(content)),
            )
        )

    def _insert(self, query: str, attempt: int, record: Result | Segment | Measure) -> None:
        values = [self._clean(value) if isinstance(value, str) else value for value in astuple(record)]
        self._db.execute(query, [attempt, *values])

    def now(self) -> float:
        """Seconds since 1970 UTC, by the clock that the journal's records have their times from."""
        return self._clock()

    def verdict(
        self,
        pass_: str,
        step: str,
        release: str,
        *,
        verdict: str,
        by: str,
        note: str | None,
        began: float | None = None,
    ) -> None:
        """Write a person's word. `began`: when the step began (seconds since 1970 UTC), if that is known."""
        self._write(
            lambda: self._db.execute(
                "INSERT INTO verdicts (pass, step, release, verdict, by, note, at, began)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (pass_, step, release, verdict, self.redact(by), self._clean(note), self._clock(), began),
            )
        )

    def incident(
        self,
        pass_: str,
        kind: str,
        text: str,
        *,
        step: str | None = None,
        attempt: int | None = None,
        host: str | None = None,
        cost: float | None = None,
        at: float | None = None,
    ) -> None:
        self._write(
            lambda: self._db.execute(
                "INSERT INTO incidents (at, pass, step, attempt, host, kind, text, cost)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    at if at is not None else self._clock(),
                    pass_,
                    step,
                    attempt,
                    host,
                    kind,
                    self.redact(text),
                    cost,
                ),
            )
        )

    def price(self, pass_: str, step: str, costs: Mapping[str, float]) -> None:
        """Say what repairs cost whose text ends with the name of a part; what has its cost keeps it."""

        def work() -> None:
            for part, cost in costs.items():
                self._db.execute(
                    "UPDATE incidents SET cost = ?1 WHERE kind = 'repair' AND pass = ?2 AND step = ?3"
                    " AND cost IS NULL AND substr(text, -length(?4)) = ?4",
                    (cost, pass_, step, self.redact(part)),
                )

        self._write(work)

    def choose(self, pass_: str) -> None:
        """Remember the pass that commands work on when none is named."""
        if self.chosen_pass() != pass_:
            self._write(
                lambda: self._db.execute(
                    "INSERT INTO choices (pass, at) VALUES (?, ?)", (pass_, self._clock())
                )
            )

    def settle_interrupted(self) -> list[Attempt]:
        """Mark attempts whose runner is gone; call only while holding the project's lock."""
        stale = [attempt for attempt in self.attempts() if attempt.outcome == "running"]
        for attempt in stale:
            last = self._rows(
                "SELECT MAX(at) FROM (SELECT MAX(ended) AS at FROM results WHERE attempt = ?1"
                " UNION SELECT MAX(at) FROM segments WHERE attempt = ?1)",
                (attempt.id,),
            )[0][0]
            ended = max(attempt.started, last or attempt.started)

            def work(attempt: Attempt = attempt, ended: float = ended) -> None:
                self._db.execute(
                    "UPDATE attempts SET outcome = 'interrupted', ended = ?, exit = 130,"
                    " cause = 'the runner was ended' WHERE id = ?",
                    (ended, attempt.id),
                )

            self._write(work)
            self.incident(
                attempt.pass_,
                "interruption",
                "the runner was ended",
                step=attempt.step,
                attempt=attempt.id,
                cost=ended - attempt.started,
                at=ended,
            )
        return stale

    # reading

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def chosen_pass(self) -> str | None:
        rows = self._rows("SELECT pass FROM choices ORDER BY id DESC LIMIT 1")
        return str(rows[0][0]) if rows else None

    def attempts(self) -> list[Attempt]:
        """All attempts, oldest first."""
        rows = self._rows(
            "SELECT id, run, pass, phase, step, kind, release, number, trial, started, ended, outcome, exit,"
            " changes, bytes, cause, log FROM attempts ORDER BY id"
        )
        return [Attempt(*(*row[:8], bool(row[8]), *row[9:])) for row in rows]

    def results(self, attempt: int) -> list[Result]:
        rows = self._rows(
            "SELECT play, role, task, host, started, ended, seconds, outcome, tries, cause FROM results"
            " WHERE attempt = ? ORDER BY id",
            (attempt,),
        )
        return [Result(*row) for row in rows]

    def segments(self, attempt: int) -> list[Segment]:
        rows = self._rows(
            "SELECT host, at, state, bytes, bytes_total, rate, parts, parts_total, files, tables,"
            " tables_total, rows FROM segments WHERE attempt = ? ORDER BY id",
            (attempt,),
        )
        return [Segment(*row) for row in rows]

    def measures(self, attempt: int) -> list[Measure]:
        rows = self._rows(
            "SELECT host, kind, name, started, seconds, bytes, rows, repairs FROM measures"
            " WHERE attempt = ? ORDER BY started, id",
            (attempt,),
        )
        return [Measure(*row) for row in rows]

    def forecasts(self) -> list[Frozen]:
        """All frozen forecasts, oldest first."""
        rows = self._rows("SELECT pass, release, made, content FROM forecasts ORDER BY id")
        return [Frozen(*row) for row in rows]

    def verdicts(self) -> list[Verdict]:
        rows = self._rows(
            "SELECT pass, step, release, verdict, by, note, at, began FROM verdicts ORDER BY id"
        )
        return [Verdict(*row) for row in rows]

    def incidents(self) -> list[Incident]:
        rows = self._rows(
            "SELECT at, pass, step, attempt, host, kind, text, cost FROM incidents ORDER BY at, id"
        )
        return [Incident(*row) for row in rows]

    def has_incident(self, kind: str, step: str | None, text: str, at: float | None) -> bool:
        """Whether an incident was written before; without `at` at any time."""
        rows = self._rows(
            "SELECT 1 FROM incidents WHERE kind = ?1 AND step IS ?2 AND text = ?3"
            " AND (?4 IS NULL OR at = ?4)",
            (kind, step, self.redact(text), at),
        )
        return bool(rows)
