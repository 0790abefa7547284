"""One door to MariaDB or MySQL for boxlift's modules: a connection, safe names, the catalogue.

Runs on the managed host with Debian's python3-pymysql. Values travel as text (or bytes for binary columns),
so that what was read can be written back unchanged whatever the column's type.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence
from typing import Any

try:
    import pymysql
except ImportError:
    PYMYSQL_ERROR: str | None = traceback.format_exc()
else:
    PYMYSQL_ERROR = None
    # Without readers every value arrives as text or bytes.
    _WRITERS: dict[Any, Any] = dict(pymysql.converters.encoders)

#: Arguments that every module with a database connection takes.
SQL_ARGUMENTS: dict[str, dict[str, Any]] = {
    "login_unix_socket": {"type": "path", "default": "/run/mysqld/mysqld.sock"},
    "login_user": {"type": "str", "default": "root"},
    "login_password": {"type": "str", "no_log": True},
}

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,63}\Z")


class SqlError(Exception):
    """A statement or a name that the database, or this module, does not accept."""


def quoted(name: str) -> str:
    """Return an identifier in backticks; refuse what is not a plain name."""
    if not _NAME.match(name):
        raise SqlError(f"{name!r} is not a table, column or database name")
    return f"`{name}`"


class Database:
    """A session with sql_mode='' in UTC; reads are text or bytes, writes are one transaction."""

    def __init__(self, params: dict[str, Any]) -> None:
        """Connect by the socket; ``params`` are the module's parameters (SQL_ARGUMENTS)."""
        try:
            self._connection = pymysql.connect(
                unix_socket=params["login_unix_socket"],
                user=params["login_user"],
                password=params["login_password"] or "",
                charset="utf8mb4",
                conv=_WRITERS,
                autocommit=False,
                init_command="SET sql_mode='', time_zone='+00:00'",
            )
        except pymysql.MySQLError as error:
            raise SqlError(
                f"no connection to the database at {params['login_unix_socket']}: {error}"
            ) from error

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        with self._connection.cursor() as cursor:
            self._execute(cursor, statement, values)
            return list(cursor.fetchall())

    def value(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Return the first column of the first row, or None."""
        rows = self.rows(statement, values)
        return rows[0][0] if rows else None

    def run(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run a statement and return the number of rows it changed."""
        with self._connection.cursor() as cursor:
            self._execute(cursor, statement, values)
            return int(cursor.rowcount)

    @staticmethod
    def _execute(cursor: Any, statement: str, values: Sequence[Any]) -> None:
        # Without values the text is sent as it is: a percent sign in a LIKE pattern is not a placeholder.
        try:
            cursor.execute(statement, tuple(values) if values else None)
        except pymysql.MySQLError as error:
            raise SqlError(f"{error} in: {statement}") from error

    def commit(self) -> None:
        """Make the open transaction durable."""
        self._connection.commit()

    def close(self) -> None:
        """End the session; what was not committed is undone."""
        self._connection.close()

    def has_database(self, database: str) -> bool:
        """Tell whether a database exists."""
        return bool(self.rows("SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = %s", [database]))

    def tables(self, database: str) -> set[str]:
        """Return the names of a database's base tables."""
        return {
            row[0]
            for row in self.rows(
                "SELECT TABLE_NAME FROM information_schema.TABLES"
                " WHERE TABLE_SCHEMA = %s AND TABLE_TYPE = 'BASE TABLE'",
                [database],
            )
        }

    def columns(self, database: str, table: str) -> list[str]:
        """Return a table's columns in order; empty where there is no such table."""
        return [
            row[0]
            for row in self.rows(
                "SELECT COLUMN_NAME FROM information_schema.COLUMNS"
                " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION",
                [database, table],
            )
        ]

    def key(self, database: str, table: str) -> list[str]:
        """Return the primary key's columns, or all columns where the table has none."""
        key = [
            row[0]
            for row in self.rows(
                "SELECT COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE"
                " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s AND CONSTRAINT_NAME = 'PRIMARY'"
                " ORDER BY ORDINAL_POSITION",
                [database, table],
            )
        ]
        return key or self.columns(database, table)
