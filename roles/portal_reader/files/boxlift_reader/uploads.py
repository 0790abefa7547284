"""Every row of a file has its file: what is lacking here, production lacks too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql.cursors

from . import source, sql
from .fault import DatabaseError

_AT_ONCE = 2000
"""Rows in one question to the source."""


@dataclass
class Missing:
    """Files that are lacking here though a row names them, as `ID path`.

    :param deleted: production has deleted row and file since the database was copied.
    :param lost: production has the row and lacks the file itself.
    :param late: production has both: what was pulled is not complete.
    """

    rows: int = 0
    deleted: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)


def check(way: source.Way, connection: pymysql.Connection[Any], database: str, folder: Path) -> Missing:
    """Compare `b_file` with the folder of uploads, and ask production about each file that is missing."""
    found = Missing()
    waiting: list[tuple[str, str]] = []
    for number, path in _local(connection, database):
        found.rows += 1
        if not (folder / path).is_file():
            waiting.append((number, path))
            if len(waiting) == _AT_ONCE:
                _ask(way, waiting, found)
                waiting = []
    if waiting:
        _ask(way, waiting, found)
    return found


def _local(connection: pymysql.Connection[Any], database: str) -> Iterator[tuple[str, str]]:
    """ID and path below uploads of each file that lies on the host, not in a bucket."""
    try:
        columns = {
            name
            for (name,) in sql.rows(
                connection,
                "SELECT COLUMN_NAME FROM information_schema.COLUMNS"
                " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = 'b_file'",
                database,
            )
        }
        if not {"ID", "SUBDIR", "FILE_NAME"} <= columns:
            return
        bucket = " WHERE COALESCE(HANDLER_ID, '') IN ('', '0')" if "HANDLER_ID" in columns else ""
        with connection.cursor(pymysql.cursors.SSCursor) as cursor:
            cursor.execute(f"SELECT ID, SUBDIR, FILE_NAME FROM `{database}`.b_file{bucket}")
            row: tuple[Any, ...]
            for row in cursor:
                yield str(row[0]), str(Path(str(row[1] or "")) / str(row[2] or ""))
    except pymysql.MySQLError as error:
        raise DatabaseError(f"the list of files in {database} cannot be read: {error}") from error


def _ask(way: source.Way, waiting: list[tuple[str, str]], found: Missing) -> None:
    told = "".join(f"{number}\t{path}\n" for number, path in waiting if "\n" not in path and "\t" not in path)
    files, _, rows = source.ask(way, "rows", told).partition("\n\n")
    there = {
        number
        for number, _, state in (line.partition("\t") for line in files.splitlines())
        if state == "there"
    }
    known = set(rows.split())
    for number, path in waiting:
        kind = found.late if number in there else found.lost if number in known else found.deleted
        kind.append(f"{number} {path}")
