"""The database as files: a hot backup of production, made consistent here, in a server of its own."""

from __future__ import annotations

import shutil
import time

from . import schema, server, source
from .fault import CloneError, InterruptedCopyError
from .order import Order
from .state import State, Status
from .stream import flow

_PREPARE_MEMORY_MB = 256
_COMPLETED = "completed OK!"
"""The last words of mariadb-backup when all went well: its contract (restore_peers, reliability anchors)."""
_CHECKPOINTS = ("mariadb_backup_checkpoints", "xtrabackup_checkpoints")


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
        except InterruptedCopyError:
            raise
        except CloneError:
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
    if order.data.exists():
        shutil.rmtree(order.data)
    order.data.mkdir(mode=0o700)
    extract = shutil.which("mbstream") or shutil.which("mariadb-mbstream") or "mbstream"
    moved = flow(
        [
            source.command(order, "backup"),
            ["zstd", "--decompress", "--stdout", "--quiet"],
            [extract, "--extract", "--directory", str(order.data)],
        ],
        rate_kb=order.bandwidth_kb,
        tell=status.moved,
    )
    if moved.broken is not None:
        # No stream goes on where it was cut, and the room may be what was missing.
        shutil.rmtree(order.data)
    source.judge(order, moved, str(order.data))
    if not any((order.data / name).is_file() for name in _CHECKPOINTS):
        raise InterruptedCopyError("the stream of production's database ended before its end")
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
    """Bring the data files to one moment: what the stream caught at different times."""
    began = time.monotonic()
    said = source.run(
        [
            "mariadb-backup",
            "--no-defaults",
            "--prepare",
            f"--target-dir={order.data}",
            f"--use-memory={_PREPARE_MEMORY_MB}M",
        ],
        str(order.data),
    )
    if not said.rstrip().endswith(_COMPLETED):
        raise CloneError(f"mariadb-backup --prepare: {source.last_line(said)}")
    state.measure("prepare", {"seconds": round(time.monotonic() - began, 1)})
    state.mark("prepared")


def discard(order: Order) -> None:
    """Stop the copy's server and remove its data."""
    if order.folder.joinpath("server.cnf").exists():
        source.run(["systemctl", "stop", server.unit(order)], str(order.folder))
    shutil.rmtree(order.data, ignore_errors=True)
    for name in ("objects.sql", "server.cnf", "client.cnf"):
        (order.folder / name).unlink(missing_ok=True)
