"""The database, as files or as statements, and what production says of it right afterwards."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from boxlift_reader import hot, source
from boxlift_reader.fault import InterruptedPullError
from boxlift_reader.order import Method
from boxlift_reader.state import State, Status
from boxlift_reader.stream import Flow, flow

from .order import Order

_LAST_LINE = "-- Dump completed"
_TAIL = 1000


def pull(order: Order, state: State, status: Status) -> None:
    """Pull the database, boxlift's own rows, and what production says of its tables.

    A stream that was cut begins again, and so does one whose preparation was cut.
    """
    if not state.done("database"):
        discard(order, state)
        state.measure("moment", {"production": float(source.ask(order, "moment"))})
        status.stage("database", order.database_bytes)
        physical = order.method is Method.PHYSICAL
        moved = _files(order, status) if physical else _statements(order, status)
        state.measure(
            "database",
            {
                "bytes": moved.arrived,
                "travelled": moved.travelled,
                "seconds": round(moved.seconds, 1),
                # Files are those of the moment when the stream ended, statements those of its beginning.
                "as_of": time.time() - (0 if physical else moved.seconds),
            },
        )
        if physical:
            status.stage("prepare")
            state.measure("prepare", {"seconds": round(hot.prepare(order.data), 1)})
        state.mark("database")
    if not state.done("said"):
        status.stage("ask for tables")
        _keep(order.work / "boxlift.sql", source.ask(order, "register"))
        said = source.ask(order, "sums" if order.comparable else "counts", seconds=None)
        _keep(order.work / "tables.txt", said)
        state.mark("said")


def discard(order: Order, state: State) -> None:
    """Forget a database of which nothing counts any more."""
    state.forget("database", "said")
    shutil.rmtree(order.data, ignore_errors=True)
    order.statements.unlink(missing_ok=True)


def _files(order: Order, status: Status) -> Flow:
    return hot.stream(order, order.data, rate_kb=order.bandwidth_kb, tell=status.moved)


def _statements(order: Order, status: Status) -> Flow:
    moved = flow(
        [
            source.command(order, "statements"),
            ["zstd", "--decompress", "--stdout", "--quiet"],
            ["zstd", "--compress", "--quiet", "--force", "-o", str(order.statements)],
        ],
        rate_kb=order.bandwidth_kb,
        tell=status.moved,
    )
    if moved.broken is not None:
        order.statements.unlink(missing_ok=True)
    source.judge(order, moved, str(order.statements))
    if not _last_line(order.statements).startswith(_LAST_LINE):
        raise InterruptedPullError("production's dump ended before its end")
    return moved


def _last_line(path: Path) -> str:
    unpack = ["zstd", "--decompress", "--stdout", "--quiet", str(path)]
    with subprocess.Popen(unpack, stdout=subprocess.PIPE) as unpacked:
        tail = subprocess.run(
            ["tail", f"--bytes={_TAIL}"], stdin=unpacked.stdout, stdout=subprocess.PIPE, check=True
        )
    return tail.stdout.decode(errors="replace").rstrip().rpartition("\n")[2]


def _keep(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
