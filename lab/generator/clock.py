"""Moments of the portal's life: 18 months up to the backup, and when leads come."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random

DAYS = 549
DAY = 86_400
HOUR = 3_600
WEEK = (1.15, 1.09, 1.06, 1.0, 0.92, 0.17, 0.08)
DAY_CURVE = (
    *(0.12, 0.07, 0.05, 0.04, 0.06, 0.15, 0.4, 1.1),
    *(3.2, 7.4, 9.6, 10.2, 9.1, 7.0, 8.6, 9.3),
    *(8.8, 7.7, 5.6, 3.6, 2.6, 1.9, 1.1, 0.45),
)
OUTAGE_DAYS_BEFORE_END = 45
OUTAGE_HOURS = (9, 17)
HOLIDAYS = {(1, day) for day in range(1, 9)} | {(5, 1), (5, 9), (6, 12), (11, 4), (2, 23), (3, 8)}
HOLIDAY_SHARE = 0.12

_CLOCK = tuple(f"{s // HOUR:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(DAY))


class Stamps:
    """Formats seconds since 1970 as `YYYY-MM-DD HH:MM:SS`, quickly."""

    def __init__(self) -> None:
        self._dates: dict[int, str] = {}

    def __call__(self, second: int) -> str:
        day, rest = divmod(second, DAY)
        text = self._dates.get(day)
        if text is None:
            text = self._dates[day] = (date(1970, 1, 1) + timedelta(days=day)).isoformat()
        return f"{text} {_CLOCK[rest]}"


stamp = Stamps()


def to_seconds(moment: datetime) -> int:
    """Seconds since 1970 of a wall-clock moment without zone."""
    return int(moment.replace(tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch without a single lead: the site's form was down."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class LeadTimes:
    """When every lead came, in order; `per_hour[weekday][hour]`, Monday first."""

    moments: array[int]
    per_hour: list[list[int]]
    per_day: dict[str, int]
    outage: Outage

    def weekdays(self) -> list[int]:
        """How often each weekday occurs, Monday first."""
        counts = [0] * 7
        for day in self.per_day:
            counts[date.fromisoformat(day).weekday()] += 1
        return counts


def _poisson(random: Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count


def lead_times(random: Random, count: int, end: datetime) -> LeadTimes:
    """About `count` leads over the last 18 months: growth, weekdays, hours, holidays and one outage."""
    last_day = to_seconds(end) // DAY
    first_day = last_day - DAYS + 1
    outage_day = last_day - OUTAGE_DAYS_BEFORE_END
    while (outage_day + 3) % 7 > 3:
        outage_day -= 1
    outage = Outage(outage_day * DAY + OUTAGE_HOURS[0] * HOUR, outage_day * DAY + OUTAGE_HOURS[1] * HOUR - 1)
    weights = []
    for index in range(DAYS):
        day = date(1970, 1, 1) + timedelta(days=first_day + index)
        weight = WEEK[day.weekday()] * (0.85 + 0.3 * index / DAYS)
        weights.append(weight * (HOLIDAY_SHARE if (day.month, day.day) in HOLIDAYS else 1.0))
    scale = count / sum(weights)
    hours_total = sum(DAY_CURVE)
    moments: array[int] = array("q")
    per_hour = [[0] * 24 for _ in range(7)]
    per_day: dict[str, int] = {}
    closing = to_seconds(end)
    for index, weight in enumerate(weights):
        day_number = first_day + index
        weekday = (day_number + 3) % 7
        today = 0
        for hour, share in enumerate(DAY_CURVE):
            start = day_number * DAY + hour * HOUR
            if outage.first <= start <= outage.last:
                continue
            arrivals = _poisson(random, scale * weight * share / hours_total)
            seconds = sorted(start + int(random.random() * HOUR) for _ in range(arrivals))
            seconds = [second for second in seconds if second < closing]
            moments.extend(seconds)
            per_hour[weekday][hour] += len(seconds)
            today += len(seconds)
        per_day[stamp(day_number * DAY)[:10]] = today
    return LeadTimes(moments, per_hour, per_day, outage)
