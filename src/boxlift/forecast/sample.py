"""Draws: the few distributions that a forecast is made of.

Arrays of draws have the shape (draws,). All durations are seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Draws = NDArray[np.float64]

_PRIOR_WEIGHT = 3
"""Degrees of freedom of a prior variation: it weighs as much as three observed differences."""
_WIDEST = 6.0
"""Student's t is cut there: one move in thousands must not say that it takes for ever."""
_MOST_BLOCKS = 400
_LEAST_SECONDS = 0.5


@dataclass(frozen=True)
class Between:
    """How much one run differs from the next, before anything is seen: the logarithm's standard deviation."""

    log: float


LINE = Between(0.2)
"""Rate of a transfer: a day's line is within a fifth of its usual rate in two cases of three."""
SERVER = Between(0.12)
"""Work that only our own host does: unpacking, loading."""
MACHINE = Between(0.25)
"""Playbooks and suites: packages from the network, services that start."""
PERSON = Between(0.5)
"""Persons: within two thirds and one and a half times in two cases of three."""
GUESS = Between(0.7)
"""The plan's word, where nothing was seen: half as long or twice as long in two cases of three."""


def predicted_log(logs: Sequence[float], between: Between, draws: int, random: np.random.Generator) -> Draws:
    """Logarithm of the next value, given those seen: Student's t with a prior for its variation.

    With one value seen its spread is the prior's, times the square root of two: the one seen was as random as
    the next will be.
    """
    seen = len(logs)
    centre = sum(logs) / seen
    freedom = _PRIOR_WEIGHT + seen - 1
    square = _PRIOR_WEIGHT * between.log**2 + sum((log - centre) ** 2 for log in logs)
    scale = float(np.sqrt(square / freedom * (1 + 1 / seen)))
    return centre + scale * np.clip(random.standard_t(freedom, draws), -_WIDEST, _WIDEST)


def spread(logs: Sequence[float], between: Between) -> float:
    """Standard deviation of `predicted_log`, roughly: what a live observation is weighed against."""
    seen = max(1, len(logs))
    centre = sum(logs) / seen
    freedom = _PRIOR_WEIGHT + seen - 1
    square = _PRIOR_WEIGHT * between.log**2 + sum((log - centre) ** 2 for log in logs)
    return float(np.sqrt(square / freedom * (1 + 1 / seen)))


def predicted(seconds: Sequence[float], between: Between, draws: int, random: np.random.Generator) -> Draws:
    """The next duration, given those seen."""
    logs = [float(np.log(max(value, _LEAST_SECONDS))) for value in seconds]
    drawn: Draws = np.exp(predicted_log(logs, between, draws, random))
    return drawn


def guessed(median: float, draws: int, random: np.random.Generator) -> Draws:
    """A duration of which only the plan's guess is known."""
    drawn: Draws = max(median, _LEAST_SECONDS) * np.exp(GUESS.log * random.standard_normal(draws))
    return drawn


def jeffreys(hits: float, of: float, draws: int, random: np.random.Generator) -> Draws:
    """The chance of something that happened `hits` times `of` times."""
    drawn: Draws = random.beta(hits + 0.5, max(0.0, of - hits) + 0.5, draws)
    return drawn


def still(drawn: Draws, elapsed: float, random: np.random.Generator) -> Draws:
    """What is left of a duration of which `elapsed` has passed.

    Where all draws are passed the past is the only guide: what lasted that long goes on for about half of it.
    """
    if elapsed <= 0:
        return drawn
    possible = drawn[drawn > elapsed]
    if len(possible) * 100 < len(drawn):
        longer: Draws = elapsed * random.exponential(0.5, len(drawn))
        return longer
    again = possible[random.integers(0, len(possible), len(drawn))]
    left: Draws = np.where(drawn > elapsed, drawn, again) - elapsed
    return left


def block_ratio(
    seconds: Draws, expected: Draws, total: float, draws: int, random: np.random.Generator
) -> Draws:
    """How a transfer of `total` expected seconds differs from its mean rate: a moving-block bootstrap.

    `seconds` and `expected` have the shape (slices,): how long each slice took, and how long it would have
    taken at its run's mean rate. Neighbours stay together, because a line is slow for a while. About 1.
    """
    slices = len(seconds)
    mean = float(expected.sum()) / slices if slices else 0.0
    if mean <= 0.0:
        return np.ones(draws)
    length = max(1, round(slices ** (1 / 3)))
    blocks = int(np.clip(np.ceil(total / (mean * length)), 1, _MOST_BLOCKS))
    starts = random.integers(0, slices - length + 1, (draws, _MOST_BLOCKS))[:, :blocks]
    took = np.concatenate(([0.0], np.cumsum(seconds)))
    meant = np.concatenate(([0.0], np.cumsum(expected)))
    up: Draws = (took[starts + length] - took[starts]).sum(axis=1)
    down: Draws = (meant[starts + length] - meant[starts]).sum(axis=1)
    # blocks of nothing but pauses have no mean rate of their own
    ratio: Draws = up / np.maximum(down, mean * length * blocks * 0.05)
    return ratio
