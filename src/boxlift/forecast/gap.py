"""How many leads, deals and contacts come while the portal moves, and which start loses least."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from boxlift.forecast.arrivals import HOURS, Pattern
from boxlift.forecast.sample import Draws

_HOUR = 3600.0
_WEEKS_SEEN = 26
_PRIOR_WEEKS = 4
_PRIOR_DISPERSION = 0.04
"""Squared share by which a week differs from the next, before weeks are seen: a fifth."""
_SMOOTH = 0.5
"""Rows added to the whole week, so that an hour in which nothing came yet is not impossible."""


@dataclass(frozen=True)
class Rates:
    """Arrivals of one kind: rows per hour of the week, shape (168,), and how much weeks differ.

    `dispersion` is the variance of the weekly rate over its square, what is not known of it included.
    """

    hourly: Draws
    dispersion: float

    @property
    def weekly(self) -> float:
        return float(self.hourly.sum())

    def expected(self, start: Draws | float, seconds: Draws) -> Draws:
        """Rows expected from an hour of the week on (0 is Monday, 00:00), for some seconds."""
        sums = np.concatenate(([0.0], np.cumsum(self.hourly)))

        def until(hour: Draws) -> Draws:
            weeks, rest = np.divmod(hour, HOURS)
            whole = np.minimum(rest.astype(np.int64), HOURS - 1)
            drawn: Draws = weeks * self.weekly + sums[whole] + (rest - whole) * self.hourly[whole]
            return drawn

        begin, end = np.broadcast_arrays(np.asarray(start, dtype=np.float64), start + seconds / _HOUR)
        return until(end) - until(begin)

    def drawn(self, expected: Draws, random: np.random.Generator) -> NDArray[np.int64]:
        """Counts around their expectation: negative binomial, weeks differ."""
        level = random.gamma(1 / self.dispersion, self.dispersion, expected.shape)
        return random.poisson(expected * level)


def rates(pattern: Pattern) -> Rates | None:
    """None where nothing was counted."""
    if not pattern.total or pattern.weeks <= 0:
        return None
    hours = np.array(pattern.hours, dtype=np.float64)
    hourly = (hours + _SMOOTH / HOURS) / max(pattern.weeks, 1 / 7)
    return Rates(hourly, _dispersion(pattern) + 1 / (pattern.total + 0.5))


def _dispersion(pattern: Pattern) -> float:
    """From whole weeks (the first and the last are cut), drawn towards the prior where they are few."""
    counts = _whole_weeks(pattern)[-_WEEKS_SEEN:]
    seen = 0.0
    if len(counts) > 1:
        mean, variance = float(np.mean(counts)), float(np.var(counts, ddof=1))
        seen = max(0.0, variance - mean) / mean**2 if mean > 0 else 0.0
    freedom = max(0, len(counts) - 1)
    return (freedom * seen + _PRIOR_WEEKS * _PRIOR_DISPERSION) / (freedom + _PRIOR_WEEKS)


def _whole_weeks(pattern: Pattern) -> list[int]:
    """Counts of all weeks between the first and the last, also of those in which nothing came."""
    counts = {_monday(week.week): week.count for week in pattern.weekly}
    if not counts:
        return []
    monday, end = min(counts) + timedelta(weeks=1), max(counts)
    found: list[int] = []
    while monday < end and len(found) < HOURS:
        found.append(counts.get(monday, 0))
        monday += timedelta(weeks=1)
    return found


def _monday(week: str) -> date:
    year, number = (int(part) for part in week.split("-"))
    return date.fromisocalendar(year, 1, 1) + timedelta(weeks=number - 1)


def hour_of_week(local: datetime) -> float:
    """0 is Monday, 00:00, by the clock of `local`."""
    return local.weekday() * 24 + local.hour + local.minute / 60 + local.second / _HOUR
