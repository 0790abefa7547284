"""The backup's tables beside production's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pymysql

from boxlift_reader import sql
from boxlift_reader.fault import DatabaseError, InterruptedPullError

_NAMED = 10
"""Tables that a message names."""
_IN_MEMORY = "in memory"
"""Stands for the figure of a table whose rows are in the server's memory alone: no restart keeps them, and no
backup of files has them."""


@dataclass(frozen=True)
class Tables:
    """Tables as production said they are.

    :param figures: checksum or number of rows by table, as text; "NULL" where the table had gone.
    :param touched: when each was last written to or made anew, seconds since 1970 by production's clock.
    """

    figures: Mapping[str, str]
    touched: Mapping[str, float]

    @classmethod
    def read(cls, said: str) -> Tables:
        """Read the answer to `sums` or `counts`: figures, an empty line, times, an empty line.

        :raises InterruptedPullError: it is cut.
        """
        try:
            figures, times, _ = said.split("\n\n")
            touched: dict[str, float] = {}
            for name, value in map(_pair, times.splitlines()):
                touched[name] = max(touched.get(name, 0.0), float(value))
            return cls(dict(map(_pair, figures.splitlines())), touched)
        except ValueError as error:
            raise InterruptedPullError(f"production did not say all of its tables: {error}") from error


@dataclass(frozen=True)
class Compared:
    """What the comparison showed.

    :param equal: tables whose rows are those that production had afterwards.
    :param changed: tables that production wrote to meanwhile, so that nobody can say more of them.
    """

    equal: tuple[str, ...]
    changed: tuple[str, ...]


def compare(backup: Mapping[str, str], production: Tables, moment: float) -> Compared:
    """Hold the backup's tables against production's.

    :param moment: when the backup was begun, by production's clock.
    :raises DatabaseError: a table differs though nobody has written to it since then.
    """
    equal, changed, wrong = [], [], []
    for name in sorted(backup.keys() | production.figures.keys()):
        now = production.figures.get(name, "NULL")
        if name in backup and backup[name] == now:
            equal.append(name)
        elif now == "NULL" or backup.get(name) == _IN_MEMORY or production.touched.get(name, 0.0) >= moment:
            changed.append(name)
        else:
            wrong.append(f"{name} ({'is lacking' if name not in backup else 'differs'})")
    if wrong:
        more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise DatabaseError(
            f"{len(wrong)} tables are not production's, though nobody wrote to them since the backup began:"
            f" {', '.join(wrong[:_NAMED])}{more}",
            "look at the disks of both hosts, then start again",
        )
    return Compared(tuple(equal), tuple(changed))


def figures(connection: pymysql.Connection[Any], database: str, *, sums: bool) -> dict[str, str]:
    """Checksum or number of rows of each table that was restored.

    :raises DatabaseError: a table cannot be read.
    """
    tables = sql.rows(
        connection,
        "SELECT TABLE_NAME, ENGINE FROM information_schema.TABLES"
        " WHERE TABLE_SCHEMA = %s AND TABLE_TYPE = 'BASE TABLE'",
        database,
    )
    found = {name: _IN_MEMORY for name, engine in tables if engine == "MEMORY"}
    try:
        for name in (name for name, _ in tables if name not in found):
            table = f"`{database}`.`{name.replace('`', '``')}`"
            if sums:
                ((_, figure),) = sql.rows(connection, f"CHECKSUM TABLE {table}")
            else:
                ((figure,),) = sql.rows(connection, f"SELECT COUNT(*) FROM {table}")
            found[name] = "NULL" if figure is None else str(figure)
    except pymysql.MySQLError as error:
        raise DatabaseError(f"a table of the backup cannot be read: {error}") from error
    return found


def sound(connection: pymysql.Connection[Any], database: str, found: Mapping[str, str]) -> None:
    """Check each table with all its indexes.

    :param found: its figure by table; one in memory cannot be checked.
    :raises DatabaseError: one is not sound.
    """
    broken = []
    for name in sorted(name for name, figure in found.items() if figure != _IN_MEMORY):
        said = sql.rows(connection, f"CHECK TABLE `{database}`.`{name.replace('`', '``')}`")
        if said[-1][-1] != "OK":
            broken.append(f"{name} ({said[-1][-1]})")
    if broken:
        raise DatabaseError(
            f"{len(broken)} tables of the backup are broken: {', '.join(broken[:_NAMED])}",
            "look at the disks of both hosts, then start again",
        )


def _pair(line: str) -> tuple[str, str]:
    name, value = line.split("\t")
    return name, value
