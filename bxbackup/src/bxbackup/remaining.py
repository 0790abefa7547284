"""How long a restore will still take, from what each room has been seen to do.

All times are spans of a clock that never jumps; the wall clock is asked only to say when that will be.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from bxbackup.crew import LoadProgress

SPAN = 120.0
"""Seconds over which the load's rate is measured."""

_STEP = 1.0


@dataclass
class Remaining:
    """Seconds to the end: the rooms work at once, so the one that needs longest counts."""

    _volumes: int = 0
    _spent: float = 0.0
    _load: LoadProgress | None = None
    _marks: deque[tuple[float, int]] = field(default_factory=deque)

    def unpacked(self, seconds: float) -> None:
        """A volume took so long to unpack; waiting for it is not in that."""
        self._volumes += 1
        self._spent += seconds

    def loaded(self, progress: LoadProgress) -> None:
        """The load has come so far."""
        moment = time.monotonic()
        self._load = progress
        if not self._marks or moment - self._marks[-1][0] >= _STEP:
            self._marks.append((moment, progress.bytes))
        while len(self._marks) > 1 and moment - self._marks[0][0] > SPAN:
            self._marks.popleft()

    def seconds(self, *, missing: int, rate: float, volumes: int) -> float | None:
        """None: nothing is known yet, or nothing is left.

        :param missing: bytes that are not fetched.
        :param rate: bytes per second that arrive.
        :param volumes: how many are not unpacked.
        """
        found: list[float] = []
        if missing > 0 and rate > 0:
            found.append(missing / rate)
        if volumes > 0 and self._volumes:
            found.append(volumes * self._spent / self._volumes)
        load = self._loading()
        if load is not None:
            found.append(load)
        return max(found, default=None)

    def _loading(self) -> float | None:
        if self._load is None or not self._marks:
            return None
        started, before = self._marks[0]
        span, done = time.monotonic() - started, self._load.bytes - before
        left = self._load.total_bytes - self._load.bytes
        return left * span / done if left > 0 and done > 0 and span > 0 else None
