"""How many connections are worth having: as many as measurably help, and no more."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

FIRST, MOST = 4, 32
_SETTLE, _MEASURE = 0.3, 0.7
_LONG_MEASURE = 4.0
_HOLD = 300.0
_GAIN = 1.15
_SAME = 0.95
_BUSY_SECONDS = 10.0


@dataclass
class Connections:
    """Doubles the number of connections while the rate grows with it, halves it while it does not fall.

    The line of a download that takes hours is not the same all day, so the number is looked at again now and
    then. A server that answers 429 or 503 to more than half of the connections gets half of them.

    :param received: all bytes that have come so far.
    :param fixed: the number that the user asked for; None: to be found out.
    """

    received: Callable[[], int]
    fixed: int | None = None
    allowed: int = field(init=False)
    _most: int = MOST
    _refusals: deque[float] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.allowed = self.fixed or FIRST

    def busy(self) -> None:
        """The server has refused a request because it is asked too much."""
        if self.fixed is not None:
            return
        moment = time.monotonic()
        self._refusals.append(moment)
        while moment - self._refusals[0] > _BUSY_SECONDS:
            self._refusals.popleft()
        if len(self._refusals) > self.allowed // 2:
            self._refusals.clear()
            self.allowed = self._most = max(1, self.allowed // 2)

    async def tune(self, changed: Callable[[], object]) -> None:
        """Find the number, keep it, look again; until cancelled.

        :param changed: called when more connections may work.
        """
        if self.fixed is not None:
            return
        while True:
            if not await self._grow(changed):
                await self._shrink(changed)
            await asyncio.sleep(_HOLD)
            self._most = MOST

    async def _grow(self, changed: Callable[[], object]) -> bool:
        """Double while that helps. Returns whether it did at all."""
        grown = False
        rate = await self._rate(_MEASURE)
        while self.allowed < self._most:
            before = self.allowed
            self._set(min(self._most, before * 2), changed)
            more = await self._rate(_MEASURE)
            if more < rate * _GAIN:
                # A short look may be unlucky, and more connections cost nothing while it is repeated.
                more = await self._rate(_LONG_MEASURE)
            if more < rate * _GAIN:
                self.allowed = min(before, self._most)
                return grown
            rate, grown = more, True
        return grown

    async def _shrink(self, changed: Callable[[], object]) -> None:
        rate = await self._rate(_LONG_MEASURE)
        while self.allowed > 1:
            before = self.allowed
            self.allowed = before // 2
            if await self._rate(_LONG_MEASURE) < rate * _SAME:
                self._set(min(before, self._most), changed)
                return

    def _set(self, allowed: int, changed: Callable[[], object]) -> None:
        self.allowed = allowed
        changed()

    async def _rate(self, seconds: float) -> float:
        await asyncio.sleep(_SETTLE)
        before, since = self.received(), time.monotonic()
        await asyncio.sleep(seconds)
        return (self.received() - before) / (time.monotonic() - since)
