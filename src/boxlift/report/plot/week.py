"""What comes in each hour of the week, with a stretch of hours that is recommended."""

from __future__ import annotations

from functools import lru_cache

from matplotlib.patches import Rectangle

from boxlift.report.plot.canvas import Canvas, Ink

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS = 24
_WEEK = 168
_ROW = 27.0
_FRAME = 30.0
_DARKEST = 0.5
"""Opacity of the busiest hour; words on it must stay readable in both themes."""
_FINE = 10
"""Below this the busiest hour is written with one decimal."""


@lru_cache(maxsize=8)
def draw(kind: str, hours: tuple[float, ...], chosen: frozenset[int]) -> str:
    """A field an hour from Monday, 00:00, with its mean; `chosen` hours are framed."""
    canvas = Canvas([_ROW * len(DAYS)], frame=_FRAME)
    (axes,) = canvas.axes
    most = max(hours) or 1.0
    titles = {}
    for hour, value in enumerate(hours):
        day, slot = divmod(hour, _HOURS)
        field = Rectangle(
            (slot, day), 1, 1, facecolor=Ink.MACHINE, alpha=_DARKEST * value / most, linewidth=0
        )
        field.set_gid(f"hour-{hour}")
        axes.add_patch(field)
        titles[f"hour-{hour}"] = f"{DAYS[day]} {slot:02}:00: {value:.1f} {kind} on average"
        text = "·" if not value else f"{value:.1f}" if most < _FINE else f"{value:.0f}"
        axes.text(slot + 0.5, day + 0.5, text, ha="center", va="center", color=Ink.TEXT, fontsize=8)
    for first, last in _stretches(chosen):
        day, slot = divmod(first, _HOURS)
        axes.add_patch(
            Rectangle((slot, day), last - first + 1, 1, fill=False, edgecolor=Ink.PERSON, linewidth=2.4)
        )
    axes.set_xlim(-0.05, _HOURS + 0.05)
    axes.set_ylim(len(DAYS) + 0.05, -0.05)
    axes.set_xticks(range(0, _HOURS + 1, 3), [f"{slot:02}:00" for slot in range(0, _HOURS + 1, 3)])
    axes.set_yticks([day + 0.5 for day in range(len(DAYS))], list(DAYS))
    for spine in axes.spines.values():
        spine.set_visible(False)
    return canvas.svg(f"week-{kind}", f"{kind.capitalize()} by hour of the week", titles)


def _stretches(chosen: frozenset[int]) -> list[tuple[int, int]]:
    """First and last hour of each unbroken stretch within a day."""
    found: list[tuple[int, int]] = []
    for hour in sorted(chosen):
        if found and found[-1][1] == hour - 1 and hour % _HOURS:
            found[-1] = found[-1][0], hour
        else:
            found.append((hour, hour))
    return found


def chosen_hours(first: int, length: int) -> frozenset[int]:
    """Hours of the week from `first` on, over the week's end where need be."""
    return frozenset((first + hour) % _WEEK for hour in range(min(length, _WEEK)))
