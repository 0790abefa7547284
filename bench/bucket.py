"""A token bucket: how long a piece of data has to wait so that a line keeps its rate."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class TokenBucket:
    """Times in seconds on any clock that does not go back.

    :param rate: bytes per second; None for no limit.
    :param burst: bytes that may pass at once after a pause.
    :param free_at: when all that was taken is through.
    """

    rate: float | None
    burst: float = 0.0
    free_at: float = float("-inf")

    def take(self, count: int, now: float) -> float:
        """Reserve the passage of so many bytes; returns the seconds until the last of them is through."""
        if self.rate is None:
            return 0.0
        self.free_at = max(self.free_at, now - self.burst / self.rate) + count / self.rate
        return max(0.0, self.free_at - now)
