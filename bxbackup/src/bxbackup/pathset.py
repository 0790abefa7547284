"""Which paths were seen already: compact, because a backup may hold millions."""

from __future__ import annotations

from array import array
from bisect import bisect_left

_RECENT = 1 << 15
_LONGEST_RUN = 1 << 18
_MASK = (1 << 64) - 1


class PathSet:
    """A set of paths, kept as 64-bit keys: 8 bytes each, and a few MiB for the most recent ones.

    The keys differ from process to process, so that nobody can prepare two paths with the same one.
    """

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._runs: list[array[int]] = []

    def __contains__(self, path: tuple[str, bytes]) -> bool:
        return self._holds(hash(path) & _MASK)

    def add(self, path: tuple[str, bytes]) -> bool:
        """Enter a path: a kind or place, and the name there. Returns whether it was new."""
        key = hash(path) & _MASK
        if self._holds(key):
            return False
        self._recent.add(key)
        if len(self._recent) >= _RECENT:
            self._settle()
        return True

    def _holds(self, key: int) -> bool:
        if key in self._recent:
            return True
        for run in self._runs:
            at = bisect_left(run, key)
            if at < len(run) and run[at] == key:
                return True
        return False

    def _settle(self) -> None:
        """Turn the recent keys into a sorted run; runs of like length are merged."""
        run = array("Q", sorted(self._recent))
        self._recent.clear()
        while self._runs and len(self._runs[-1]) <= len(run) and 2 * len(run) <= _LONGEST_RUN:
            run = array("Q", sorted([*self._runs.pop(), *run]))
        self._runs.append(run)
