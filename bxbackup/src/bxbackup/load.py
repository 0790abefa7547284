"""A dump into a database: rows first, secondary indexes after, tables in parallel, resumable.

Every table goes the same way: definition with the keys that rows need, rows, other keys. What is done is
noted in the database in the transactions that do it (see :mod:`bxbackup.target`), so a run that was killed,
or whose server was, is gone on with at the statement where it stopped. Settings are those of our own
sessions; nothing of the server changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import threading
import time
import uuid
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType

import pymysql
from pymysql.constants import ER

from bxbackup import target
from bxbackup.collation import Translator
from bxbackup.ddl import Key, KeyKind, TableDefinition, add_keys, parse_table, quoted_name, rewrite_view
from bxbackup.dump import DumpFiles, DumpReader, Survey, TableDump, find_dump, text_of
from bxbackup.errors import DamagedError, DatabaseError, RefusedError, UsageError
from bxbackup.measures import TableLoad
from bxbackup.rows import RowLoader, clash_in_table, take_apart, too_wide
from bxbackup.server import (
    Account,
    Features,
    Session,
    SessionLostError,
    code_and_text,
    failure,
    features,
    patiently,
    read_account,
    telling,
)
from bxbackup.state import now
from bxbackup.target import Mark, Order, Phase, State, Target

LATE_KEYS_FROM = 2 << 20
"""Bytes of rows from which a table's keys are made after its rows: below it ALTER TABLE costs more."""

PATIENCE = 120.0
"""Seconds that a server may be away, stopped or starting, before the load gives up."""

ATTEMPTS = 5
"""Times that a session may be lost at the same statement."""

PACKET_MARGIN = 1024
"""Bytes of a packet that are not the statement's text, and to spare."""

REPORT_EVERY = 0.2
"""Seconds."""

_SETTINGS = (
    "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
    "SET SESSION foreign_key_checks = 0",
    "SET SESSION character_set_results = utf8mb4",
)
_SETTINGS_IF_THERE = (
    # as the product's own importer does; MySQL asks for a privilege
    "SET SESSION innodb_strict_mode = 0",
    # a limit for users' queries must not stop an ALTER TABLE
    "SET SESSION max_statement_time = 0",
    # MariaDB from 11.2: a charset alone means what it meant on the server of the dump
    "SET SESSION character_set_collations = ''",
)


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How far a load is.

    :param tables: tables in the dump; views are not counted.
    :param loaded: tables that are complete, indexes included.
    :param rows: rows inserted.
    :param bytes: bytes of rows statements that are in the database, of `total_bytes` in the dump.
    :param table: the table on which something happened last.
    """

    tables: int
    loaded: int
    rows: int
    bytes: int
    total_bytes: int
    table: str | None


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a finished load has done.

    :param identity: tells this load from every other; a run that goes on with it has the same.
    :param duplicates: rows that the dump holds twice, identical in every column, and that were loaded once.
    :param seconds: of the run that ended it.
    :param damaged_columns: `table.column` whose values the backup's writer is known to damage (BIT, FLOAT).
    :param collations: collations and charsets of the dump that were replaced, by what.
    :param resumed: part of the work had been done by an earlier run.
    """

    identity: str
    tables: int
    views: int
    rows: int
    duplicates: int
    seconds: float
    damaged_columns: tuple[str, ...]
    collations: dict[str, str]
    resumed: bool

    def remarks(self) -> list[str]:
        """What a person should know, a line each."""
        found = [f"{old} became {new}" for old, new in sorted(self.collations.items())]
        if self.duplicates:
            found.append(f"{self.duplicates:,} rows stood twice in the dump, identical, and were loaded once")
        if self.damaged_columns:
            found.append(
                "the backup's writer loses digits of FLOAT and writes BIT as text; these columns may differ "
                f"from the source: {', '.join(self.damaged_columns)}"
            )
        return found


@dataclass(frozen=True, slots=True)
class _Table:
    """One table's way into the database.

    :param reached: bytes of rows that are in after each statement.
    :param create: its definition, translated.
    :param late: keys that are made after the rows.
    :param mended: whether single statements can be taken back (transactions).
    """

    dump: TableDump
    reached: array[int]
    create: str
    definition: TableDefinition
    late: tuple[Key, ...]
    mended: bool

    @property
    def size(self) -> int:
        """Bytes of the table's rows statements."""
        return self.bytes_after(len(self.reached))

    def bytes_after(self, statements: int) -> int:
        """Bytes of the first so many statements."""
        return self.reached[statements - 1] if statements else 0


@dataclass(frozen=True, slots=True)
class _Plan:
    tables: tuple[_Table, ...]
    views: dict[str, str]
    collation: str | None
    charset: str
    damaged: tuple[str, ...]
    replaced: dict[str, str]


def check_target(database: str, defaults_file: Path | None, state_dir: Path) -> Target:
    """Look whether a load may use a database; changes nothing.

    :raises RefusedError: the database holds something that no load of this state folder has put there.
    :raises DatabaseError: the server cannot be reached or refuses the account.
    :raises UsageError: no such name is possible.
    """
    target.check_name(database)
    account = read_account(defaults_file)
    with telling("look at its databases"), contextlib.closing(patiently(account, 0.0)) as session:
        return target.look(session, database, target.read_state(state_dir))


def load_dump(
    dump_dir: Path,
    *,
    database: str,
    defaults_file: Path | None,
    collation: str | None,
    time_zone: str = "+00:00",
    state_dir: Path,
    progress: Callable[[LoadProgress], None],
    measured: Callable[[TableLoad], None] = lambda _: None,
    sessions: int | None = None,
    patience: float = PATIENCE,
) -> LoadResult:
    """Load the dump in a folder; go on where an earlier run of the same state folder stopped.

    :param collation: replaces the dump's Unicode collations that ignore case and accents; None keeps them
        where the server has them.
    :param time_zone: session time zone under which TIMESTAMP values are read, as the server names zones.
    :param progress: called from one thread at a time, a few times a second at most.
    :param measured: told what each table has cost, from any thread.
    :param sessions: parallel sessions; None for one more than this machine has cores, 8 at most.
    :param patience: seconds that the server may be away.
    :raises DamagedError: the dump is not complete.
    :raises RefusedError: the database is not ours to fill, or the dump holds what no backup holds.
    :raises UsageError: the server has no such collation or time zone.
    :raises DatabaseError: the server refuses something, or is away for too long.
    """
    began = time.monotonic()
    target.check_name(database)
    account = read_account(defaults_file)
    dump = find_dump(dump_dir)
    survey = dump.survey()
    _demand_complete(dump, survey)
    order = Order(database, _fingerprint(dump), collation, time_zone)
    with telling("load the dump"), contextlib.closing(patiently(account, patience)) as control:
        target.claim(control, database)
        state = target.read_state(state_dir)
        found = target.look(control, database, state)
        if state and found is Target.OURS:
            _demand_same(state, order, state_dir)
            if state.result and target.owner(control) is None:
                damaged = tuple(state.result["damaged_columns"])
                return LoadResult(**{**state.result, "damaged_columns": damaged, "resumed": True})
        else:
            state = State(uuid.uuid4().hex, order)
        server = features(control)
        plan = _plan(dump, survey, server, order)
        _demand_time_zone(control, time_zone)
        _demand_packets(dump, plan, server.packet - PACKET_MARGIN)
        state.result = None
        target.write_state(state_dir, state)
        target.create(control, database, state.identity, plan.collation)
        done = target.marks(control)
        limit = server.packet - PACKET_MARGIN
        run = _Run(_Job(account, dump, plan, order, limit, patience, progress, measured), done)
        run.tables(sessions or min(8, (os.cpu_count() or 1) + 1))
        views = run.views()
        result = LoadResult(
            identity=state.identity,
            tables=len(plan.tables),
            views=views,
            rows=run.rows,
            duplicates=run.duplicates,
            seconds=round(time.monotonic() - began, 3),
            damaged_columns=plan.damaged,
            collations=plan.replaced,
            resumed=bool(done),
        )
        state.result = asdict(result)
        target.write_state(state_dir, state)
        run.finish()
    return result


def _demand_complete(dump: DumpFiles, survey: Survey) -> None:
    if not survey.complete:
        offset, text = survey.rest or (0, b"")
        path, position = dump.place(offset)
        begun = (
            f"a statement begins there and does not end: {text_of(text[:60])!r}"
            if text
            else "nothing follows"
        )
        crlf = b";\r\n" in text
        raise DamagedError(
            f"the SQL dump {path.name} is cut short: its end mark is missing",
            cause="its lines end in CR LF, not LF" if crlf else f"after byte {position:,} {begun}",
            advice="verify the backup and fetch damaged parts again; a dump that was cut when it was written "
            "can only be ordered anew",
            kept="the database was not touched",
        )
    if survey.unknown:
        path, position = dump.place(survey.unknown[0])
        raise RefusedError(
            f"the SQL dump {path.name} has a statement that does not belong into a backup",
            cause=f"at byte {position:,}: {survey.unknown[1]}",
            advice="tables, rows and views are loaded, nothing else: take it out if you know its origin",
            kept="the database was not touched",
        )


def _demand_same(state: State, order: Order, state_dir: Path) -> None:
    for what in ("dump", "collation", "time_zone"):
        before, now = getattr(state.order, what), getattr(order, what)
        if before != now:
            shown = "another dump" if what == "dump" else f"{what.replace('_', ' ')} {before}, not {now}"
            raise RefusedError(
                f"database {order.database} was begun with {shown}",
                cause=f"so says {state_dir / target.STATE}",
                advice="go on with the same, or take a new database and a new state folder",
                kept="nothing was changed",
            )


def _demand_time_zone(session: Session, time_zone: str) -> None:
    try:
        session.rows("SET SESSION time_zone = %s", (time_zone,))
    except pymysql.MySQLError as error:
        raise UsageError(
            f"the database server does not know time zone {time_zone}",
            cause=code_and_text(error)[1],
            advice="give an offset like +03:00, or load the server's zone tables (mariadb-tzinfo-to-sql)",
        ) from error


def _demand_packets(dump: DumpFiles, plan: _Plan, limit: int) -> None:
    """Refuse a row that the server cannot take before anything is changed."""
    with contextlib.closing(DumpReader(dump)) as reader:
        for table in plan.tables:
            for start, end in table.dump.spans():
                if end - start > limit:
                    insert = take_apart(reader.statement(start, end))
                    longest = len(insert.head) + max(map(len, insert.rows))
                    if longest > limit:
                        raise too_wide(table.dump.name, longest, limit)


def _fingerprint(dump: DumpFiles) -> str:
    """What tells one dump from another: sizes, and the bytes at the beginning and end of each file."""
    digest = hashlib.sha256()
    for path in dump.files:
        size = path.stat().st_size
        digest.update(f"{size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(1 << 16))
            file.seek(max(0, size - (1 << 16)))
            digest.update(file.read(1 << 16))
    return digest.hexdigest()


def _plan(dump: DumpFiles, survey: Survey, server: Features, order: Order) -> _Plan:
    chosen = order.collation
    if chosen and (chosen not in server.collations or not chosen.startswith("utf8mb4_")):
        raise UsageError(
            f"collation {chosen} cannot be used",
            cause=f"the server ({server.version}) does not have it"
            if chosen not in server.collations
            else "only one of utf8mb4 can hold all of a portal's texts",
            advice="leave --collation out: the dump's own collations are kept where the server has them",
        )
    translator = Translator(server.collations, server.charsets, chosen)
    after = (
        dump.after_connect.read_text(encoding="utf-8", errors="surrogateescape") if dump.after_connect else ""
    )
    names = {*survey.tables, *survey.views}
    tables = [_table(table, translator) for table in survey.tables.values()]
    views = {name: translator.view(rewrite_view(text_of(text), names)) for name, text in survey.views.items()}
    charset = re.search(r"SET\s+NAMES\s+'?(\w+)", after, re.IGNORECASE)
    damaged = [
        f"{table.dump.name}.{column.name}"
        for table in tables
        for column in table.definition.columns
        # mysqldump, which writes no such line, writes these types rightly
        if survey.started and column.type in {"bit", "float"}
    ]
    return _Plan(
        tables=tuple(sorted(tables, key=lambda table: -table.size)),
        views=views,
        collation=chosen or _database_collation(after, tables, translator),
        charset=survey.charset or (charset[1] if charset else "utf8mb4"),
        damaged=tuple(sorted(damaged)),
        replaced=translator.replaced,
    )


def _database_collation(after: str, tables: list[_Table], translator: Translator) -> str | None:
    """The database's default: what after_connect says, else what most tables have."""
    said = re.search(r"COLLATE[\s=]+['\"]?(\w+)", after, re.IGNORECASE)
    if said:
        return translator.collation(said[1])
    found: Counter[str] = Counter()
    for table in tables:
        collation = re.search(r"\bCOLLATE[\s=]+(\w+)", table.definition.tail, re.IGNORECASE)
        charset = re.search(r"\b(?:CHARSET|CHARACTER SET)[\s=]+(\w+)", table.definition.tail, re.IGNORECASE)
        if collation:
            found[collation[1]] += 1
        elif charset:
            found[f"{charset[1]}_general_ci"] += 1
    return found.most_common(1)[0][0] if found else None


def _table(table: TableDump, translator: Translator) -> _Table:
    definition = parse_table(translator.table(text_of(table.definition)))
    reached = array("Q", itertools.accumulate(end - start for start, end in table.spans()))
    if reached and reached[-1] >= LATE_KEYS_FROM:
        late = tuple(definition.late_keys())
        create = definition.without_late_keys()
    else:
        late = tuple(key for key in definition.keys if key.kind is KeyKind.FOREIGN)
        create = definition.with_all_keys()
    return _Table(table, reached, create, definition, late, definition.engine in {"", "innodb"})


@dataclass(frozen=True, slots=True)
class _Job:
    """What a run works with.

    :param limit: longest statement that the server takes (bytes).
    """

    account: Account
    dump: DumpFiles
    plan: _Plan
    order: Order
    limit: int
    patience: float
    progress: Callable[[LoadProgress], None]
    measured: Callable[[TableLoad], None]


class _StoppedError(Exception):
    """Another thread has failed."""


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
        if error is not None and not isinstance(error, _StoppedError):
            self._kept.append(error)
            self._then()
        return True


class _Run:
    """One run of a load: its sessions, what is done, what is reported."""

    def __init__(self, job: _Job, done: dict[str, Mark]) -> None:
        self._job = job
        self._reported = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._sessions: set[Session] = set()
        self._failures: list[BaseException] = []
        self._bytes = 0
        self._loaded = 0
        self.rows = 0
        self.duplicates = 0
        self._marks: dict[str, Mark] = {}
        self._queue: list[_Table] = []
        for table in reversed(job.plan.tables):
            mark = done.get(table.dump.name, Mark(Phase.ROWS))
            self._count(table, mark)
            if mark.phase is not Phase.DONE:
                self._queue.append(table)

    def tables(self, sessions: int) -> None:
        """Load all tables; the first error ends all sessions and is raised.

        The threads do not hold up the end of the process: a load left in the middle goes on next time.
        """
        threads = [
            threading.Thread(target=self._thread, name=f"load-{number}", daemon=True)
            for number in range(sessions)
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            self._halt()
            raise
        for error in self._failures:
            raise error

    def _thread(self) -> None:
        with _Keeping(self._failures, self._halt):
            self._work()

    def _halt(self) -> None:
        """Let all sessions end now."""
        self._stop.set()
        self._kill()

    def views(self) -> int:
        """Make the views, those first that others stand on."""
        waiting = dict(self._job.plan.views)
        with contextlib.closing(self._session()) as session:
            while waiting:
                refused: dict[str, pymysql.MySQLError] = {}
                for name, text in waiting.items():
                    try:
                        session.run(text)
                    except pymysql.MySQLError as error:
                        refused[name] = error
                if len(refused) == len(waiting):
                    name = next(iter(refused))
                    raise failure(refused[name], f"the server refuses view {name}")
                waiting = {name: waiting[name] for name in refused}
        return len(self._job.plan.views)

    def finish(self) -> None:
        """Leave nothing of ours in the database."""
        with contextlib.closing(self._session()) as session:
            target.remove_mark(session)
        self._report(None, last=True)

    def _work(self) -> None:
        """One session's part: the largest table that nobody has, until there is none."""
        session: Session | None = None
        with contextlib.closing(DumpReader(self._job.dump)) as reader:
            try:
                while table := self._next():
                    started, began, first = now(), time.monotonic(), self._at(table) or Mark(Phase.ROWS)
                    attempts = 0
                    before = self._at(table)
                    while True:
                        try:
                            session = session or self._session()
                            self._load(session, reader, table)
                            break
                        except SessionLostError as error:
                            self._end(session)
                            session = None
                            if self._stop.is_set():
                                raise _StoppedError from error
                            attempts = 0 if self._at(table) != before else attempts + 1
                            before = self._at(table)
                            if attempts >= ATTEMPTS:
                                raise DatabaseError(
                                    f"the server ends the session again and again at table {table.dump.name}",
                                    cause=str(error),
                                    advice="look into the server's error log",
                                    kept="what was loaded stays",
                                ) from error
                    last = self._at(table) or first
                    size = table.bytes_after(last.statements) - table.bytes_after(first.statements)
                    seconds = time.monotonic() - began
                    self._job.measured(
                        TableLoad(table.dump.name, size, last.rows - first.rows, started, seconds)
                    )
            finally:
                self._end(session)

    def _next(self) -> _Table | None:
        with self._lock:
            if self._stop.is_set():
                raise _StoppedError
            return self._queue.pop() if self._queue else None

    def _session(self) -> Session:
        session = patiently(
            self._job.account, self._job.patience, self._stop.is_set, database=self._job.order.database
        )
        session.run(f"SET NAMES {self._job.plan.charset}")
        for setting in _SETTINGS:
            session.run(setting)
        session.rows("SET SESSION time_zone = %s", (self._job.order.time_zone,))
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
                "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = %s", (self._job.order.database,)
            )
            with self._lock:
                numbers = {other.number for other in self._sessions}
            for number in numbers & {int(found) for (found,) in there}:
                session.run(f"KILL {number}")

    def _load(self, session: Session, reader: DumpReader, table: _Table) -> None:
        name = table.dump.name
        spans = list(table.dump.spans())
        mark = target.mark(session, name)
        if mark is None:
            mark = Mark(Phase.ROWS)
            try:
                session.run(f"DROP TABLE IF EXISTS {quoted_name(name)}")
                session.run(table.create)
            except pymysql.MySQLError as error:
                raise failure(error, f"the server refuses the definition of table {name}") from error
        self._note(table, mark)
        if mark.phase is Phase.ROWS:
            mark = self._rows(session, reader, table, mark, spans)
        if mark.phase is Phase.KEYS:
            self._keys(session, table)
            mark = replace(mark, phase=Phase.DONE)
            if mark.clashed:
                ((standing,),) = session.rows(" ".join(["SELECT COUNT(*) FROM", quoted_name(name)]))
                mark = replace(mark, rows=int(standing), duplicates=mark.rows - int(standing))
            target.put_mark(session, name, mark)
        self._note(table, mark)

    def _rows(
        self, session: Session, reader: DumpReader, table: _Table, mark: Mark, spans: list[tuple[int, int]]
    ) -> Mark:
        loader = RowLoader(session, table.dump.name, table.definition.keys, self._job.limit)
        for start, end in spans[mark.statements :]:
            if self._stop.is_set():
                raise _StoppedError
            session.run("BEGIN")
            rows = mark.rows + loader.load(reader.statement(start, end))
            clashed = mark.clashed or loader.clashed
            number = mark.statements + 1
            phase = Phase.ROWS
            if number == len(spans):
                phase = Phase.KEYS if table.late or clashed else Phase.DONE
            mark = Mark(phase, number, rows, clashed)
            if table.mended or number == len(spans):
                target.put_mark(session, table.dump.name, mark)
            session.run("COMMIT")
            self._note(table, mark)
        if not spans:
            # nothing to note: made anew by the next run in a moment
            return replace(mark, phase=Phase.KEYS if table.late else Phase.DONE)
        return mark

    def _keys(self, session: Session, table: _Table) -> None:
        """Make those keys that wait for the rows and are not there yet."""
        name = table.dump.name
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

    def _missing_keys(self, session: Session, table: _Table) -> list[Key]:
        name = table.dump.name
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

    def _at(self, table: _Table) -> Mark | None:
        with self._lock:
            return self._marks.get(table.dump.name)

    def _note(self, table: _Table, mark: Mark) -> None:
        """Count what is done of a table, and report."""
        with self._lock:
            self._count(table, mark)
            self._report(table.dump.name)

    def _count(self, table: _Table, mark: Mark) -> None:
        before = self._marks.get(table.dump.name, Mark(Phase.ROWS))
        self._marks[table.dump.name] = mark
        self._bytes += table.bytes_after(mark.statements) - table.bytes_after(before.statements)
        self._loaded += (mark.phase is Phase.DONE) - (before.phase is Phase.DONE)
        self.rows += mark.rows - before.rows
        self.duplicates += mark.duplicates - before.duplicates

    def _report(self, table: str | None, *, last: bool = False) -> None:
        now = time.monotonic()
        if last or now - self._reported >= REPORT_EVERY:
            self._reported = now
            total = sum(table.size for table in self._job.plan.tables)
            self._job.progress(
                LoadProgress(len(self._job.plan.tables), self._loaded, self.rows, self._bytes, total, table)
            )
