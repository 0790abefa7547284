"""The database server of one copy: its own data, socket and unit, and no network at all."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pymysql

from .fault import DatabaseError
from .order import Order
from .source import run

_START_SECONDS = 900.0
_LAYOUT = ("innodb_page_size", "innodb_data_file_path", "innodb_undo_tablespaces")
"""Settings without which the copied files are not read."""
_OF_BACKUP = "backup-my.cnf"

# No copy needs production's accounts, servers and plugins: they go before anybody can ask the server. The
# account that owns the server's own views is locked and stays.
_PURGE = """\
USE mysql;
DELETE FROM global_priv WHERE NOT (User = 'mariadb.sys' AND Host = 'localhost');
DELETE FROM db;
DELETE FROM tables_priv WHERE NOT (User = 'mariadb.sys' AND Host = 'localhost');
DELETE FROM columns_priv;
DELETE FROM procs_priv;
DELETE FROM proxies_priv;
DELETE FROM roles_mapping;
DELETE FROM servers;
DELETE FROM plugin;
INSERT INTO global_priv (Host, User, Priv)
  VALUES ('localhost', 'root', '{"access":-1,"plugin":"unix_socket","authentication_string":""}');
"""


def unit(order: Order) -> str:
    """The unit that runs it."""
    return f"boxlift-database@{order.release}.service"


def describe(order: Order) -> None:
    """Write its settings, and how the administrator of this host reaches it."""
    lines = [
        "# Written by boxlift for one copy of the portal.",
        f"!includedir {order.settings}",
        "[mysqld]",
        f"datadir = {order.data}",
        f"socket = {order.socket}",
        f"pid-file = {order.socket.with_name('server.pid')}",
        f"innodb_buffer_pool_size = {order.memory_mb}M",
        # Nobody reaches it but programs of this host, and nothing runs in it by itself.
        "skip-networking",
        "event_scheduler = OFF",
        "skip-slave-start",
        "skip-log-bin",
        "slow_query_log = OFF",
        "performance_schema = OFF",
        *layout(order.data),
    ]
    _write(order.folder / "server.cnf", lines)
    _write(order.folder / "client.cnf", ["[client]", f"socket = {order.socket}", "user = root"])


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    path.chmod(0o644)


def layout(data: Path) -> list[str]:
    """Settings of the files' form, as the backup says they are."""
    path = data / _OF_BACKUP
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [line for line in lines if line.partition("=")[0].strip().replace("-", "_") in _LAYOUT]


def purge(order: Order) -> None:
    """Remove all accounts but the administrator's, without letting anybody in meanwhile."""
    run(["chown", "--recursive", f"{order.account}:{order.account}", str(order.data)], str(order.data))
    defaults = f"--defaults-file={order.folder / 'server.cnf'}"
    run(
        [_program("mariadbd"), defaults, "--bootstrap", f"--pid-file={order.data / 'purge.pid'}"],
        str(order.data),
        told=_PURGE,
        user=order.account,
    )


def _program(name: str) -> str:
    return shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") or name


def start(order: Order) -> None:
    """Start its unit and wait until it answers.

    :raises DatabaseError: it does not.
    """
    run(["systemctl", "start", unit(order)], str(order.folder))
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            connect(order.folder / "client.cnf").close()
        except pymysql.MySQLError as error:
            if time.monotonic() > deadline:
                raise DatabaseError(
                    f"the copy's database server does not answer: {error}", f"journalctl -u {unit(order)}"
                ) from error
            time.sleep(0.2)
        else:
            return


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
