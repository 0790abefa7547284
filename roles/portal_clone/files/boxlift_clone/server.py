"""The database server of one copy: its own data, socket and unit, and no network at all."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pymysql

from boxlift_reader import crew, hot
from boxlift_reader.fault import DatabaseError
from boxlift_reader.source import run
from boxlift_reader.sql import connect

from .order import Order

_START_SECONDS = 900.0
_PLACES = (
    "innodb_data_home_dir",
    "innodb_log_group_home_dir",
    "innodb_undo_directory",
    "aria_log_dir_path",
)
"""Folders of a server's own files, where its settings may name another than its data."""
_EMPTIED = (
    *("db", "columns_priv", "procs_priv", "proxies_priv", "roles_mapping", "servers", "plugin", "func"),
    *("event", "general_log", "slow_log", "gtid_slave_pos", "transaction_registry"),
    *("column_stats", "index_stats", "table_stats"),
)
"""Tables of the server's own that a copy needs nothing of: rights, passwords of other servers, statements
that somebody logged, and statistics, which name the least and the greatest value of a column."""
# All before anybody can ask the server. The account that owns the server's own views is locked and stays, and
# routines stay until the database has its name. Deleted rows lie in a table's file until it is written anew.
_PURGE = """\
USE mysql;
{emptied}
DELETE FROM global_priv WHERE NOT (User = 'mariadb.sys' AND Host = 'localhost');
DELETE FROM tables_priv WHERE NOT (User = 'mariadb.sys' AND Host = 'localhost');
DELETE FROM proc WHERE db NOT IN ('mysql', '{database}');
DELETE FROM innodb_index_stats WHERE database_name NOT IN ('mysql', '{database}');
DELETE FROM innodb_table_stats WHERE database_name NOT IN ('mysql', '{database}');
INSERT INTO global_priv (Host, User, Priv)
  VALUES ('localhost', 'root', '{{"access":-1,"plugin":"unix_socket","authentication_string":""}}');
ALTER TABLE global_priv FORCE;
ALTER TABLE tables_priv FORCE;
ALTER TABLE proc FORCE;
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
        "general_log = OFF",
        # The host's settings may name places of the host's own server: two servers in one place destroy both.
        *(f"{name} = {order.data}" for name in _PLACES),
        "skip-log-error",
        "init_file =",
        "tmpdir = /tmp",
        "loose_wsrep_on = OFF",
        *hot.layout(order.data),
    ]
    _write(order.folder / "server.cnf", lines)
    _write(order.folder / "client.cnf", ["[client]", f"socket = {order.socket}", "user = root"])


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    path.chmod(0o644)


def purge(order: Order) -> None:
    """Remove all accounts but the administrator's, and what tells of other databases, with nobody let in."""
    run(["chown", "--recursive", f"{order.account}:{order.account}", str(order.data)], str(order.data))
    defaults = f"--defaults-file={order.folder / 'server.cnf'}"
    run(
        [_program("mariadbd"), defaults, "--bootstrap", f"--pid-file={order.data / 'purge.pid'}"],
        str(order.data),
        told=_PURGE.format(
            database=order.database, emptied="\n".join(f"TRUNCATE TABLE {name};" for name in _EMPTIED)
        ),
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
            crew.check()
            time.sleep(0.2)
        else:
            return
