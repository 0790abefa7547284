"""The database as statements: for servers of another version, or on hosts of their own."""

from __future__ import annotations

import time

from boxlift_reader import source, sql
from boxlift_reader.state import State, Strand
from boxlift_reader.stream import flow

from .order import Order

_OF_NOBODY = (
    r"s#^(/\*!50003 CREATE\*/ )/\*!50017 DEFINER=`[^`]*`@`[^`]*`\*/ #\1#",
    r"s#^/\*!50013 DEFINER=`[^`]*`@`[^`]*` #/*!50013 #",
)
"""Triggers and views become this server's administrator's, who may not make anybody else's: production's
accounts are none here. No line within a value begins so, as a dump writes its line ends as two characters."""


def pull(order: Order, state: State, status: Strand) -> None:
    """Pull production's database into a database of this host's server; what is there of it goes first."""
    if state.done("database"):
        return
    connection = sql.connect(order.options_file)
    name = f"`{order.own_database}`"
    sql.execute(connection, f"DROP DATABASE IF EXISTS {name}")
    sql.execute(connection, f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE {order.collation}")
    connection.close()
    status.stage("database", None)
    moved = flow(
        [
            source.command(order, "statements"),
            ["zstd", "--decompress", "--stdout", "--quiet"],
            ["sed", "--regexp-extended", *(f"--expression={part}" for part in _OF_NOBODY)],
            [
                "mariadb",
                f"--defaults-file={order.options_file}",
                "--init-command=SET SESSION sql_mode='', foreign_key_checks=0, unique_checks=0",
                order.own_database,
            ],
        ],
        rate_kb=order.bandwidth_kb,
        tell=status.moved,
    )
    source.judge(order, moved, "the database server")
    state.measure(
        "database",
        {
            "bytes": moved.arrived,
            "travelled": moved.travelled,
            "seconds": round(moved.seconds, 1),
            "as_of": time.time() - moved.seconds,
        },
    )
    state.mark("database")
