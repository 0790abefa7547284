"""The database as files: a hot backup of production, made consistent here, in a server of its own."""

from __future__ import annotations

import shutil
import time

from boxlift_reader import hot, source
from boxlift_reader.fault import InterruptedPullError, PullError
from boxlift_reader.state import State, Status

from . import schema, server
from .order import Order


def pull(order: Order, state: State, status: Status) -> None:
    """Pull, prepare, take production's accounts out, start the copy's own server, name its database.

    A stream that was cut begins again; everything after it goes on where it stands.
    """
    if state.done("database"):
        server.start(order)
        return
    again = state.done("stream") is not None
    if not again:
        _stream(order, state, status)
    if not state.done("prepared"):
        status.stage("prepare")
        try:
            _prepare(order, state)
        except InterruptedPullError:
            raise
        except PullError:
            if not again:
                raise
            # The run that was killed may have been preparing: what it left is not to be trusted.
            _stream(order, state, status)
            status.stage("prepare")
            _prepare(order, state)
    status.stage("server")
    if not state.done("purged"):
        server.describe(order)
        server.purge(order)
        state.mark("purged")
    server.start(order)
    schema.take_over(order)
    state.mark("database")


def _stream(order: Order, state: State, status: Status) -> None:
    """Pull production's data files into an empty folder."""
    state.forget("stream", "prepared", "purged")
    status.stage("database", order.database_bytes)
    moved = hot.stream(order, order.data, rate_kb=order.bandwidth_kb, tell=status.moved)
    state.measure(
        "database",
        {
            "bytes": moved.arrived,
            "travelled": moved.travelled,
            "seconds": round(moved.seconds, 1),
            # The data are those of the moment when the backup ended, not when it began.
            "as_of": time.time(),
        },
    )
    state.mark("stream")


def _prepare(order: Order, state: State) -> None:
    state.measure("prepare", {"seconds": round(hot.prepare(order.data), 1)})
    state.mark("prepared")


def discard(order: Order) -> None:
    """Stop the copy's server and remove its data."""
    if order.folder.joinpath("server.cnf").exists():
        source.run(["systemctl", "stop", server.unit(order)], str(order.folder))
    shutil.rmtree(order.data, ignore_errors=True)
    for name in ("objects.sql", "server.cnf", "client.cnf"):
        (order.folder / name).unlink(missing_ok=True)
