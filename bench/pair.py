"""Two commands in turn, A B A B …: medians and their ratio, which holds when the machine drifts."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """Wall seconds of each run of two commands."""

    ours: Sequence[float]
    theirs: Sequence[float]

    @property
    def ratio(self) -> float:
        """How many times longer the other command takes: the median of the ratios pair by pair."""
        return statistics.median(b / a for a, b in zip(self.ours, self.theirs, strict=True))


def _seconds(command: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.perf_counter() - began


def measure(ours: Sequence[str], theirs: Sequence[str], runs: int) -> Pair:
    """Run both commands in turn after one warm-up of each.

    Raises:
        subprocess.CalledProcessError: one of them failed, so there is nothing to compare.
    """
    _seconds(ours)
    _seconds(theirs)
    times = [(_seconds(ours), _seconds(theirs)) for _ in range(runs)]
    return Pair([a for a, _ in times], [b for _, b in times])
