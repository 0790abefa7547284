"""One run of a program that pulls: alone on its host, and with an end that everybody is told."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pymysql

from .fault import Code, InterruptedPullError, PullError, RefusedError
from .state import Status


def interruptible() -> None:
    """Let systemd's stop unwind the run as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _interrupted)


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """One run at a time on this host; the lock goes with the process.

    :raises RefusedError: another one is at it.
    """
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError(f"another {what} is being made on this host") from None
        yield
    finally:
        os.close(lock)


@contextmanager
def told(status: Status, folder: Path) -> Iterator[None]:
    """Write how the run ends.

    :param folder: whose disk it fills.
    :raises PullError: what the run raised, errors of the system and of the database included.
    """
    try:
        yield
    except PullError as error:
        status.end("failed", error.code, f"{error}{f'; {error.cure}' if error.cure else ''}")
        raise
    except (OSError, pymysql.MySQLError) as error:
        fault: PullError = PullError(str(error))
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            fault = InterruptedPullError(f"the disk of {folder} is full", "make room, then start again")
        status.end("failed", fault.code, str(fault))
        raise fault from error
    except BaseException:
        status.end("failed", Code.GO_ON, "interrupted; the next run goes on")
        raise
    status.end("done", Code.DONE)


def say(error: PullError) -> None:
    """The cause, and what to do about it."""
    sys.stderr.write("".join(f"{line}\n" for line in (str(error), error.cure) if line))


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(number, frame)
