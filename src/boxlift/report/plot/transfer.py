"""How fast a backup arrived, with what happened meanwhile."""

from __future__ import annotations

from functools import lru_cache

from matplotlib.artist import Artist
from matplotlib.axes import Axes

from boxlift.figures import size
from boxlift.report.clock import Clock
from boxlift.report.model import Event, Transfer
from boxlift.report.plot.axis import place, time_axis
from boxlift.report.plot.canvas import Canvas, Ink

_HEIGHT = 210.0
_NUMBERED = 24
"""So many events get their number in the plot, the dearest first; more would hide each other."""
_UNITS = ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"))


@lru_cache(maxsize=8)
def draw(transfer: Transfer, best: float, clock: Clock) -> str:
    """Rate over time, its mean, a numbered mark for each event. `best`: bytes per second that must fit."""
    canvas = Canvas([_HEIGHT])
    (axes,) = canvas.axes
    unit, name_of_unit = next(((unit, name) for unit, name in _UNITS if best >= unit), (1.0, "B/s"))
    edges = [place(clock, part.started) for part in transfer.slices] + [place(clock, transfer.ended)]
    rates = [part.rate / unit for part in transfer.slices]
    axes.stairs(rates, edges, fill=True, color=Ink.MACHINE, alpha=0.25, linewidth=0)
    axes.stairs(rates, edges, color=Ink.MACHINE, linewidth=1.3)
    top = best / unit * 1.3 or 1.0
    axes.axhline(transfer.rate / unit, color=Ink.TEXT, linewidth=1, linestyle="--")
    axes.annotate(
        f"mean {size(transfer.rate)}/s",
        (edges[-1], transfer.rate / unit),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        color=Ink.TEXT,
        fontsize=8.5,
        annotation_clip=False,
    )
    dearest = sorted(transfer.events, key=lambda event: (-(event.cost or 0.0), event.at))[:_NUMBERED]
    titles: dict[str, str] = {}
    for number, event in enumerate(transfer.events):
        name = f"event-{number}"
        titles[name] = f"{event.number} · {event.kind}: {event.text}"
        lift = 10.0 * (number % 2) if event in dearest else None
        _mark(axes, event, place(clock, event.at), height=best / unit * 1.12, lift=lift).set_gid(name)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, top)
    axes.set_ylabel(name_of_unit, color=Ink.TEXT)
    axes.yaxis.grid(visible=True, color=Ink.GRID, linewidth=0.6)
    time_axis(axes, clock)
    return canvas.svg(f"transfer-{transfer.release}", f"Transfer rate of {transfer.release}", titles)


def _mark(axes: Axes, event: Event, at: float, *, height: float, lift: float | None) -> Artist:
    """A line at an event; with its number, `lift` points above the line, where it gets one."""
    ink = Ink.MARK if event.kind == "repair" else Ink.BAD
    if lift is not None:
        axes.annotate(
            str(event.number),
            (at, height),
            xytext=(0, 2 + lift),
            textcoords="offset points",
            ha="center",
            color=ink,
            fontsize=8.5,
            weight="bold",
        )
    return axes.vlines(at, 0, height, color=ink, linewidth=1.1)
