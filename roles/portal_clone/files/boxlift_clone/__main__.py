"""`python3 -m boxlift_clone ORDER`: fill a new release."""

from __future__ import annotations

import argparse
import errno
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType

import pymysql

from boxlift_reader import source
from boxlift_reader.fault import Code, InterruptedPullError, PullError, RefusedError
from boxlift_reader.state import State, Status

from . import logical, physical, report, rows, tree
from .order import Method, Order


def main() -> int:
    """Do it; the exit code is bxbackup's where both have one."""
    parser = argparse.ArgumentParser(prog="boxlift_clone", description=__doc__)
    parser.add_argument("order", type=Path)
    words = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        order = Order.read(words.order)
        with _alone(order):
            return _copy(order)
    except PullError as error:
        _say(error)
        return error.code


def _copy(order: Order) -> int:
    order.folder.mkdir(mode=0o755, exist_ok=True)
    status = Status(order.folder)
    try:
        _fill(order, status)
    except PullError as error:
        status.end("failed", error.code, f"{error}{f'; {error.cure}' if error.cure else ''}")
        raise
    except (OSError, pymysql.MySQLError) as error:
        told: PullError = PullError(str(error))
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            told = InterruptedPullError(f"the disk of {order.folder} is full", "make room, then start again")
        status.end("failed", told.code, str(told))
        raise told from error
    except BaseException:
        status.end("failed", Code.GO_ON, "interrupted; the next run goes on")
        raise
    status.end("done", Code.DONE)
    return Code.DONE


def _fill(order: Order, status: Status) -> None:
    state = State(order.folder)
    if state.bind(source=order.source, database=order.database, method=str(order.method)):
        # A server that was started for what does not count would go on with files that are gone.
        physical.discard(order)
    _forget_old(order, state)
    _same_release(order)
    pull = physical.pull if order.method is Method.PHYSICAL else logical.pull
    pull(order, state, status)
    # Files after the database: no row then points to a file that came later than the copy.
    if not state.done("files"):
        tree.pull(order, state, status)
    status.stage("check")
    missing = rows.check(order)
    if missing.late:
        tree.again(order, status)
        missing = rows.check(order)
    if missing.late:
        raise InterruptedPullError(
            f"{len(missing.late)} files of production did not arrive, the first is {missing.late[0]}"
        )
    _same_release(order)
    state.measure("missing", asdict(missing))
    report.write(order, state)


def _same_release(order: Order) -> None:
    """Database and files are those of one release: the one that was looked at before."""
    active = source.ask(order, "release").strip()
    if active != order.source:
        raise InterruptedPullError(
            f"production serves {active} now, the copy was to be one of {order.source}"
        )


def _forget_old(order: Order, state: State) -> None:
    """A database that was pulled long ago is not production as it is now."""
    at = state.figures("database").get("as_of")
    if at is not None and time.time() - float(at) > order.resume_hours * 3600:
        state.forget("stream", "prepared", "purged", "database", "files")
        physical.discard(order)


@contextmanager
def _alone(order: Order) -> Iterator[None]:
    """One copy at a time on this host; the lock goes with the process."""
    order.copies.mkdir(mode=0o755, parents=True, exist_ok=True)
    lock = os.open(order.copies / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError("another copy is being made on this host") from None
        yield
    finally:
        os.close(lock)


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(number, frame)


def _say(error: PullError) -> None:
    sys.stderr.write("".join(f"{line}\n" for line in (str(error), error.cure) if line))


if __name__ == "__main__":
    sys.exit(main())
