"""`python -m bench.wire FILE RATE COMMAND...`: runs a command at the other end of a line, as ssh does.

All that runs with the same file shares the line. Each direction has the whole rate, in bytes a second.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from bench.bucket import TokenBucket

_PIECE = 1 << 17
_PIPE = 1 << 20
_LATE = 0.01
"""Seconds that a sleep may come late without a loss to the line."""
_MOMENT = struct.Struct("d")


class Direction:
    """One direction of a line that several processes share.

    :param path: holds, for each direction, when all that was taken is through.
    :param number: 0 or 1.
    :param rate: bytes a second.
    """

    def __init__(self, path: Path, number: int, rate: float) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._place = number * _MOMENT.size
        self._rate = rate

    def wait(self, count: int) -> None:
        """Return when so many bytes are through."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        found = os.pread(self._file, _MOMENT.size, self._place).ljust(_MOMENT.size, b"\0")
        bucket = TokenBucket(self._rate, self._rate * _LATE, *_MOMENT.unpack(found))
        seconds = bucket.take(count, time.monotonic())
        os.pwrite(self._file, _MOMENT.pack(bucket.free_at), self._place)
        fcntl.flock(self._file, fcntl.LOCK_UN)
        if seconds:
            time.sleep(seconds)


def _carry(source: int, sink: int, way: Direction) -> None:
    """Carry bytes to the end, or until nobody takes them."""
    try:
        while piece := os.read(source, _PIECE):
            way.wait(len(piece))
            view = memoryview(piece)
            while view:
                view = view[os.write(sink, view) :]
    except BrokenPipeError:
        pass
    finally:
        os.close(source)
        os.close(sink)


def main(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    path, rate, *command = words
    there, back = (Direction(Path(path), number, float(rate)) for number in (0, 1))
    for end in (0, 1):
        # Callers may have other habits.
        os.set_blocking(end, True)
    # As sshd does, in a session of its own.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pipesize=_PIPE, start_new_session=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise AssertionError
        to, come = os.dup(process.stdin.fileno()), os.dup(process.stdout.fileno())
        process.stdin.close()
        process.stdout.close()
        threading.Thread(target=_carry, args=(0, to, there), daemon=True).start()
        _carry(come, 1, back)
    return process.returncode


if __name__ == "__main__":
    # A thread may wait for a word that never comes.
    os._exit(main(sys.argv[1:]))
