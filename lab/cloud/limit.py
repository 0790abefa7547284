"""Rate limits: one for all connections together, one for each."""

from __future__ import annotations

import asyncio


class Pace:
    """Lets `rate` bytes a second through; 0 is no limit. Who comes first is served first."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._free_at = 0.0

    def chunk(self, largest: int) -> int:
        """A size of writes that keeps the flow even: about a twentieth of a second's worth."""
        return largest if self.rate == 0 else max(1024, min(largest, self.rate // 20))

    async def take(self, size: int) -> None:
        """Wait until `size` more bytes may go."""
        if self.rate == 0:
            return
        now = asyncio.get_running_loop().time()
        self._free_at = max(now, self._free_at) + size / self.rate
        await asyncio.sleep(self._free_at - now)
