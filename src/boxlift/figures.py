"""Figures as people read them: durations, sizes, times."""

from __future__ import annotations

import time
from datetime import UTC, datetime

MINUTE, HOUR, DAY = 60, 3600, 86400
_FINE_MINUTES = 10
_KILO = 1000


def duration(seconds: float | None) -> str:
    """`4 s`, `2 min 5 s`, `3 h 10 min`, `2 d 4 h`; a dash for none."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        minutes, rest = divmod(whole, MINUTE)
        return f"{minutes} min {rest} s" if rest and minutes < _FINE_MINUTES else f"{minutes} min"
    if whole < DAY:
        hours, rest = divmod(whole, HOUR)
        return f"{hours} h {rest // MINUTE} min" if rest >= MINUTE else f"{hours} h"
    days, rest = divmod(whole, DAY)
    return f"{days} d {rest // HOUR} h" if rest >= HOUR else f"{days} d"


def count(number: int, noun: str) -> str:
    """`1 change`, `2 changes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def size(amount: float) -> str:
    """Bytes in decimal units: `7.3 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(amount) < _KILO:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= _KILO
    return f"{amount:.1f} TB"


def iso(at: float | None) -> str | None:
    """Seconds since 1970 to `2026-11-20T18:04:05.123Z`."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(value: object) -> float | None:
    """ISO 8601 (UTC where it names no zone) or a number of seconds, to seconds since 1970."""
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def local(at: float | None) -> str:
    """Day and time on the control node's clock."""
    return "–" if at is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def zoned(at: float | None) -> str:
    """The same with the zone of that clock, for moments that people act by."""
    return "–" if at is None else f"{local(at)} {time.strftime('%Z', time.localtime(at))}"
