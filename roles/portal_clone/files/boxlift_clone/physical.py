"""The database as files: a hot backup of production, made consistent here, in a server of its own."""

from __future__ import annotations

import shutil
import time

from boxlift_reader import hot, source
from boxlift_reader.fault import InterruptedPullError, PullError
from boxlift_reader.state import State, Strand

from . import schema, server
from .order import Order


def arrive(order: Order, state: State, status: Strand) -> None:
    """Pull production's data files, those of one moment that is known from then on: files may follow.

    A stream that was cut begins again; everything after it goes on where it stands.
    """
    if state.done("database"):
        return
    if state.done("stream") is None:
        _stream(order, state, status)
    elif not state.done("prepared"):
        try:
            _prepare(order, state, status)
        except InterruptedPullError:
            raise
        except PullError:
            # The run that was killed may have been preparing: what it left is not to be trusted.
            _stream(order, state, status)


def serve(order: Order, state: State, status: Strand) -> None:
    """Prepare what has arrived, take production's accounts out, start the copy's server, name its data."""
    if not state.done("database"):
        if not state.done("prepared"):
            _prepare(order, state, status)
        status.stage("server")
        if not state.done("purged"):
            server.describe(order)
            server.purge(order)
            state.mark("purged")
    server.start(order)
    if not state.done("database"):
        schema.take_over(order)
        state.mark("database")


def _stream(order: Order, state: State, status: Strand) -> None:
    """Pull production's data files into an empty folder; what came of its files before must come again."""
    state.forget("stream", "prepared", "purged", "files")
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


def _prepare(order: Order, state: State, status: Strand) -> None:
    status.stage("prepare")
    state.measure("prepare", {"seconds": round(hot.prepare(order.data), 1)})
    state.mark("prepared")


def discard(order: Order) -> None:
    """Stop the copy's server and remove its data."""
    if order.folder.joinpath("server.cnf").exists():
        source.run(["systemctl", "stop", server.unit(order)], str(order.folder))
    shutil.rmtree(order.data, ignore_errors=True)
    for name in ("objects.sql", "server.cnf", "client.cnf"):
        (order.folder / name).unlink(missing_ok=True)
