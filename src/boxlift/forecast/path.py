"""The plan as a graph of needs: when each step ends, what the end waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from boxlift.forecast.sample import Draws


def ends(
    order: Sequence[str], needs: Mapping[str, Sequence[str]], seconds: Mapping[str, Draws]
) -> dict[str, Draws]:
    """When each step ends, in seconds from now.

    :param order: steps that are not done, each after all that it needs.
    :param needs: of each step; needs that are done are not among `order`.
    """
    found: dict[str, Draws] = {}
    for step in order:
        waits = [found[need] for need in needs[step] if need in found]
        found[step] = seconds[step] + (np.maximum.reduce(waits) if waits else 0.0)
    return found


def latest(found: Mapping[str, Draws], steps: Sequence[str]) -> Draws:
    """When the last of some steps ends."""
    drawn: Draws = np.maximum.reduce([found[step] for step in steps])
    return drawn


def critical(
    order: Sequence[str], needs: Mapping[str, Sequence[str]], found: Mapping[str, Draws], last: Sequence[str]
) -> dict[str, float]:
    """For each step the share of draws in which the end of `last` waits for it."""
    goal = latest(found, last)
    on_path: dict[str, NDArray[np.bool_]] = {step: np.zeros(len(goal), dtype=bool) for step in order}
    taken = np.zeros(len(goal), dtype=bool)
    for step in last:
        here = (found[step] >= goal) & ~taken
        on_path[step] |= here
        taken |= here
    for step in reversed(order):
        waits = [need for need in needs[step] if need in found]
        if not waits or not on_path[step].any():
            continue
        slowest = np.argmax(np.stack([found[need] for need in waits]), axis=0)
        for number, need in enumerate(waits):
            on_path[need] |= on_path[step] & (slowest == number)
    return {step: float(mask.mean()) for step, mask in on_path.items()}
