"""Durations with what is not known about them: a line of figures a step, on one logarithmic axis."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from matplotlib.axes import Axes

from boxlift.figures import duration
from boxlift.report.plot.canvas import Canvas, Ink

_ROW = 20.0
_FRAME = 34.0
_LEAST = 1.0
"""Seconds: what is shorter stands at the axis' beginning."""
_MARKS = (1, 10, 60, 600, 3600, 6 * 3600, 86400, 3 * 86400, 7 * 86400, 28 * 86400, 364 * 86400)


@dataclass(frozen=True)
class Span:
    """Quantiles of a duration in seconds, and what it took where that is known already."""

    label: str
    p10: float
    p50: float
    p90: float
    p95: float
    took: float | None = None


@lru_cache(maxsize=8)
def draw(name: str, title: str, spans: tuple[Span, ...]) -> str:
    """Thick: P10 to P90; thin: on to P95; a bar across: P50; a diamond: the fact."""
    canvas = Canvas([_ROW * len(spans)], frame=_FRAME)
    (axes,) = canvas.axes
    titles = {}
    for row, span in enumerate(spans):
        _span(axes, row, span, f"span-{row}")
        fact = f"; took {duration(span.took)}" if span.took is not None else ""
        titles[f"span-{row}"] = (
            f"{span.label}: P10 {duration(span.p10)}, P50 {duration(span.p50)}, P90 {duration(span.p90)},"
            f" P95 {duration(span.p95)}{fact}"
        )
    ends = [max(_LEAST, end) for span in spans for end in (span.p10, span.p95, span.took or span.p50)]
    low, high = min(ends) / 1.6, max(ends) * 1.6
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    marks = [mark for mark in _MARKS if low <= mark <= high]
    axes.set_xticks(marks, [duration(mark) for mark in marks])
    axes.set_xticks([], minor=True)
    axes.set_ylim(len(spans) - 0.5, -0.5)
    axes.set_yticks(range(len(spans)), [span.label for span in spans])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=True, axis="x", color=Ink.GRID, linewidth=0.6)
    return canvas.svg(name, title, titles)


def _span(axes: Axes, row: int, span: Span, gid: str) -> None:
    p10, p50, p90, p95 = (max(_LEAST, value) for value in (span.p10, span.p50, span.p90, span.p95))
    axes.hlines(row, p10, p95, color=Ink.MACHINE, linewidth=1.3)
    axes.hlines(row, p10, p90, color=Ink.MACHINE, linewidth=8, alpha=0.35).set_gid(gid)
    axes.vlines(p50, row - 0.28, row + 0.28, color=Ink.MACHINE, linewidth=2.2)
    if span.took is not None:
        axes.plot(
            [max(_LEAST, span.took)],
            [row],
            marker="D",
            markersize=6.5,
            color=Ink.PERSON,
            markeredgecolor=Ink.SURFACE,
            markeredgewidth=1,
        )
