"""How fast and when bytes may be fetched: a rate cap and a daily window, for lines that are shared."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from datetime import time as clock

from bxbackup.errors import UsageError

_RATE = re.compile(r"\A(\d+(?:\.\d+)?)\s*([KMG]?)(i?)(?:B?(?:/s)?)?\Z", re.IGNORECASE)
_POWER = {"": 0, "K": 1, "M": 2, "G": 3}
_WINDOW = re.compile(r"\A([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)\Z")
_SPAN = 30.0
_TICK = 0.5


def parse_rate(text: str) -> float:
    """Bytes per second from `2M`, `800K`, `1.5MiB/s`; K, M, G are decimal, Ki, Mi, Gi binary.

    :raises UsageError: it is no rate.
    """
    match = _RATE.match(text.strip())
    rate = float(match[1]) * (1024 if match[3] else 1000) ** _POWER[match[2].upper()] if match else 0
    if rate < 1:
        raise UsageError(f"{text!r} is no rate", advice="give bytes per second, for example 800K or 2M")
    return rate


@dataclass(frozen=True)
class Window:
    """A time of day, on the machine's own clock; may reach over midnight."""

    start: clock
    end: clock

    def opens_in(self, moment: datetime) -> float:
        """Seconds until the window is open; 0 while it is."""
        at = moment.time()
        over_midnight = self.start >= self.end
        if (self.start <= at or at < self.end) if over_midnight else (self.start <= at < self.end):
            return 0.0
        opening = moment.replace(hour=self.start.hour, minute=self.start.minute, second=0, microsecond=0)
        if opening <= moment:
            opening += timedelta(days=1)
        return (opening - moment).total_seconds()


def parse_window(text: str) -> Window:
    """A window from `20:00-07:00`.

    :raises UsageError: it is none, or empty.
    """
    match = _WINDOW.match(text.strip())
    if match is None or (match[1], match[2]) == (match[3], match[4]):
        raise UsageError(
            f"{text!r} is no time window", advice="give it as HH:MM-HH:MM, for example 20:00-07:00"
        )
    return Window(clock(int(match[1]), int(match[2])), clock(int(match[3]), int(match[4])))


@dataclass
class Cap:
    """A rate cap that all connections share.

    :param rate: bytes per second; None for no cap.
    """

    rate: float | None
    _free_at: float = 0.0

    async def spend(self, count: int) -> None:
        """Wait until these bytes fit under the cap."""
        if self.rate is None:
            return
        moment = time.monotonic()
        self._free_at = max(self._free_at, moment - 0.25) + count / self.rate
        if self._free_at > moment:
            await asyncio.sleep(self._free_at - moment)


@dataclass
class Meter:
    """Bytes per second over the last half minute, on a clock that never jumps."""

    _marks: list[tuple[float, int]] = field(default_factory=list)
    total: int = 0

    def add(self, count: int) -> None:
        """These bytes have arrived."""
        self.total += count
        moment = time.monotonic()
        if not self._marks or moment - self._marks[-1][0] >= _TICK:
            self._marks.append((moment, self.total))
            self._marks = [mark for mark in self._marks if moment - mark[0] <= _SPAN]

    @property
    def rate(self) -> float:
        """Bytes per second now."""
        if not self._marks:
            return 0.0
        start, before = self._marks[0]
        span = time.monotonic() - start
        return (self.total - before) / span if span > _TICK else 0.0
