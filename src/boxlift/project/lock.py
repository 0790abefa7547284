"""One runner at a time: an advisory lock that the kernel gives back when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from pathlib import Path

from boxlift.errors import RefusedError

_PATIENCE = 0.5
"""Seconds in which a look at the lock is over; a runner holds it longer."""


class RunnerLock:
    """Context manager; RefusedError when another runner holds the project."""

    def __init__(self, path: Path, purpose: str) -> None:
        self._path = path
        self._purpose = purpose
        self._descriptor = -1

    def __enter__(self) -> RunnerLock:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not self._taken():
            os.close(self._descriptor)
            raise RefusedError(
                f"another runner works on this project: {_describe(self._path)}",
                cure="wait for it, or look: boxlift status",
            )
        os.ftruncate(self._descriptor, 0)
        holder = {"pid": os.getpid(), "purpose": self._purpose, "since": time.time()}
        # who holds it is told to others; the lock itself needs no space on the disk
        with suppress(OSError):
            os.write(self._descriptor, json.dumps(holder).encode())
        return self

    def _taken(self) -> bool:
        """Whether the lock is ours now; one who only looks whether it is held has it for a moment."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.05)
            else:
                return True

    def __exit__(self, *_: object) -> None:
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def is_held(path: Path) -> bool:
    """Whether a runner holds the lock now."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _describe(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        since = time.strftime("%H:%M:%S", time.localtime(holder["since"]))
    except (OSError, ValueError, KeyError):
        return "it has just started"
    return f"process {holder['pid']} ({holder['purpose']}) since {since}"
