"""A dump into a database: rows first, secondary indexes after, tables in parallel, resumable.

A dump may be loaded while it arrives: one thread reads and splits what is there (:mod:`bxbackup.feed`,
:mod:`bxbackup.catalogue`), sessions load it meanwhile (:mod:`bxbackup.crew`). Views come last, when all that
they may stand on is there. A load is complete only if the dump is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pymysql

from bxbackup import catalogue, target
from bxbackup.catalogue import Catalogue
from bxbackup.collation import Translator
from bxbackup.crew import ATTEMPTS, Crew, Job, LoadProgress
from bxbackup.ddl import TableDefinition, parse_table, quoted_name, rewrite_view
from bxbackup.dump import DumpFiles, DumpReader, Survey, text_of
from bxbackup.errors import DamagedError, DatabaseError, RefusedError, UsageError
from bxbackup.feed import Extent, Feed, Reading, standing_feed
from bxbackup.measures import TableLoad
from bxbackup.rows import take_apart, too_wide
from bxbackup.server import (
    Features,
    Session,
    code_and_text,
    failure,
    features,
    patiently,
    read_account,
    telling,
)
from bxbackup.target import Order, State, Target

PATIENCE = 120.0
"""Seconds that a server may be away, stopped or starting, before the load gives up."""

PACKET_MARGIN = 1024
"""Bytes of a packet that are not the statement's text, and to spare."""

MOST_SESSIONS = 8
"""Rows of large tables keep the server's cores busy, small tables its disk: four fsyncs each. So there are
sessions for both at the same time. On 2 cores 6 sessions take a tenth less time than 3."""

_AMBIGUOUS = frozenset({"big5", "cp932", "gb18030", "gbk", "sjis"})
"""Charsets with characters whose second byte is a backslash: what ends a string for a server that reads them
so does not for us."""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a finished load has done.

    :param identity: tells this load from every other; a run that goes on with it has the same.
    :param duplicates: rows that the dump holds twice, identical in every column, and that were loaded once.
    :param seconds: of the run that ended it.
    :param damaged_columns: `table.column` whose values the backup's writer is known to damage (BIT, FLOAT).
    :param collations: collations, charsets and row formats of the dump that were replaced, by what.
    :param time_zone: in which TIMESTAMP values were read; `stated_zone` was asked for.
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
    time_zone: str
    stated_zone: str
    resumed: bool

    def remarks(self) -> list[str]:
        """What a person should know, a line each."""
        zones = (
            [f"TIMESTAMP values were read in {self.time_zone}, as the dump says, not in {self.stated_zone}"]
            if self.time_zone != self.stated_zone
            else []
        )
        found = zones + [f"{old} became {new}" for old, new in sorted(self.collations.items())]
        if self.duplicates:
            found.append(f"{self.duplicates:,} rows stood twice in the dump, identical, and were loaded once")
        if self.damaged_columns:
            found.append(
                "the backup's writer loses digits of FLOAT and writes BIT as text; these columns may differ "
                f"from the source: {', '.join(self.damaged_columns)}"
            )
        return found


def check_target(
    database: str,
    defaults_file: Path | None,
    state_dir: Path,
    collation: str | None = None,
    time_zone: str | None = None,
) -> Target:
    """Look whether a load may use a database, and the server has what it asks for; changes nothing.

    :raises RefusedError: the database holds something that no load of this state folder has put there.
    :raises DatabaseError: the server cannot be reached or refuses the account.
    :raises UsageError: no such name is possible, or the server has no such collation or time zone.
    """
    target.check_name(database)
    account = read_account(defaults_file)
    with telling("look at its databases"), contextlib.closing(patiently(account, 0.0)) as session:
        found = target.look(session, database, target.read_state(state_dir))
        if collation is not None:
            _demand_collation(features(session), collation)
        if time_zone is not None:
            _demand_time_zone(session, time_zone)
        return found


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How a dump is to be loaded.

    :param collation: replaces the dump's Unicode collations that ignore case and accents; None keeps them
        where the server has them.
    :param time_zone: session time zone under which TIMESTAMP values are read, as the server names zones; a
        dump that says itself which it was written in is right.
    :param state_dir: where the load keeps its state.
    :param progress: called from one thread at a time, a few times a second at most.
    :param measured: told what each table has cost, from any thread.
    :param sessions: parallel sessions; None for two more than twice this machine's cores, 8 at most.
    :param patience: seconds that the server may be away.
    """

    database: str
    defaults_file: Path | None
    collation: str | None
    time_zone: str
    state_dir: Path
    progress: Callable[[LoadProgress], None]
    measured: Callable[[TableLoad], None] = lambda _: None
    sessions: int | None = None
    patience: float = PATIENCE


def load_dump(dump_dir: Path, options: LoadOptions) -> LoadResult:
    """Load the dump in a folder; go on where an earlier run of the same state folder stopped.

    The database is touched only once the dump is known to be complete.

    :raises DamagedError: the dump is not complete.
    :raises RefusedError: the database is not ours to fill, or the dump holds what no backup holds.
    :raises UsageError: the server has no such collation or time zone.
    :raises DatabaseError: the server refuses something, or is away for too long.
    """
    target.check_name(options.database)
    load = _Load(standing_feed(dump_dir), options)
    load.read(load.feed.wait(0))
    load.demand_complete(kept="the database was not touched")
    result = load.run(_fingerprint(load.reading.files))
    if result is None:
        raise AssertionError
    return result


def load_feed(feed: Feed, options: LoadOptions) -> LoadResult | None:
    """Load a dump while it is unpacked; go on where an earlier run of the same state folder stopped.

    None: the feed has ended before the dump did. What could be loaded is; the next run goes on from there.

    :raises DamagedError: the archive holds no more of the dump, but its end is missing. Tables that are
        loaded stay, for going on; the load does not count as done.
    :raises RefusedError: as :func:`load_dump`; what was loaded before the place stays.
    :raises UsageError, DatabaseError: as :func:`load_dump`.
    """
    target.check_name(options.database)
    return _Load(feed, options).run(None)


class _Load:
    """One run of a load."""

    def __init__(self, feed: Feed, options: LoadOptions) -> None:
        self.feed = feed
        self.reading = Reading(feed)
        self._options = options
        self._account = read_account(options.defaults_file)
        self._state = target.read_state(options.state_dir)
        self._lot = self._state.lot if self._state else catalogue.LOT
        self._catalogue = Catalogue(self._lot)
        self._surveyor = self._catalogue.surveyor
        self._extent = Extent(0, ())
        self._began = time.monotonic()

    def run(self, fingerprint: str | None) -> LoadResult | None:
        """Load; None: the dump did not come to its end.

        :param fingerprint: of a dump that was read to its end; None for one that arrives.
        """
        options, state = self._options, self._state
        if fingerprint is None:
            if state and self._look(state) is not Target.OURS:
                state = None  # its owner has dropped it: any dump will do
            self.reading.demand(state.seen if state else None)
            if not self._await_beginning():
                return None
        order = Order(options.database, fingerprint, options.collation, options.time_zone)
        with (
            telling("load the dump"),
            contextlib.closing(patiently(self._account, options.patience)) as control,
        ):
            target.claim(control, options.database)
            found = target.look(control, options.database, state)
            if state and found is Target.OURS:
                _demand_same(state, order, options.state_dir)
                if state.result and target.owner(control) is None:
                    return _result(state.result, resumed=True)
            else:
                state = State(uuid.uuid4().hex, order, self._lot)
            server = features(control)
            translator = _translator(server, order.collation)
            zone = self._surveyor.time_zone or options.time_zone
            _demand_time_zone(control, zone)
            limit = server.packet - PACKET_MARGIN
            if fingerprint is not None:
                self._demand_packets(limit)
            state.result = None
            self._note(state)
            after = self._after_connect()
            charset = self._charset(after)
            target.create(
                control,
                options.database,
                state.identity,
                order.collation or _said_collation(after, translator),
            )
            done = target.marks(control)
            self._catalogue.go_on_from(done)
            crew = Crew(
                Job(
                    account=self._account,
                    database=options.database,
                    places=self.reading.places,
                    charset=charset,
                    time_zone=zone,
                    translator=translator,
                    limit=limit,
                    patience=options.patience,
                    progress=options.progress,
                    measured=options.measured,
                ),
                self._catalogue,
            )
            if not self._load_tables(crew, state):
                return None
            return self._finish(crew, translator, state, zone, resumed=bool(done))

    def read(self, extent: Extent) -> None:
        """Read and enter what has come.

        :raises DamagedError: what was read is no dump.
        """
        self._extent = extent
        for data in self.reading.new(extent):
            self._catalogue.enter(self._surveyor.split(data))
        if extent.over:
            self._catalogue.end(complete=self._surveyor.complete)

    def demand_complete(self, kept: str) -> None:
        """Raise if the dump is not complete, or holds what does not belong into one."""
        _demand_known(self.reading.files, self._surveyor.unknown, kept)
        if not self._surveyor.complete:
            raise _cut_short(self.reading.files, self._surveyor.finish(), kept)

    # a dump that arrives

    def _look(self, state: State) -> Target:
        options = self._options
        with (
            telling("look at its databases"),
            contextlib.closing(patiently(self._account, options.patience)) as session,
        ):
            return target.look(session, options.database, state)

    def _await_beginning(self) -> bool:
        """Wait until the charset of the dump's text is known, and all is there that the last run had seen.

        Nothing is loaded before. False: that much does not come.
        """
        while True:
            extent = self.feed.wait(self._extent.number)
            self.read(extent)
            passed = extent.passed or extent.over
            told = passed or self._surveyor.charset is not None or extent.after_connect() is not None
            if self._surveyor.tables and told and self.reading.ahead:
                return True
            if extent.over and not extent.whole:
                return False
            if extent.over:
                if self.reading.places:
                    self.demand_complete(kept="the database was not touched")
                    return True
                return False

    def _load_tables(self, crew: Crew, state: State) -> bool:
        """Load, while the dump arrives; False: it did not come to its end."""
        crew.known = self._at_end
        self._start(crew)
        kept = "the tables that were loaded stay in the database, for going on"
        try:
            _demand_known(self.reading.files, self._surveyor.unknown, kept)
            while not self._at_end and not crew.failed():
                self._extent = self.feed.wait(self._extent.number, crew.failed)
                statements = [
                    statement
                    for data in self.reading.new(self._extent)
                    for statement in self._surveyor.split(data)
                ]
                self._note(state)
                self._catalogue.enter(statements)
                crew.known = self._at_end
                _demand_known(self.reading.files, self._surveyor.unknown, kept)
            if self._at_end:
                self._catalogue.end(complete=self._surveyor.complete)
        except BaseException:
            crew.halt()
            raise
        crew.join()
        if self._extent.whole or self._extent.passed:
            self.demand_complete(kept)
        return self._surveyor.complete

    def _start(self, crew: Crew) -> None:
        cores = os.cpu_count() or 1
        crew.start(self._options.sessions or min(MOST_SESSIONS, 2 * cores + 2), cores)

    @property
    def _at_end(self) -> bool:
        """Whether nothing more of the dump is to be waited for."""
        return self._extent.over or (self._extent.passed and self._surveyor.complete)

    def _note(self, state: State) -> None:
        """Note durably what was read, before rows from it are loaded."""
        state.seen = self.reading.seen
        target.write_state(self._options.state_dir, state)

    # what the dump says

    def _after_connect(self) -> str:
        piece = self._extent.after_connect()
        if piece is None:
            return ""
        return (self.feed.folder / piece.name).read_text(encoding="utf-8", errors="surrogateescape")

    def _charset(self, after: str) -> str:
        said = re.search(r"SET\s+NAMES\s+'?(\w+)", after, re.IGNORECASE)
        charset = self._surveyor.charset or (said[1] if said else "utf8mb4")
        if charset.lower() in _AMBIGUOUS:
            raise RefusedError(
                f"the SQL dump is in charset {charset}, which hides where its strings end",
                advice="order the backup in UTF-8",
                kept="the database was not touched",
            )
        return charset

    def _demand_packets(self, limit: int) -> None:
        """Refuse a row that the server cannot take before anything is changed."""
        with contextlib.closing(DumpReader(self.reading.places)) as reader:
            for table in self._catalogue.tables():
                for start, end in table.dump.spans():
                    if end - start > limit:
                        insert = take_apart(reader.statement(start, end))
                        longest = len(insert.head) + max(map(len, insert.rows))
                        if longest > limit:
                            raise too_wide(table.name, longest, limit)

    # the end

    def _finish(
        self, crew: Crew, translator: Translator, state: State, zone: str, *, resumed: bool
    ) -> LoadResult:
        """All tables are in: views, the database's default, and the note that all is done."""
        survey, options = self._surveyor.finish(), self._options
        tables = self._catalogue.tables()
        definitions = [
            table.definition or parse_table(translator.table(text_of(table.dump.definition)))
            for table in tables
        ]
        names = {*survey.tables, *survey.views}
        views = {
            name: translator.view(rewrite_view(text_of(text), names)) for name, text in survey.views.items()
        }
        collation = options.collation or _database_collation(self._after_connect(), definitions, translator)
        with crew.session() as session:
            for name in survey.dropped:
                session.run(f"DROP TABLE IF EXISTS {quoted_name(name)}")
            _make_views(session, views)
            if collation:
                target.set_default(session, options.database, collation)
        figures = self._catalogue.figures()
        result = LoadResult(
            identity=state.identity,
            tables=figures.tables,
            views=len(views),
            rows=figures.rows,
            duplicates=figures.duplicates,
            seconds=round(time.monotonic() - self._began, 3),
            # mysqldump, which writes no line with its start, writes these types rightly
            damaged_columns=_damaged(definitions) if survey.started else (),
            collations=translator.replaced,
            time_zone=zone,
            stated_zone=options.time_zone,
            resumed=resumed,
        )
        for _ in range(ATTEMPTS):
            if self._closed(crew, state, result):
                break
            self._start(crew)
            crew.join()
        else:
            raise DatabaseError(
                "the server loses again and again what was loaded",
                advice="look into the server's error log",
                kept="what stands in the database stays, and the next run goes on",
            )
        crew.report(None, last=True)
        return result

    def _closed(self, crew: Crew, state: State, result: LoadResult) -> bool:
        """Whether all that was loaded is still there: then the load's marks go.

        A server that came back without its last commits has lost them together with their marks. Dropping
        the table of the marks makes durable all that the same session sees before.
        """
        state.result = asdict(result)
        target.write_state(self._options.state_dir, state)
        with crew.session() as session:
            marks = target.marks(session)
            if self._catalogue.all_in(marks):
                target.remove_mark(session)
                return True
        state.result = None
        self._note(state)
        self._catalogue.reconsider(marks)
        return False


def _result(noted: dict[str, Any], *, resumed: bool) -> LoadResult:
    return LoadResult(**{**noted, "damaged_columns": tuple(noted["damaged_columns"]), "resumed": resumed})


def _make_views(session: Session, views: dict[str, str]) -> None:
    """Make the views, those first that others stand on."""
    waiting = dict(views)
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


def _damaged(definitions: Iterable[TableDefinition]) -> tuple[str, ...]:
    """Columns whose values the backup's writer is known to damage."""
    return tuple(
        sorted(
            f"{definition.name}.{column.name}"
            for definition in definitions
            for column in definition.columns
            if column.type in {"bit", "float"}
        )
    )


def _cut_short(dump: DumpFiles, survey: Survey, kept: str) -> DamagedError:
    offset, text = survey.rest or (0, b"")
    path, position = dump.place(offset)
    begun = (
        f"a statement begins there and does not end: {text_of(text[:60])!r}" if text else "nothing follows"
    )
    crlf = b";\r\n" in text
    return DamagedError(
        f"the SQL dump {path.name} is cut short: its end mark is missing",
        cause="its lines end in CR LF, not LF" if crlf else f"after byte {position:,} {begun}",
        advice="verify the backup and fetch damaged parts again; a dump that was cut when it was written "
        "can only be ordered anew: a sound backup, even of the same name, needs a new --to, --database and "
        "--state",
        kept=kept,
    )


def _demand_known(dump: DumpFiles, unknown: tuple[int, str] | None, kept: str) -> None:
    if unknown:
        path, position = dump.place(unknown[0])
        raise RefusedError(
            f"the SQL dump {path.name} has a statement that does not belong into a backup",
            cause=f"at byte {position:,}: {unknown[1]}",
            advice="tables of this database, plain rows and views are loaded, nothing else: take it out if "
            "you know its origin",
            kept=kept,
        )


def _demand_same(state: State, order: Order, state_dir: Path) -> None:
    for what in ("dump", "collation", "time_zone"):
        before, now = getattr(state.order, what), getattr(order, what)
        if what == "dump" and None in (before, now):
            continue  # of one that arrives the bytes themselves are compared
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


def _demand_collation(server: Features, chosen: str) -> None:
    if chosen not in server.collations or not chosen.startswith("utf8mb4_"):
        raise UsageError(
            f"collation {chosen} cannot be used",
            cause=f"the server ({server.version}) does not have it"
            if chosen not in server.collations
            else "only one of utf8mb4 can hold all of a portal's texts",
            advice="leave --collation out: the dump's own collations are kept where the server has them",
        )


def _translator(server: Features, chosen: str | None) -> Translator:
    if chosen:
        _demand_collation(server, chosen)
    return Translator(server.collations, server.charsets, chosen)


def _said_collation(after: str, translator: Translator) -> str | None:
    """The database's default that after_connect names (backup_format 5.2)."""
    said = re.search(r"COLLATE[\s=]+['\"]?(\w+)", after, re.IGNORECASE)
    return translator.collation(said[1]) if said else None


def _database_collation(
    after: str, definitions: Iterable[TableDefinition], translator: Translator
) -> str | None:
    """The database's default: what after_connect says, else what most tables have."""
    said = _said_collation(after, translator)
    if said:
        return said
    found: Counter[str] = Counter()
    for definition in definitions:
        collation = re.search(r"\bCOLLATE[\s=]+(\w+)", definition.tail, re.IGNORECASE)
        charset = re.search(r"\b(?:CHARSET|CHARACTER SET)[\s=]+(\w+)", definition.tail, re.IGNORECASE)
        if collation:
            found[collation[1]] += 1
        elif charset:
            found[f"{charset[1]}_general_ci"] += 1
    return found.most_common(1)[0][0] if found else None
