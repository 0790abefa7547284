"""A dump into a database: rows first, secondary indexes after, tables in parallel, resumable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bxbackup.errors import DatabaseError


class Target(StrEnum):
    """What stands where the database is to be."""

    ABSENT = "absent"
    EMPTY = "empty"
    OURS = "ours"
    """Begun or finished by a load of the same state folder."""


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

    :param duplicates: rows that the dump holds twice, identical in every column, and that were loaded once.
    :param damaged_columns: `table.column` whose values the backup's writer is known to damage (BIT, FLOAT).
    :param collations: collations of the dump that were replaced, by what.
    :param resumed: part of the work had been done by an earlier run.
    """

    tables: int
    views: int
    rows: int
    duplicates: int
    seconds: float
    damaged_columns: tuple[str, ...]
    collations: dict[str, str]
    resumed: bool


def check_target(database: str, defaults_file: Path | None, state_dir: Path) -> Target:
    """Look whether a load may use a database; changes nothing.

    :raises RefusedError: the database holds something that no load of this state folder has put there.
    :raises DatabaseError: the server cannot be reached or refuses the account.
    :raises UsageError: no such name is possible.
    """
    raise DatabaseError(f"checking {database} is not in this version", cause=f"{defaults_file} {state_dir}")


def load_dump(
    dump_dir: Path,
    *,
    database: str,
    defaults_file: Path | None,
    collation: str | None,
    time_zone: str = "+00:00",
    state_dir: Path,
    progress: Callable[[LoadProgress], None],
) -> LoadResult:
    """Load the dump in a folder; go on where an earlier run of the same state folder stopped.

    :param collation: replaces the dump's case-insensitive Unicode collations; None keeps them where the
        server has them.
    :param time_zone: session time zone under which TIMESTAMP values are read, as the server names zones.
    :param progress: called from one thread at a time, a few times a second at most.
    :raises DamagedError: the dump is not complete.
    :raises RefusedError: the database is not ours to fill.
    :raises DatabaseError: the server refuses something, or is away for too long.
    """
    raise DatabaseError(
        f"loading {dump_dir} into {database} is not in this version",
        cause=f"{defaults_file} {collation} {time_zone} {state_dir} {progress}",
    )
