"""`measures.jsonl`: how fast each room was, for forecasts of later restores.

One JSON object a line, appended by every run of the state folder. No URL and no name but those of parts and
tables stand in it. A line that a crash or a full disk has torn is for readers to pass over; the next run
begins on a line of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bxbackup.state import now

SLICE = 30.0
"""Seconds of a slice of the line; the last one of a run is shorter."""

_MODE = 0o640


@dataclass(frozen=True, slots=True)
class LineSlice:
    """What came over the line in a span of time in which it was used: no closed time window is in it.

    :param started: UTC, ISO 8601.
    :param bytes: all that arrived, of whatever part, and whether or not it was of use.
    """

    started: str
    seconds: float
    bytes: int


@dataclass(frozen=True, slots=True)
class PartFetch:
    """A part that a run has fetched to its end.

    :param bytes: of the part.
    :param fetched: bytes that arrived for it in this run: less where an earlier run had some, more where
        some came twice.
    :param seconds: from its first byte until it was checked.
    :param repairs: faults put right.
    """

    name: str
    bytes: int
    fetched: int
    started: str
    seconds: float
    repairs: int


@dataclass(frozen=True, slots=True)
class PartUnpack:
    """A part that was verified and unpacked.

    :param bytes: uncompressed.
    :param seconds: of work; waiting for the part is not in it.
    """

    name: str
    bytes: int
    started: str
    seconds: float


@dataclass(frozen=True, slots=True)
class TableLoad:
    """What a run has put into one table, up to its last row and key.

    :param bytes: of its rows statements in the dump.
    :param seconds: of work on its rows and keys, all sessions together; waiting for the dump is not in it.
    """

    name: str
    bytes: int
    rows: int
    started: str
    seconds: float


Measure = LineSlice | PartFetch | PartUnpack | TableLoad
_KINDS = {LineSlice: "line", PartFetch: "part", PartUnpack: "unpack", TableLoad: "table"}


class Measures:
    """Appends measures to a file; from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._torn = True

    def add(self, measure: Measure) -> None:
        """Append one. Where that cannot be, on a full disk say, the restore goes on without it."""
        values = asdict(measure)
        values["seconds"] = round(values["seconds"], 3)
        line = json.dumps({"kind": _KINDS[type(measure)]} | values, ensure_ascii=False).encode() + b"\n"
        with self._lock, contextlib.suppress(OSError):
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, _MODE)
            try:
                if self._torn and self._cut(descriptor):
                    line = b"\n" + line
                self._torn = os.write(descriptor, line) < len(line)
            finally:
                os.close(descriptor)

    @staticmethod
    def _cut(descriptor: int) -> bool:
        """Whether the file ends in the middle of a line."""
        size = os.fstat(descriptor).st_size
        return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


class Line:
    """Cuts what arrives into slices; from any thread.

    :param arrived: all bytes that have arrived in this run, so far.
    :param done: told each slice.
    """

    def __init__(self, arrived: Callable[[], int], done: Callable[[LineSlice], None]) -> None:
        self._arrived = arrived
        self._done = done
        self._lock = threading.Lock()
        self._began, self._started, self._before = time.monotonic(), now(), 0
        self._idle = self._ended = False

    def look(self, *, waiting: bool = False) -> None:
        """To be called about once a second.

        :param waiting: nothing is fetched now, by the time window.
        """
        with self._lock:
            if not self._ended and (waiting != self._idle or time.monotonic() - self._began >= SLICE):
                self._cut()
                self._idle = waiting

    def end(self) -> None:
        """The last byte has come, or the transfer gave up."""
        with self._lock:
            if not self._ended:
                self._cut()
                self._ended = True

    def _cut(self) -> None:
        moment, total = time.monotonic(), self._arrived()
        seconds = moment - self._began
        if not self._idle and (total > self._before or seconds >= SLICE):
            self._done(LineSlice(self._started, seconds, total - self._before))
        self._began, self._started, self._before = moment, now(), total
