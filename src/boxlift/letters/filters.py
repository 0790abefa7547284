"""How figures look in a letter: moments by the portal's clock, durations, sizes, words of the language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from boxlift.letters.unknown import Unknown
from boxlift.letters.words import SAYING, Language
from boxlift.report.clock import Clock

_SECONDS = (86400, 3600, 60, 1)
_PARTS = 2
"""Units of a duration that are told: `1 d 4 h`."""
_KILO = 1000
Filter = Callable[[Any], str | Unknown]


def filters(language: Language, clock: Clock) -> Mapping[str, Filter]:
    """The filters of one language; each passes a figure that is not known on as it is."""
    saying = SAYING[language]

    def moment(value: Any) -> str:
        """Seconds since 1970, or ISO 8601: `Fri 20 Nov 2026, 18:04`."""
        at = clock.at(value) if isinstance(value, int | float) else _parsed(str(value), clock)
        day, month = saying.days[at.weekday()], saying.months[at.month - 1]
        return f"{day} {at.day} {month} {at.year}, {at:%H:%M}"

    def duration(value: Any) -> str:
        """Seconds: `3 h 10 min`."""
        left = max(0, round(float(value)))
        parts: list[str] = []
        for unit, size in zip(saying.units, _SECONDS, strict=True):
            number, left = divmod(left, size)
            if number or (size == 1 and not parts):
                parts.append(f"{number} {unit}")
            elif parts:
                break
        return " ".join(parts[:_PARTS])

    def size(value: Any) -> str:
        """Bytes: `30.2 GB`."""
        amount = float(value) / _KILO
        for unit in saying.sizes[:-1]:
            if amount < _KILO:
                return f"{amount:.1f} {unit}"
            amount /= _KILO
        return f"{amount:.1f} {saying.sizes[-1]}"

    def word(words: Mapping[str, str]) -> Filter:
        return lambda value: words.get(str(value), str(value))

    found: dict[str, Filter] = {
        "moment": moment,
        "duration": duration,
        "size": size,
        "owner": word(saying.owners),
        "kind": word(saying.kinds),
        "state": word(saying.states),
    }
    return {name: _patient(work) for name, work in found.items()}


def _patient(work: Filter) -> Filter:
    return lambda value: value if isinstance(value, Unknown) else work(value)


def _parsed(text: str, clock: Clock) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is None or clock.zone is None else found.astimezone(clock.zone)
