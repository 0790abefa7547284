"""The database as statements: for servers of another version, or on hosts of their own."""

from __future__ import annotations

import time

from . import server, source
from .order import Order
from .state import State, Status
from .stream import flow


def pull(order: Order, state: State, status: Status) -> None:
    """Pull production's database into a database of this host's server; what is there of it goes first."""
    if state.done("database"):
        return
    connection = server.connect(order.options_file)
    name = f"`{order.own_database}`"
    server.execute(connection, f"DROP DATABASE IF EXISTS {name}")
    server.execute(connection, f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE {order.collation}")
    connection.close()
    status.stage("database", None)
    moved = flow(
        [
            source.command(order, "statements"),
            ["zstd", "--decompress", "--stdout", "--quiet"],
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
