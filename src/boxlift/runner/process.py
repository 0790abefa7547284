"""Processes of a run, found by the mark in their environment, also after their runner was killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from boxlift.runner.environment import RUN_MARK


def of_runs(folder: Path) -> Iterator[int]:
    """Ids of this user's processes that belong to runs below `folder`, ssh masters left out."""
    mark = f"\0{RUN_MARK}={folder}/".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            if entry.stat().st_uid != os.getuid():
                continue
            program = (entry / "cmdline").read_bytes().split(b"\0", 1)[0]
            # a master connection is shared and ends by itself
            if mark in b"\0" + (entry / "environ").read_bytes() and not program.startswith(b"ssh:"):
                yield int(entry.name)


def send(folder: Path, number: signal.Signals) -> bool:
    """Signal all processes of the runs; whether there was one."""
    found = False
    for process in of_runs(folder):
        found = True
        with suppress(ProcessLookupError):
            os.kill(process, number)
    return found


def send_to_children(folder: Path, number: signal.Signals) -> None:
    """Signal only those that this process started itself; they see to their own children."""
    for process in of_runs(folder):
        with suppress(OSError, IndexError, ValueError):
            parent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                os.kill(process, number)


def end(folder: Path, patience: float = 5.0) -> bool:
    """End what still runs: SIGTERM, and after `patience` seconds SIGKILL. Whether there was anything."""
    if not send(folder, signal.SIGTERM):
        return False
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if not any(of_runs(folder)):
            return True
        time.sleep(0.1)
    send(folder, signal.SIGKILL)
    return True
