"""Axes of time."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

from boxlift.report.clock import Clock
from boxlift.report.plot.canvas import Ink

DAY = 86400.0
"""Seconds in matplotlib's unit of time."""
_FORMATS = ["%Y", "%b", "%-d %b", "%H:%M", "%H:%M", "%H:%M:%S"]
_AT_ZERO = ["", "%b", "%-d %b", "%-d %b", "%H:%M", "%H:%M"]


def place(clock: Clock, seconds: float) -> float:
    """Where a moment stands on a time axis."""
    return float(date2num(clock.at(seconds)))


def time_axis(axes: Axes, clock: Clock) -> None:
    """Ticks by the clock's zone: hours of a day, days by name."""
    locator = AutoDateLocator(tz=clock.zone, minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(
            locator, tz=clock.zone, formats=_FORMATS, zero_formats=_AT_ZERO, show_offset=False
        )
    )
    axes.grid(visible=True, axis="x", color=Ink.GRID, linewidth=0.6)
