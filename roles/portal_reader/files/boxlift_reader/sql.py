"""Questions to a database server of this host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymysql


def connect(options_file: Path) -> pymysql.Connection[Any]:
    """A session as the administrator, by a client option file."""
    return pymysql.connect(
        read_default_file=str(options_file),
        charset="utf8mb4",
        autocommit=True,
        init_command="SET sql_mode='', time_zone='+00:00'",
    )


def rows(connection: pymysql.Connection[Any], statement: str, *values: str) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return list(cursor.fetchall())


def execute(connection: pymysql.Connection[Any], statement: str) -> None:
    """Run a statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
