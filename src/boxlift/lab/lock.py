"""One command at a time on a lab."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from boxlift.lab.errors import LabError
from boxlift.lab.place import Lab


@contextmanager
def locked(lab: Lab, command: str) -> Iterator[None]:
    """Hold the lab for `command`; refuse with the other command's name when it is held already.

    The kernel drops the lock with the process, so a killed command leaves nothing behind.
    """
    lab.claim()
    path = lab.folder / "lock"
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "another command"
            raise LabError(
                f"{holder} is at work on the lab {lab.name}: wait until it has ended, then run this again"
            ) from error
        file.truncate(0)
        file.write(f"`boxlift lab {command}` (process {os.getpid()})")
        file.flush()
        yield
