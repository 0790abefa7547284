"""SQL dumps as the portal's backup writer makes them: files, statements, end mark (backup_format 5).

A dump is one text in one or more files (`NAME.sql`, `NAME.sql.1`, …) with an optional sibling
`NAME_after_connect.sql`. A statement ends at `;` + LF outside of quotes and comments. Only the last line,
`-- Finished:` (or mysqldump's `-- Dump completed`), shows that nothing is missing.

Offsets are bytes in the files joined in order, so that a statement has one place wherever the writer cut.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from bxbackup.ddl import beyond_its_database
from bxbackup.errors import AbsentError, DamagedError, UsageError

CHUNK = 1 << 20
"""Bytes read at once."""

HEAD = 16 << 10
"""Bytes of a rows statement that are kept: enough to know its table and columns."""

MAX_DEFINITION = 16 << 20
"""Longest definition of a table or view that is believed (bytes)."""


class Kind(StrEnum):
    """What a statement does, as far as a load must know."""

    DROP_TABLE = "drop table"
    CREATE_TABLE = "create table"
    INSERT = "insert"
    DROP_VIEW = "drop view"
    CREATE_VIEW = "create view"
    SET_NAMES = "set names"
    ALTER_DATABASE = "alter database"
    SESSION = "session"
    """Settings, locks and choice of database: the load has its own, these are passed over."""
    OTHER = "other"
    """Nothing that the known writers put into a dump: never sent to a server. Its name says why, where the
    beginning does not."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement without its `;`.

    :param text: the statement from its first word; of rows only the first `HEAD` bytes.
    :param start: offset of its first byte, comments before it included.
    :param end: offset behind its `;` and LF.
    """

    kind: Kind
    name: str
    text: bytes
    start: int
    end: int


class _State(StrEnum):
    OUTSIDE = "outside"
    SINGLE = "'"
    DOUBLE = '"'
    BACKTICK = "`"
    LINE = "comment to the end of the line"
    BLOCK = "comment"


# Written so that no input makes them go back over what they have matched: alternatives begin with different
# bytes and strings are unrolled. Possessive groups would say so better, but Python 3.11.2 (Debian 12) loses
# its place in them. The bounded repeat keeps the matcher's own stack small. `/*!` opens no comment: servers
# execute what is in it.
_SINGLE = rb"[^'\\]*(?:\\.[^'\\]*)*"
_DOUBLE = rb'[^"\\]*(?:\\.[^"\\]*)*'
_OUTSIDE = re.compile(
    rb"""(?:[^'"`;\-\#/]+
          |'"""
    + _SINGLE
    + rb"""'
          |\""""
    + _DOUBLE
    + rb"""\"
          |`[^`]*`
          |;(?=[^\n])
          |-(?=[^-])|--(?=[^\x00-\x20])
          |--(?:[\x00-\x09\x0b-\x20][^\n]*)?\n|\#[^\n]*\n
          |/(?=[^*])|/\*(?=!)
         ){1,4096}""",
    re.DOTALL | re.VERBOSE,
)
_INSIDE = {
    _State.SINGLE: re.compile(_SINGLE, re.DOTALL),
    _State.DOUBLE: re.compile(_DOUBLE, re.DOTALL),
    _State.BACKTICK: re.compile(rb"[^`]*"),
    _State.LINE: re.compile(rb"[^\n]*"),
    _State.BLOCK: re.compile(rb"[^*]*(?:\*(?=[^/])[^*]*)*"),
}
_CLOSING = {
    _State.SINGLE: b"'",
    _State.DOUBLE: b'"',
    _State.BACKTICK: b"`",
    _State.LINE: b"\n",
    _State.BLOCK: b"*/",
}
_OPENING = re.compile(rb"""['"`\#]|--(?=[\x00-\x20])|/\*(?=[^!])""")
_OPENED = {
    b"'": _State.SINGLE,
    b'"': _State.DOUBLE,
    b"`": _State.BACKTICK,
    b"#": _State.LINE,
    b"--": _State.LINE,
    b"/*": _State.BLOCK,
}

_ROWS = re.compile(rb"\s*INSERT\s+INTO\s+`[^`]{1,64}`\s+VALUES\b", re.IGNORECASE)
"""The beginning of rows as the portal's writer makes them: no comments, no columns."""

_UNCLEAR = (b'"', b"`", b"#", b"/", b"--", b"\\")
"""What, outside of the strings of rows, needs a closer look."""

_LONGEST_ROWS = 8 * CHUNK
"""Bytes of a rows statement that are kept until its end is there."""

_LITERALS = re.compile(
    rb"""(?:[ \t\r\n(),.+]+
          |'"""
    + _SINGLE
    + rb"""'
          |\""""
    + _DOUBLE
    + rb"""\"
          |-(?!-)
          |0[xX][0-9a-fA-F]+|0b[01]+|[0-9]+(?:[eE][-+]?[0-9]+)?
          |[nN][uU][lL][lL]|[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|[dD][eE][fF][aA][uU][lL][tT]
          |[xXbBnN](?=')|_[a-z0-9]+(?=[ ]?['"0])
         ){1,4096}""",
    re.DOTALL | re.VERBOSE,
)
"""Rows of literals: no comment, no name, no function, nothing that asks for what is not in the statement."""

_NUMERIC = b" \t\r\n(),.+-0123456789'"
"""What rows of numbers, strings and NULL are made of, outside of strings."""

_NOT_LITERAL = "rows must hold plain values only"

_LEAD = re.compile(rb"(?:\s+|--(?=\s|\Z)[^\n]*(?:\n|\Z)|#[^\n]*(?:\n|\Z)|/\*(?!!).*?\*/)*", re.DOTALL)
_NAME = rb"`((?:[^`]|``)+)`(?!\s*\.)"
COLUMNS = rb"(?:\(\s*`[^`]+`(?:\s*,\s*`[^`]+`)*\s*\)\s*)?"
"""Columns between the table's name and VALUES."""

_KINDS: tuple[tuple[Kind, re.Pattern[bytes]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE | re.DOTALL))
    for kind, pattern in (
        (Kind.INSERT, rb"INSERT\s+INTO\s+" + _NAME + rb"\s*" + COLUMNS + rb"VALUES\b"),
        (Kind.CREATE_TABLE, rb"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?" + _NAME + rb"\s*\("),
        (Kind.DROP_TABLE, rb"DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?" + _NAME + rb"\s*\Z"),
        (
            Kind.CREATE_VIEW,
            rb"CREATE\s+(?:(?:OR\s+REPLACE|ALGORITHM\s*=\s*\w+|DEFINER\s*=\s*(?:`(?:[^`]|``)*`|'[^']*'|\w+)"
            rb"(?:@(?:`[^`]*`|'[^']*'|[\w.%-]+))?(?:\(\))?|SQL\s+SECURITY\s+\w+)\s+)*VIEW\s+"
            + _NAME
            + rb"\s*(?:\([^()]*\)\s*)?AS\b",
        ),
        (Kind.DROP_VIEW, rb"DROP\s+VIEW\s+(?:IF\s+EXISTS\s+)?" + _NAME + rb"\s*\Z"),
        (Kind.SET_NAMES, rb"SET\s+NAMES\s+'?(\w+)'?"),
        (Kind.ALTER_DATABASE, rb"ALTER\s+DATABASE\s+`((?:[^`]|``)+)`"),
        (Kind.SESSION, rb"()(?:SET|LOCK\s+TABLES|UNLOCK\s+TABLES|USE|CREATE\s+DATABASE)\b"),
        (Kind.SESSION, rb"()ALTER\s+TABLE\s+`(?:[^`]|``)+`\s+(?:DISABLE|ENABLE)\s+KEYS\s*\Z"),
    )
)
_INSERT = _KINDS[0][1]
_NAMING = frozenset({Kind.INSERT, Kind.CREATE_TABLE, Kind.CREATE_VIEW})
OWN_TABLES = frozenset({"bxbackup_load", "bxbackup_twin"})
"""Names of tables that a load makes for itself."""

_IF_ABSENT = re.compile(rb"CREATE\s+TABLE\s+IF\s+NOT\s+EXISTS\b", re.IGNORECASE)
_TIME_ZONE = re.compile(rb"SET\s+TIME_ZONE\s*=\s*'([^'\s]+)'\s*\Z", re.IGNORECASE)
_DUMPER = re.compile(rb"(?:/\*M?!.*\n)?-- (?:MySQL|MariaDB) dump\b")
UTC = "+00:00"
"""In which mysqldump writes TIMESTAMP values, and says so in its head, unless it was told otherwise. Where
the lines with its settings were taken out (backup_format 5.9) its name is left."""

_STARTED = re.compile(rb"^-- Started: (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[ \t]*$", re.MULTILINE)
_FINISHED = re.compile(
    rb"^-- (?:Finished: |Dump completed(?: on )?[ \t]*)(\d{4}-\d\d-\d\d +\d{1,2}:\d\d:\d\d)?\s*\Z",
    re.MULTILINE,
)


def text_of(data: bytes) -> str:
    """Definitions and names as text; bytes that are no UTF-8 survive the way back."""
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """The way back of :func:`text_of`."""
    return text.encode("utf-8", "surrogateescape")


def classify(text: bytes) -> tuple[Kind, str]:
    """Kind of a statement and the table, view or charset that it names."""
    for kind, pattern in _KINDS:
        match = pattern.match(text)
        if match:
            return kind, text_of(match[1]).replace("``", "`")
    return Kind.OTHER, ""


def _time(match: re.Match[bytes] | None) -> str | None:
    return match[1].decode() if match and match[1] else None


class Splitter:
    """Cuts a dump that arrives in pieces of any size into statements.

    Every byte is looked at once. Definitions are kept whole, of rows only the beginning: memory does not
    depend on how long a row is.
    """

    def __init__(self) -> None:
        self._state = _State.OUTSIDE
        self._buffer = bytearray()
        self._scanned = 0
        self._sought = 0
        self._head = b""
        self._forgotten = 0
        self._literal: bool | None = None
        self.start = 0
        """Offset behind the last complete statement."""

    def feed(self, data: bytes) -> Iterator[Statement]:
        """Take the next piece and hand out the statements that it completes.

        :raises DamagedError: a definition goes on beyond every sane size.
        """
        self._buffer += data
        while self._find_end():
            length = self._scanned + 2
            statement = self._statement(length)
            del self._buffer[:length]
            self.start = statement.end
            self._scanned = self._sought = self._forgotten = 0
            self._head = b""
            self._literal = None
            yield statement
        if self._scanned >= CHUNK:
            self._forget()

    def rest(self) -> bytes:
        """What has come after the last complete statement; of long rows the beginning."""
        return self._head or bytes(self._buffer)

    def _statement(self, length: int) -> Statement:
        head = self._head or bytes(memoryview(self._buffer)[: min(HEAD, length - 2)])
        text = head[_run(_LEAD, head, 0) :]
        kind, name = classify(text)
        literal = self._literal
        if kind is not Kind.INSERT or (literal is None and not self._head):
            whole = self._head or bytes(memoryview(self._buffer)[: length - 2])
            plain = whole[_run(_LEAD, whole, 0) :]
            text = _unwrap(plain)
            kind, name = classify(text)
            if kind is Kind.INSERT:
                # what is sent is the statement as it stands
                literal = text is plain and is_literal(text)
                text = text[:HEAD]
        if kind is Kind.INSERT and literal is False:
            kind, name = Kind.OTHER, _NOT_LITERAL
        elif kind is Kind.CREATE_TABLE and (reason := beyond_its_database(text_of(text))):
            kind, name = Kind.OTHER, reason
        elif kind in _NAMING and name.lower() in OWN_TABLES:
            kind, name = Kind.OTHER, f"{name} is a name that bxbackup itself needs in the database"
        return Statement(kind, name, text, self.start, self.start + self._forgotten + length)

    def _find_end(self) -> bool:
        """Scan on; True when the statement's `;` + LF is at the scanned position."""
        if self._scanned == 0 and (found := self._rows_end()) is not None:
            return found
        buffer, position = self._buffer, self._scanned
        while True:
            if self._state is not _State.OUTSIDE:
                position = _run(_INSIDE[self._state], buffer, position)
                closing = _CLOSING[self._state]
                if not buffer.startswith(closing, position):
                    break
                position += len(closing)
                self._state = _State.OUTSIDE
            while (further := _run(_OUTSIDE, buffer, position)) > position:
                position = further
            if buffer.startswith(b";\n", position):
                self._scanned = position
                return True
            opened = _OPENING.match(buffer, position)
            if opened is None:
                break
            self._state = _OPENED[opened[0][:2]]
            position = opened.end()
        self._scanned = position
        return False

    def _rows_end(self) -> bool | None:
        """The same for rows of the portal's writer, ten times as fast: most of a dump is that.

        None: it takes a closer look.
        """
        buffer = self._buffer
        begin = None if self._state is not _State.OUTSIDE or self._forgotten else _ROWS.match(buffer)
        if begin is None:
            return None
        end = buffer.find(b";\n", max(begin.end(), self._sought))
        if end < 0:
            self._sought = len(buffer) - 1
            return False if len(buffer) < _LONGEST_ROWS else None
        outside = _outside(bytes(memoryview(buffer)[begin.end() : end]))
        if outside is None:
            return None
        self._literal = _plain(outside)
        self._scanned = end
        return True

    def _forget(self) -> None:
        """Let go of the scanned part of rows; a definition must end some time."""
        head = self._head or bytes(memoryview(self._buffer)[:HEAD])
        if classify(head[_run(_LEAD, head, 0) :])[0] is not Kind.INSERT:
            if len(self._buffer) > MAX_DEFINITION:
                raise DamagedError(
                    f"the dump has a statement without an end at byte {self.start:,}",
                    cause=f"no ';' with a line's end behind it within {len(self._buffer):,} bytes",
                )
            return
        self._head = head
        del self._buffer[: self._scanned]
        self._forgotten += self._scanned
        self._scanned = 0


def _outside(rows: bytes) -> bytes | None:
    """What text that begins outside of strings has there, each string left as an empty one.

    None: it may end within a string, or takes a closer look.
    """
    if b"\\" in rows:
        # escaped backslashes and quotes leave a mark: one that is not in a string makes the text unclear
        rows = rows.replace(b"\\\\", b'"').replace(b"\\'", b"\\")
    texts = rows.split(b"'")
    if len(texts) % 2 == 0:
        return None
    outside = b"''".join(texts[::2])
    return None if any(mark in outside for mark in _UNCLEAR) else outside


def _plain(rows: bytes) -> bool:
    """Whether rows are literals only."""
    if not rows.replace(b"NULL", b"").translate(None, _NUMERIC):
        return True
    position = 0
    while (further := _run(_LITERALS, rows, position)) > position:
        position = further
    return position == len(rows)


def is_literal(statement: bytes) -> bool:
    """Whether an INSERT holds literals only: it can neither read nor change anything but its own table."""
    head = _INSERT.match(statement)
    if head is None:
        return False
    rows = statement[head.end() :]
    outside = _outside(rows)
    return _plain(rows if outside is None else outside)


def _run(pattern: re.Pattern[bytes], data: bytes | bytearray, position: int) -> int:
    """Where a pattern that also matches nothing ends."""
    match = pattern.match(data, position)
    return match.end() if match else position


_EXECUTABLE = re.compile(rb"('" + _SINGLE + rb"'|\"" + _DOUBLE + rb"\"|`[^`]*`)|/\*!\d* ?|\*/", re.DOTALL)


def _unwrap(text: bytes) -> bytes:
    """A statement that mysqldump has put into comments that servers execute, as plain SQL."""
    if not text.startswith(b"/*!"):
        return text
    return _EXECUTABLE.sub(lambda match: match[1] or b"", text).strip()


@dataclass(slots=True, eq=False)
class TableDump:
    """What a dump holds of one table, or has shown of it so far.

    :param definition: CREATE TABLE as in the dump.
    :param start: offset of the definition: tells tables of one name apart.
    :param rows: start and end offset of each INSERT, one after the other.
    :param closed: the dump went on to something else. Known writers do not come back to a table.
    :param gone: the dump drops it again, or defines another one of that name.
    """

    name: str
    definition: bytes
    start: int
    rows: array[int] = field(default_factory=lambda: array("Q"))
    closed: bool = False
    gone: bool = False

    def spans(self) -> Iterator[tuple[int, int]]:
        """Start and end offset of each INSERT, in the order of the dump."""
        return zip(self.rows[::2], self.rows[1::2], strict=True)


@dataclass(frozen=True, slots=True)
class Survey:
    """A dump's table of contents.

    :param views: CREATE VIEW by name, in the order of the dump.
    :param dropped: names that the dump drops or gives to a view after it had defined a table.
    :param charset: what the dump's SET NAMES says, None without one.
    :param time_zone: the zone that the dump itself says its TIMESTAMP values are in, None where it does not.
    :param started: the writer's clock when it began, `YYYY-MM-DD HH:MM:SS` in the source's zone.
    :param finished: the same at the end.
    :param complete: whether the last line is the writer's end mark.
    :param rest: where the last statement ends and what begins after it, if that is not the end mark.
    :param unknown: offset and beginning of the first statement that no known writer makes, like a trigger.
    """

    tables: dict[str, TableDump]
    views: dict[str, bytes]
    dropped: frozenset[str]
    statements: int
    charset: str | None
    time_zone: str | None
    started: str | None
    finished: str | None
    complete: bool
    rest: tuple[int, bytes] | None
    unknown: tuple[int, str] | None


class Surveyor:
    """Builds the table of contents from a dump's bytes, which may arrive in pieces of any size."""

    def __init__(self) -> None:
        self._splitter = Splitter()
        self.tables: dict[str, TableDump] = {}
        """Tables by name, as far as they are known; grows with what is entered."""
        self.current: TableDump | None = None
        """The table that the dump is at."""
        self._views: dict[str, bytes] = {}
        self._dropped: set[str] = set()
        self._statements = 0
        self.charset: str | None = None
        """What the dump's first SET NAMES says."""
        self._time_zone: str | None = None
        self.unknown: tuple[int, str] | None = None
        """Offset and beginning of the first statement that no known writer makes."""
        self._beginning = b""

    @property
    def time_zone(self) -> str | None:
        """The zone that the dump itself says its TIMESTAMP values are in."""
        if self._time_zone is None and _DUMPER.match(self._beginning):
            return UTC
        return self._time_zone

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the dump.

        :raises DamagedError: rows of a table that the dump does not define, or a statement without an end.
        """
        for statement in self.split(data):
            self.enter(statement)

    def split(self, data: bytes) -> Iterator[Statement]:
        """The statements that the next bytes of the dump complete, to be entered in their order.

        :raises DamagedError: a statement without an end.
        """
        if len(self._beginning) < HEAD:
            self._beginning += data[: HEAD - len(self._beginning)]
        return self._splitter.feed(data)

    def close(self) -> None:
        """All is entered."""
        self._turn_to(None)

    @property
    def complete(self) -> bool:
        """Whether what was fed ends with the writer's end mark."""
        rest = self._splitter.rest()
        return _FINISHED.search(rest) is not None and not rest[_run(_LEAD, rest, 0) :]

    def finish(self) -> Survey:
        """The table of contents of all that was fed."""
        rest = self._splitter.rest()
        end = _FINISHED.search(rest)
        begun = rest[_run(_LEAD, rest, 0) :]
        complete = end is not None and not begun
        started = _STARTED.search(self._beginning)
        return Survey(
            tables=self.tables,
            views=self._views,
            dropped=frozenset(self._dropped - self.tables.keys()),
            statements=self._statements,
            charset=self.charset,
            time_zone=self.time_zone,
            started=_time(started),
            finished=_time(end) if complete else None,
            complete=complete,
            rest=None if complete else (self._splitter.start, begun[:200]),
            unknown=self.unknown,
        )

    def enter(self, statement: Statement) -> None:
        """Enter a statement, as a server would run it after those before it.

        :raises DamagedError: rows of a table that the dump does not define.
        """
        self._statements += 1
        name = statement.name
        match statement.kind:
            case Kind.INSERT:
                table = self.tables.get(name)
                if table is None and self.unknown is not None:
                    return  # of a definition that was not taken
                if table is None:
                    raise DamagedError(
                        f"the dump has rows for table {name} but no definition before them",
                        cause=f"statement at byte {statement.start:,} of the dump",
                    )
                self._turn_to(table)
                table.rows.extend((statement.start, statement.end))
            case Kind.CREATE_TABLE:
                if name not in self.tables or not _IF_ABSENT.match(statement.text):
                    self._drop(name)
                    self.tables[name] = TableDump(name, statement.text, statement.start)
                self._turn_to(self.tables[name])
            case Kind.DROP_TABLE | Kind.DROP_VIEW:
                self._drop(name)
            case Kind.CREATE_VIEW:
                # mysqldump writes a stand-in table or view first; the last definition is the real one.
                self._drop(name)
                self._views.pop(name, None)
                self._views[name] = statement.text
            case Kind.SET_NAMES if self.charset is None:
                self.charset = name
            case Kind.SESSION if zone := _TIME_ZONE.match(statement.text):
                self._time_zone = self._time_zone or zone[1].decode()
            case Kind.OTHER if self.unknown is None:
                begun = text_of(statement.text[:80]).split("\n")[0]
                self.unknown = (statement.start, f"{name}: {begun}" if name else begun)

    def _turn_to(self, table: TableDump | None) -> None:
        """The dump goes on with a table: the one before it is closed."""
        if self.current is not table:
            if self.current is not None:
                self.current.closed = True
            self.current = table
        if table is not None:
            table.closed = False

    def _drop(self, name: str) -> None:
        self._turn_to(None)
        table = self.tables.pop(name, None)
        if table is not None:
            table.gone = True
            self._dropped.add(name)


@dataclass(frozen=True, slots=True)
class DumpFiles:
    """The files of one dump, in order.

    :param files: `NAME.sql`, `NAME.sql.1`, …
    :param after_connect: `NAME_after_connect.sql`, where there is one.
    """

    files: tuple[Path, ...]
    after_connect: Path | None

    def times(self) -> tuple[str | None, str | None]:
        """When the dump was begun and ended, by its writer's clock, without reading it through."""
        with self.files[0].open("rb") as file:
            started = _STARTED.search(file.read(HEAD))
        with self.files[-1].open("rb") as file:
            file.seek(max(0, self.files[-1].stat().st_size - HEAD))
            finished = _FINISHED.search(file.read())
        return _time(started), _time(finished)

    def place(self, offset: int) -> tuple[Path, int]:
        """File and position in it of an offset in the joined dump."""
        for path in self.files:
            size = path.stat().st_size
            if offset < size or path == self.files[-1]:
                return path, offset
            offset -= size
        raise UsageError("a dump has at least one file")

    def places(self) -> list[tuple[int, Path]]:
        """Where each file begins in the joined dump."""
        sizes = [path.stat().st_size for path in self.files]
        return [(sum(sizes[:number]), path) for number, path in enumerate(self.files)]

    def survey(self) -> Survey:
        """Read through the whole dump once.

        :raises DamagedError: see :meth:`Surveyor.feed`.
        """
        surveyor = Surveyor()
        for path in self.files:
            with path.open("rb", buffering=0) as file:
                while data := file.read(CHUNK):
                    surveyor.feed(data)
        surveyor.close()
        return surveyor.finish()


class DumpReader:
    """Reads statements of a dump by their offsets. Not for several threads.

    :param places: where each file begins in the joined dump; more may be added at the end.
    """

    def __init__(self, places: Sequence[tuple[int, Path]]) -> None:
        self._places = places
        self._files: list[BinaryIO] = []

    def close(self) -> None:
        """Close the dump's files."""
        for file in self._files:
            file.close()
        self._files.clear()

    def statement(self, start: int, end: int) -> bytes:
        """The statement between two offsets, without comments before it and without its `;`."""
        places = list(self._places)
        self._files += [path.open("rb", buffering=0) for _, path in places[len(self._files) :]]
        parts: list[bytes] = []
        ends = [first for first, _ in places[1:]] + [end]
        for (first, _), file, last in zip(places, self._files, ends, strict=True):
            if start < last and start < end:
                file.seek(start - first)
                parts.append(_exactly(file, min(end, last) - start))
                start = min(end, last)
        text = parts[0] if len(parts) == 1 else b"".join(parts)
        return text[_run(_LEAD, text, 0) : -2]


def _exactly(file: BinaryIO, length: int) -> bytes:
    data: bytes = file.read(length) or b""
    while len(data) < length:
        more = file.read(length - len(data))
        if not more:
            raise DamagedError(f"{file.name} became shorter while it was read")
        data += more
    return data


@dataclass(frozen=True, slots=True)
class DumpSummary:
    """A dump in figures.

    :param complete: the last line is the writer's end mark and every statement before it is whole.
    :param files: number of files.
    :param tables: number of tables (views not counted).
    :param statements: number of statements.
    """

    complete: bool
    files: int
    tables: int
    statements: int


_PART = re.compile(r"(?P<base>.+\.sql)(?:\.(?P<number>[1-9]\d*))?")


def find_dump(folder: Path) -> DumpFiles:
    """The dump in a folder, or in `bitrix/backup` or `dump` below it (backup_format 5.1).

    :raises AbsentError: there is no dump, or one of its files is missing.
    :raises UsageError: there are several.
    """
    for place in (folder, folder / "bitrix" / "backup", folder / "dump"):
        found = [path.name for path in place.iterdir() if path.is_file()] if place.is_dir() else []
        for base, numbered in _dumps_among(place, found).items():
            missing = [number for number in range(max(numbered) + 1) if number not in numbered]
            if missing:
                names = ", ".join(f"{base}.{number}" if number else base for number in missing)
                raise AbsentError(f"a file of the dump is missing: {names}", advice=f"put it into {place}")
            sibling = place / f"{base.removesuffix('.sql')}_after_connect.sql"
            return DumpFiles(
                tuple(place / numbered[number] for number in sorted(numbered)),
                sibling if sibling.is_file() else None,
            )
    raise AbsentError(f"there is no SQL dump in {folder}", advice="name the folder of an unpacked backup")


def first_files(place: Path, names: Iterable[str]) -> list[str]:
    """Of the names of files, those of a dump that follow one another from its first one on.

    :raises UsageError: there are several dumps.
    """
    found: list[str] = []
    for numbered in _dumps_among(place, names).values():
        while len(found) in numbered:
            found.append(numbered[len(found)])
    return found


def _dumps_among(place: Path, names: Iterable[str]) -> dict[str, dict[int, str]]:
    """The dump's files by its name and their numbers."""
    bases: dict[str, dict[int, str]] = {}
    for name in names:
        match = _PART.fullmatch(name)
        if match and not match["base"].endswith("_after_connect.sql"):
            bases.setdefault(match["base"], {})[int(match["number"] or 0)] = name
    if len(bases) > 1:
        raise UsageError(
            f"{place} holds more than one dump: {', '.join(sorted(bases))}",
            advice="move all but one elsewhere",
        )
    return bases
