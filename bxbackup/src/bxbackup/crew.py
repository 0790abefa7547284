"""The sessions that work a catalogue off: definitions, rows in lots, keys.

Every table goes the same way: definition with the keys that rows need, rows, other keys; a small one with all
its keys in one transaction. What is done is noted in the database in the transactions that do it (see
:mod:`bxbackup.target`), so a run that was killed, or whose server was, is gone on with at the statement
where it stopped. Settings are those of our own sessions; nothing of the server changes, so nothing need be
put back.

Measured and left out: `unique_checks = 0`, whose bulk path is right only where MDEV-34703 is fixed and which
takes back a whole table after an error, does not pay for statements of 1 MB (restore_peers 3.1).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import pymysql
from pymysql.constants import ER

from bxbackup import target
from bxbackup.catalogue import Catalogue, StoppedError, Table
from bxbackup.collation import Translator
from bxbackup.ddl import Key, KeyKind, TableDefinition, add_keys, parse_table, quoted_name
from bxbackup.dump import DumpReader, text_of
from bxbackup.errors import DatabaseError
from bxbackup.measures import TableLoad
from bxbackup.rows import RowLoader, clash_in_table
from bxbackup.server import Account, Session, SessionLostError, code_and_text, failure, patiently
from bxbackup.state import now
from bxbackup.target import LotMark, TableMark

ATTEMPTS = 5
"""Times that a session may be lost at the same statement."""

REPORT_EVERY = 0.2
"""Seconds."""

_SETTINGS = (
    "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
    "SET SESSION foreign_key_checks = 0",
    "SET SESSION character_set_results = utf8mb4",
    # a session may wait for hours for more of the dump
    "SET SESSION wait_timeout = 31536000",
)
_SETTINGS_IF_THERE = (
    # as the product's own importer does; MySQL asks for a privilege
    "SET SESSION innodb_strict_mode = 0",
    # a limit for users' queries must not stop an ALTER TABLE
    "SET SESSION max_statement_time = 0",
    # MariaDB from 11.2: a charset alone means what it meant on the server of the dump
    "SET SESSION character_set_collations = ''",
    # MySQL 8: tables are as the dump defines them, those without a primary key, too
    "SET SESSION sql_require_primary_key = 0",
    "SET SESSION sql_generate_invisible_primary_key = 0",
)


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How far a load is.

    :param tables: tables in the dump; views are not counted.
    :param loaded: tables that are complete, indexes included.
    :param rows: rows inserted.
    :param bytes: bytes of rows statements that are in the database, of `total_bytes` in the dump.
    :param table: the table on which something happened last.
    :param known: the whole dump is known; until then there are more tables and bytes than this says.
    """

    tables: int
    loaded: int
    rows: int
    bytes: int
    total_bytes: int
    table: str | None
    known: bool = True


@dataclass(frozen=True, slots=True)
class Job:
    """What sessions work with.

    :param places: where each file of the dump begins in the joined dump; grows with the dump.
    :param charset: of the dump's text.
    :param limit: longest statement that the server takes (bytes).
    :param patience: seconds that a server may be away.
    """

    account: Account
    database: str
    places: Sequence[tuple[int, Path]]
    charset: str
    time_zone: str
    translator: Translator
    limit: int
    patience: float
    progress: Callable[[LoadProgress], None]
    measured: Callable[[TableLoad], None]


class _Keeping:
    """Keeps the error that ends a thread for the one who waits for it."""

    def __init__(self, kept: list[BaseException], then: Callable[[], None]) -> None:
        self._kept = kept
        self._then = then

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None and not isinstance(error, StoppedError):
            self._kept.append(error)
            self._then()
        return True


class Crew:
    """Sessions, each in a thread of its own, that load the tables of a catalogue."""

    def __init__(self, job: Job, catalogue: Catalogue) -> None:
        self._job = job
        self._catalogue = catalogue
        self._reporting = threading.Lock()
        self._reported = 0.0
        self._lock = threading.Lock()
        self._sessions: set[Session] = set()
        self._failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self.known = False
        """The whole dump is known."""

    def start(self, sessions: int, large: int) -> None:
        """Let sessions work.

        The threads do not hold up the end of the process: a load left in the middle goes on next time.

        :param large: so many of them take the largest tables first, the others the smallest.
        """
        self._threads = [
            threading.Thread(
                target=self._thread, name=f"load-{number}", daemon=True, kwargs={"smallest": number >= large}
            )
            for number in range(sessions)
        ]
        for thread in self._threads:
            thread.start()

    def failed(self) -> bool:
        """Whether a session has ended with an error."""
        return bool(self._failures)

    def join(self) -> None:
        """Wait until all tables are loaded; the first error ends all sessions and is raised."""
        try:
            for thread in self._threads:
                thread.join()
        except BaseException:
            self.halt()
            raise
        for error in self._failures:
            raise error

    def halt(self) -> None:
        """Let all sessions end now."""
        self._catalogue.stop()
        self._kill()

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """A session with the settings of a load."""
        session = self._session()
        try:
            yield session
        finally:
            self._end(session)

    def report(self, table: str | None, *, last: bool = False) -> None:
        """Tell how far the load is, unless that was told just now."""
        with self._reporting:
            moment = time.monotonic()
            if last or moment - self._reported >= REPORT_EVERY:
                self._reported = moment
                at = self._catalogue.figures()
                self._job.progress(
                    LoadProgress(at.tables, at.loaded, at.rows, at.bytes, at.total_bytes, table, self.known)
                )

    # sessions

    def _thread(self, *, smallest: bool) -> None:
        with _Keeping(self._failures, self.halt):
            self._work(smallest=smallest)

    def _work(self, *, smallest: bool) -> None:
        """One session's part: table after table, until there is none."""
        session: Session | None = None
        with contextlib.closing(DumpReader(self._job.places)) as reader:
            try:
                while table := self._catalogue.take(smallest=smallest):
                    try:
                        session = self._stay_with(session, reader, table)
                    finally:
                        self._catalogue.leave(table)
            finally:
                self._end(session)

    def _stay_with(self, session: Session | None, reader: DumpReader, table: Table) -> Session:
        """Work on a table, however often the session is lost meanwhile."""
        attempts, before, lost = 0, self._at(table), False
        while True:
            try:
                session = session or self._session()
                if lost:
                    self._catalogue.reconsider(target.marks(session))
                    lost = False
                self._load(session, reader, table)
            except SessionLostError as error:
                self._end(session)
                session, lost = None, True
                if self._catalogue.stopped:
                    raise StoppedError from error
                self._catalogue.doubt(table)
                at = self._at(table)
                attempts, before = (0 if at != before else attempts + 1), at
                if attempts >= ATTEMPTS:
                    raise DatabaseError(
                        f"the server ends the session again and again at table {table.name}",
                        cause=str(error),
                        advice="look into the server's error log",
                        kept="what was loaded stays",
                    ) from error
            else:
                return session

    def _at(self, table: Table) -> tuple[int, TableMark | None]:
        with self._catalogue.changed:
            return table.bytes_in(), table.mark

    def _session(self) -> Session:
        session = patiently(
            self._job.account,
            self._job.patience,
            lambda: self._catalogue.stopped,
            database=self._job.database,
        )
        session.run(f"SET NAMES {self._job.charset}")
        for setting in _SETTINGS:
            session.run(setting)
        session.rows("SET SESSION time_zone = %s", (self._job.time_zone,))
        for setting in _SETTINGS_IF_THERE:
            with contextlib.suppress(pymysql.MySQLError):
                session.run(setting)
        with self._lock:
            self._sessions.add(session)
        return session

    def _end(self, session: Session | None) -> None:
        """Close a session that is of no more use."""
        if session:
            with self._lock:
                self._sessions.discard(session)
            session.close()

    def _kill(self) -> None:
        """End the statements that our sessions are in: an ALTER TABLE may take an hour."""
        with (
            contextlib.suppress(DatabaseError, SessionLostError, pymysql.MySQLError),
            contextlib.closing(patiently(self._job.account, 0.0)) as session,
        ):
            # a server that was started again counts its sessions anew: only those in our database are ours
            there = session.rows(
                "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = %s", (self._job.database,)
            )
            with self._lock:
                numbers = {other.number for other in self._sessions}
            for number in numbers & {int(found) for (found,) in there}:
                session.run(f"KILL {number}")

    # tables

    def _load(self, session: Session, reader: DumpReader, table: Table) -> None:
        """Do what there is to do for a table now."""
        catalogue = self._catalogue
        self._look_up(session, table)
        if table.done:
            return
        definition = self._definition(table)
        self.report(table.name)
        with catalogue.making(table) as to_be_made:
            if to_be_made is None:
                return
            if to_be_made:
                if table.small and not table.late:
                    self._load_whole(session, reader, table, definition)
                    return
                self._make(session, table, definition)
        self._open(table, definition)
        while (lot := catalogue.take_lot(table)) is not None:
            try:
                self._load_lot(session, reader, table, lot)
            finally:
                catalogue.leave_lot(table, lot)
        if catalogue.alone_with_all_rows(table):
            self._complete(session, table, definition)

    def _look_up(self, session: Session, table: Table) -> None:
        """Believe what is noted in the database, unless a session makes the table anew meanwhile."""
        while not table.sure and not table.being_made:
            made = table.made
            marks = target.marks_of(session, table.name)
            self._catalogue.believe(table, marks, made)

    def _definition(self, table: Table) -> TableDefinition:
        """The table's definition for this server, and which keys wait for its rows."""
        definition = table.definition
        if definition is None:
            definition = parse_table(self._job.translator.table(text_of(table.dump.definition)))
        late = not table.small if table.mark is None else table.mark.late
        keys = (
            tuple(definition.late_keys())
            if late
            else tuple(key for key in definition.keys if key.kind is KeyKind.FOREIGN)
        )
        with self._catalogue.changed:
            table.definition, table.late = definition, keys
            table.started = table.started or now()
        return definition

    def _open(self, table: Table, definition: TableDefinition) -> None:
        """Let other sessions help with a table whose rows stand in the order of its key, whoever is first."""
        ordered = any(key.kind is KeyKind.PRIMARY for key in definition.keys)
        with self._catalogue.changed:
            table.splittable = ordered and _mended(definition)

    def _create(self, session: Session, table: Table, statement: str) -> None:
        try:
            session.run(f"DROP TABLE IF EXISTS {quoted_name(table.name)}")
            session.run(statement)
        except pymysql.MySQLError as error:
            raise failure(error, f"the server refuses the definition of table {table.name}") from error

    def _load_whole(
        self, session: Session, reader: DumpReader, table: Table, definition: TableDefinition
    ) -> None:
        """A small table: one transaction, all keys there from the beginning."""
        began = time.monotonic()
        self._create(session, table, definition.with_all_keys())
        loader = RowLoader(session, table.name, definition.keys, self._job.limit)
        spans = list(table.dump.spans())
        mark = TableMark(table.dump.start, late=False, statements=len(spans), done=True)
        if spans:
            session.run("BEGIN")
            rows = sum(loader.load(reader.statement(start, end)) for start, end in spans)
            mark = self._counted(session, table, replace(mark, rows=rows, clashed=loader.clashed))
            _flush(session, table, definition)
            target.put_mark(session, table.name, mark)
            session.run("COMMIT")
        # of an empty one nothing is noted: made anew by the next run in a moment
        self._done(table, mark, time.monotonic() - began)

    def _make(self, session: Session, table: Table, definition: TableDefinition) -> None:
        """A table that others may help with, or that is not known to its end."""
        began = time.monotonic()
        late = not table.small
        self._create(session, table, definition.without_late_keys() if late else definition.with_all_keys())
        mark = TableMark(table.dump.start, late)
        session.run("BEGIN")
        target.forget_marks(session, table.name)
        if _mended(definition):
            target.put_mark(session, table.name, mark)
        session.run("COMMIT")
        self._catalogue.note(table, mark, time.monotonic() - began)

    def _load_lot(self, session: Session, reader: DumpReader, table: Table, lot: int) -> None:
        """Load the statements of a lot, as far as they are known."""
        definition = self._definition(table)
        loader = RowLoader(session, table.name, definition.keys, self._job.limit)
        try:
            if lot in table.doubtful:
                found = target.marks_of(session, table.name).lots.get(lot, LotMark(0, 0, clashed=False))
                self._catalogue.note_lot(table, lot, found, 0.0)
            while spans := self._catalogue.statements(table, lot):
                began = time.monotonic()
                mark = table.noted.get(lot, LotMark(0, 0, clashed=False))
                session.run("BEGIN")
                rows = sum(loader.load(reader.statement(start, end)) for start, end in spans)
                mark = LotMark(mark.statements + len(spans), mark.rows + rows, mark.clashed or loader.clashed)
                if _mended(definition):
                    target.put_lot(session, table.name, lot, mark)
                session.run("COMMIT")
                self._catalogue.note_lot(table, lot, mark, time.monotonic() - began)
                self.report(table.name)
        except SessionLostError:
            self._catalogue.doubt(table, lot)
            raise

    def _complete(self, session: Session, table: Table, definition: TableDefinition) -> None:
        """All rows are in: make the keys that have waited for them."""
        began = time.monotonic()
        with self._catalogue.changed:
            mark = table.mark or TableMark(table.dump.start, late=bool(table.late))
            mark = replace(mark, statements=len(table.reached), rows=table.rows, clashed=table.clashed)
        if not _mended(definition) and table.late:
            _flush(session, table, definition)
            target.put_mark(session, table.name, mark)
        if table.late:
            self._keys(session, table)
        mark = self._counted(session, table, replace(mark, done=True))
        _flush(session, table, definition)
        target.put_mark(session, table.name, mark)
        self._done(table, mark, time.monotonic() - began)

    def _counted(self, session: Session, table: Table, mark: TableMark) -> TableMark:
        """With rows that stood twice in the dump counted once."""
        if not mark.clashed or mark.duplicates:
            return mark
        ((standing,),) = session.rows(" ".join(["SELECT COUNT(*) FROM", quoted_name(table.name)]))
        return replace(mark, rows=int(standing), duplicates=mark.rows - int(standing))

    def _done(self, table: Table, mark: TableMark, seconds: float) -> None:
        catalogue = self._catalogue
        catalogue.note(table, mark, seconds)
        with catalogue.changed:
            size = table.size - table.bytes_before_this_run()
            rows = mark.rows - sum(lot.rows for lot in table.had.values())
            measure = TableLoad(table.name, size, rows, table.started or now(), table.spent)
        self._job.measured(measure)
        self.report(table.name)

    def _keys(self, session: Session, table: Table) -> None:
        """Make those keys that wait for the rows and are not there yet."""
        name = table.name
        while missing := self._missing_keys(session, table):
            statement, keys = next(add_keys(name, missing))
            try:
                session.run(statement)
            except pymysql.MySQLError as error:
                code = code_and_text(error)[0]
                if code == ER.DUP_KEYNAME and len(self._missing_keys(session, table)) < len(missing):
                    continue  # a statement of a killed run was still making it
                if code == ER.DUP_ENTRY:
                    for key in keys:
                        clash = clash_in_table(session, name, key) if key.kind is KeyKind.UNIQUE else None
                        if clash:
                            raise clash from error
                what = ", ".join(key.name for key in keys)
                raise failure(error, f"the server refuses keys of table {name}: {what}") from error

    @staticmethod
    def _missing_keys(session: Session, table: Table) -> list[Key]:
        name = table.name
        there = {str(row[2]) for row in session.rows(f"SHOW INDEX FROM {quoted_name(name)}")}
        there |= {
            str(constraint)
            for (constraint,) in session.rows(
                "SELECT CONSTRAINT_NAME FROM information_schema.TABLE_CONSTRAINTS"
                " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s",
                (name,),
            )
        }
        return [key for key in table.late if key.name not in there]


def _mended(definition: TableDefinition) -> bool:
    """Whether the table's engine can take back a statement (transactions)."""
    return definition.engine in {"", "innodb"}


def _flush(session: Session, table: Table, definition: TableDefinition) -> None:
    """Let the server write a table that has no log out of its memory, before anyone notes it as done.

    FLUSH asks for a privilege that an account of one database lacks; to change whether keys are kept up
    closes the table just as well.
    """
    if _mended(definition):
        return
    name = quoted_name(table.name)
    try:
        session.run(f"FLUSH LOCAL TABLES {name}")
    except pymysql.MySQLError as error:
        if code_and_text(error)[0] != ER.SPECIFIC_ACCESS_DENIED_ERROR:
            raise failure(error, f"the server refuses to write out table {table.name}") from error
        session.run(f"ALTER TABLE {name} ENABLE KEYS")
