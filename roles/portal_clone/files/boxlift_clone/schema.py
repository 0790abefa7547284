"""The copied database under the copy's own name, and nothing else beside it."""

from __future__ import annotations

import re
from typing import Any

import pymysql

from boxlift_reader import crew, source, sql
from boxlift_reader.fault import DatabaseError

from .order import Order

_OF_SERVER = ("information_schema", "mysql", "performance_schema", "sys")
_AT_ONCE = 200
"""Tables renamed in one statement."""
_ENCODED = re.compile(r"@([0-9a-f]{4})")
"""A character that file names cannot have, as the server writes it."""
_DEFINER = re.compile(r"\bDEFINER\s*=\s*`[^`]*`@`[^`]*`", re.IGNORECASE)


def take_over(order: Order) -> None:
    """Give the database its name; drop all others. May be interrupted and called again."""
    connection = sql.connect(order.folder / "client.cnf")
    try:
        _take_over(connection, order)
    except pymysql.MySQLError as error:
        raise DatabaseError(f"the copied database cannot be named {order.own_database}: {error}") from error
    finally:
        connection.close()


def _take_over(connection: pymysql.Connection[Any], order: Order) -> None:
    old, new = order.database, order.own_database
    databases = {name for (name,) in sql.rows(connection, "SHOW DATABASES")}
    if old in databases:
        _move(connection, order, old, new)
    elif new not in databases:
        raise DatabaseError(f"production's backup lacks the database {old}")
    for name in sorted((databases | _known(connection)) - {new, *_OF_SERVER}):
        # InnoDB knows the tables of production's other databases too, which were not copied: it forgets them.
        sql.execute(connection, f"CREATE DATABASE IF NOT EXISTS {_quoted(name)}")
        sql.execute(connection, f"DROP DATABASE {_quoted(name)}")


def _known(connection: pymysql.Connection[Any]) -> set[str]:
    """Databases in InnoDB's own dictionary."""
    names = sql.rows(
        connection, "SELECT NAME FROM information_schema.INNODB_SYS_TABLES WHERE NAME LIKE '%/%'"
    )
    folders = {
        _ENCODED.sub(lambda found: chr(int(found[1], 16)), name.partition("/")[0]) for (name,) in names
    }
    # A name in a script of its own stays as an entry without a table, which does no harm.
    return {folder for folder in folders if "@" not in folder}


def _move(connection: pymysql.Connection[Any], order: Order, old: str, new: str) -> None:
    ((collation,),) = sql.rows(
        connection,
        "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = %s",
        old,
    )
    sql.execute(
        connection, f"CREATE DATABASE IF NOT EXISTS {_quoted(new)} CHARACTER SET utf8mb4 COLLATE {collation}"
    )
    code = order.folder / "objects.sql"
    if not code.exists():
        fresh = code.with_name(".objects.sql.new")
        fresh.write_text(_objects(connection, order, old), encoding="utf-8")
        fresh.rename(code)
    # MariaDB moves no table that has triggers to another database.
    for (name,) in sql.rows(
        connection, "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = %s", old
    ):
        sql.execute(connection, f"DROP TRIGGER {_quoted(old)}.{_quoted(name)}")
    tables = _names(connection, old, "BASE TABLE")
    for start in range(0, len(tables), _AT_ONCE):
        crew.check()
        moves = ", ".join(
            f"{_quoted(old)}.{_quoted(name)} TO {_quoted(new)}.{_quoted(name)}"
            for name in tables[start : start + _AT_ONCE]
        )
        sql.execute(connection, f"RENAME TABLE {moves}")
    if content := code.read_text(encoding="utf-8"):
        options = f"--defaults-file={order.folder / 'client.cnf'}"
        source.run(["mariadb", options, "--force", new], str(order.data), told=content)


def _objects(connection: pymysql.Connection[Any], order: Order, name: str) -> str:
    """Triggers, routines and views as statements; a portal of the vendor has none."""
    views = _names(connection, name, "VIEW")
    parts = []
    options = f"--defaults-file={order.folder / 'client.cnf'}"
    code = sum(
        len(sql.rows(connection, statement, name))
        for statement in (
            "SELECT 1 FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = %s",
            "SELECT 1 FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = %s",
        )
    )
    if code:
        words = ["mariadb-dump", options, "--no-data", "--no-create-info", "--routines", "--triggers", name]
        parts.append(source.run(words, str(order.data)))
    if views:
        parts.append(source.run(["mariadb-dump", options, "--no-data", name, *views], str(order.data)))
    return _DEFINER.sub("", "\n".join(parts))


def _names(connection: pymysql.Connection[Any], database: str, kind: str) -> list[str]:
    return [
        name
        for (name,) in sql.rows(
            connection,
            "SELECT TABLE_NAME FROM information_schema.TABLES"
            " WHERE TABLE_SCHEMA = %s AND TABLE_TYPE = %s ORDER BY TABLE_NAME",
            database,
            kind,
        )
    ]


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
