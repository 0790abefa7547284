"""Rows into a table: statements as the dump has them, or in pieces where that cannot be.

A statement is sent as it stands. It is taken apart only if it is longer than the server takes, or if the
server reports a key that is there already (1062): then each such row must be identical, in every byte of
every column, to the row that stands (the writer pages through some tables and may write a row twice,
backup_format 5.8); anything else ends the load.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pymysql
from pymysql.constants import ER

from bxbackup.ddl import Key, quoted_name
from bxbackup.dump import CHUNK, COLUMNS, is_literal
from bxbackup.errors import BackupError, DamagedError, DatabaseError, RefusedError
from bxbackup.server import Row, Session, code_and_text, failure

TWIN = "bxbackup_twin"
"""Temporary table for one row of the dump, seen by its session only."""

SHOWN = 60
"""Characters of a value that a message shows."""

SHOWN_COLUMNS = 12
"""Columns of a row that a message shows: the key's, and those that differ."""

_SECRET = re.compile(r"PASS|SECRET|TOKEN|CHECKWORD|SALT|HASH|CODE|OTP|KEY", re.IGNORECASE)
_HEAD = re.compile(rb"INSERT\s+INTO\s+`(?:[^`]|``)+`(\s*" + COLUMNS + rb"VALUES\s*)", re.IGNORECASE)
_ROW = re.compile(
    rb"""\s*(\([^'"()]*(?:(?:'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*")[^'"()]*)*\))\s*(,?)""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT taken apart.

    :param head: up to and with VALUES.
    :param to_twin: the same for the temporary table.
    :param rows: each row with its parentheses.
    """

    head: bytes
    to_twin: bytes
    rows: tuple[bytes, ...]


def take_apart(text: bytes) -> Insert:
    """The rows of an INSERT statement.

    :raises DamagedError: it is none.
    """
    head = _HEAD.match(text)
    if head is None:
        raise DamagedError("a statement with rows is not of the known form", cause=repr(text[:80]))
    rows: list[bytes] = []
    position, more = head.end(), True
    while more and (match := _ROW.match(text, position)):
        rows.append(match[1])
        position, more = match.end(), bool(match[2])
    if more or text[position:].strip():
        raise DamagedError("a statement with rows is not of the known form", cause=repr(text[position:][:80]))
    return Insert(head[0], b"INSERT INTO `" + TWIN.encode() + b"`" + head[1], tuple(rows))


def batches(insert: Insert, limit: int) -> Iterator[tuple[bytes, ...]]:
    """Rows in groups whose statements are at most `limit` bytes; a longer row is alone."""
    batch: list[bytes] = []
    size = len(insert.head)
    for row in insert.rows:
        if batch and size + len(row) + 2 > limit:
            yield tuple(batch)
            batch, size = [], len(insert.head)
        batch.append(row)
        size += len(row) + 2
    yield tuple(batch)


class RowLoader:
    """Puts the rows of one table into the session's database.

    :param limit: longest statement that the server takes (bytes).
    """

    def __init__(self, session: Session, table: str, keys: Sequence[Key], limit: int) -> None:
        self._session = session
        self._table = table
        self._keys = {key.name or "PRIMARY": key for key in keys}
        self._limit = limit
        self.clashed = False
        """Rows were met that stood already."""

    def load(self, text: bytes) -> int:
        """Insert a statement's rows; the number of rows in it.

        :raises SessionLostError: the session is gone.
        :raises RefusedError: the statement holds more than literals.
        :raises DatabaseError: a row differs from the one that stands under its key, or the server refuses it.
        """
        if len(text) > CHUNK and not is_literal(text):
            # of a longer one the splitter may have seen pieces only
            raise RefusedError(
                f"rows of table {self._table} hold more than plain values",
                cause=f"in a statement of {len(text):,} bytes",
                advice="no writer makes such a dump: get the backup from its source again",
                kept="the tables that were loaded stay in the database",
            )
        if len(text) <= self._limit:
            try:
                return self._session.run(text)
            except pymysql.MySQLError as error:
                if code_and_text(error)[0] != ER.DUP_ENTRY:
                    raise self._refused(error) from error
        insert = take_apart(text)
        for batch in batches(insert, self._limit):
            self._insert(insert, batch)
        return len(insert.rows)

    def _insert(self, insert: Insert, rows: tuple[bytes, ...]) -> None:
        statement = insert.head + b",".join(rows)
        if len(statement) > self._limit:
            raise too_wide(self._table, len(statement), self._limit)
        try:
            self._session.run(statement)
        except pymysql.MySQLError as error:
            if code_and_text(error)[0] != ER.DUP_ENTRY:
                raise self._refused(error) from error
            self.clashed = True
            if len(rows) > 1:
                half = len(rows) // 2
                self._insert(insert, rows[:half])
                self._insert(insert, rows[half:])
            else:
                self._compare(insert.to_twin + rows[0], error)

    def _compare(self, to_twin: bytes, clash: pymysql.MySQLError) -> None:
        """Let a row pass that is identical to the one that stands."""
        session = self._session
        match = re.search(r"for key '(?:[^']*\.)?([^']+)'$", code_and_text(clash)[1])
        key = self._keys.get(match[1]) if match else None
        if key is None:
            raise self._refused(clash)
        table = quoted_name(self._table)
        session.run(f"DROP TEMPORARY TABLE IF EXISTS {TWIN}")
        session.run(f"CREATE TEMPORARY TABLE {TWIN} AS " + " ".join(["SELECT * FROM", table, "LIMIT 0"]))
        session.run(to_twin)
        columns = [str(row[0]) for row in session.rows(f"SHOW COLUMNS FROM {table}")]
        same_key = " AND ".join(f"{key_part('s', part)} = {key_part('n', part)}" for part in key.parts)
        same = " AND ".join(
            f"s.{name} <=> n.{name} AND CAST(s.{name} AS BINARY) <=> CAST(n.{name} AS BINARY)"
            for name in map(quoted_name, columns)
        )
        joined = f"FROM {table} AS s JOIN {TWIN} AS n ON {same_key}"
        ((identical,),) = session.rows(" ".join(["SELECT COUNT(*)", joined, "WHERE", same]))
        if identical:
            return
        standing = session.rows(" ".join(["SELECT s.*", joined]))
        new = session.rows(" ".join(["SELECT * FROM", TWIN]))
        raise two_rows(self._table, key, columns, [*standing[:1], *new])

    def _refused(self, error: pymysql.MySQLError) -> BackupError:
        return failure(error, f"the server refuses rows of table {self._table}")


def key_part(alias: str, part: tuple[str, int | None]) -> str:
    """A column of a key, or as much of it as the key holds."""
    column = f"{alias}.{quoted_name(part[0])}"
    return f"LEFT({column}, {part[1]})" if part[1] else column


def two_rows(table: str, key: Key, columns: Sequence[str], rows: Sequence[Row]) -> DatabaseError:
    """The error for rows that differ and claim the same key."""
    name = key.name or "PRIMARY"
    parts = [column for column, _ in key.parts]
    fields = ", ".join(parts)
    values = dict(zip(columns, zip(*rows, strict=True), strict=True))
    differ = [column for column in columns if column not in parts and len(set(values[column])) > 1]
    chosen = [*parts, *differ][:SHOWN_COLUMNS]
    shown = "; ".join(
        "(" + ", ".join(f"{column}={_shown(column, values[column][number])}" for column in chosen) + ")"
        for number in range(len(rows))
    )
    return DatabaseError(
        f"table {table}: two different rows have the same key {name} ({fields})",
        cause=shown,
        advice="if the collation makes them equal, load into a new database without --collation, or with one "
        "that tells them apart; otherwise the dump contradicts itself",
    )


def _shown(column: str, value: object) -> str:
    if value is None:
        return "NULL"
    if _SECRET.search(column):
        return "***"
    text = repr(value) if isinstance(value, bytes) else str(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def clash_in_table(session: Session, table: str, key: Key) -> DatabaseError | None:
    """The error for two rows of a table that a unique key does not allow; None if there are none."""
    name = quoted_name(table)
    parts = [key_part("t", part) for part in key.parts]
    named = ", ".join(f"{part} AS k{number}" for number, part in enumerate(parts))
    present = " AND ".join(f"{part} IS NOT NULL" for part in parts)
    again = " AND ".join(f"{part} = d.k{number}" for number, part in enumerate(parts))
    groups = f"{name} AS t WHERE {present} GROUP BY {', '.join(parts)} HAVING COUNT(*) > 1 LIMIT 1"
    found = session.rows(
        " ".join(
            [
                "SELECT t.* FROM",
                name,
                "AS t JOIN (SELECT",
                named,
                "FROM",
                groups,
                ") AS d ON",
                again,
                "LIMIT 2",
            ]
        )
    )
    if not found:
        return None
    columns = [str(row[0]) for row in session.rows(f"SHOW COLUMNS FROM {name}")]
    return two_rows(table, key, columns, found)


def too_wide(table: str, length: int, limit: int) -> DatabaseError:
    """The error for a row that the server cannot take in one statement."""
    megabytes = -(-(length + 1024) // (1 << 20))
    return DatabaseError(
        f"table {table} has a row that is longer than the server takes",
        cause=f"it needs {length:,} bytes, max_allowed_packet allows {limit:,}",
        advice=f"set max_allowed_packet to at least {megabytes}M on the server (SET GLOBAL max_allowed_packet"
        f" = {megabytes << 20}, or in its configuration), then start the same command again",
        kept="nothing that was loaded is lost",
    )
