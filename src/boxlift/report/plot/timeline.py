"""What was worked on when: a bar an attempt, a panel a phase."""

from __future__ import annotations

from functools import lru_cache

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from boxlift.figures import duration
from boxlift.report.clock import Clock
from boxlift.report.model import Bar, Course, Passage, Stage
from boxlift.report.plot.axis import DAY, place, time_axis
from boxlift.report.plot.canvas import Canvas, Ink

_ROW = 19.0
_FRAME = 52.0
_LEAST = 0.006
"""Share of the axis that the shortest bar gets, to be seen."""
_HEIGHT = 0.62


@lru_cache(maxsize=8)
def draw(passage: Passage, clock: Clock) -> str:
    """A panel for each phase that has begun."""
    canvas = Canvas([_ROW * len(_rows(stage)) for stage in passage.stages], frame=_FRAME)
    titles: dict[str, str] = {}
    for number, (axes, stage) in enumerate(zip(canvas.axes, passage.stages, strict=True)):
        titles |= _panel(axes, stage, clock, f"bar{number}")
    return canvas.svg(f"timeline-{passage.name}", f"Timeline of the {passage.name}", titles)


def _rows(stage: Stage) -> list[str]:
    return list(dict.fromkeys(bar.step for bar in stage.bars))


def _panel(axes: Axes, stage: Stage, clock: Clock, prefix: str) -> dict[str, str]:
    rows = _rows(stage)
    first = place(clock, stage.started)
    span = max(stage.ended - stage.started, 60.0) / DAY
    titles = {}
    last = {bar.step: bar for bar in sorted(stage.bars, key=lambda bar: bar.ended)}
    for number, bar in enumerate(stage.bars):
        begin = place(clock, bar.started)
        length = max(bar.seconds / DAY, span * _LEAST)
        patch = _patch(bar, begin, rows.index(bar.step), length)
        name = f"{prefix}-{number}"
        patch.set_gid(name)
        axes.add_patch(patch)
        titles[name] = f"{bar.title}: {duration(bar.seconds)}, {bar.course}, from {clock.short(bar.started)}"
        if bar is last[bar.step]:
            _label(axes, bar, begin, length, row=rows.index(bar.step), middle=first + span / 2)
    axes.set_xlim(first - span * 0.01, first + span * 1.01)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), rows)
    title = f"{stage.phase} · {duration(stage.ended - stage.started)}"
    axes.set_title(title, loc="left", color=Ink.TEXT, weight="bold")
    axes.spines["left"].set_visible(False)
    time_axis(axes, clock)
    return titles


def _patch(bar: Bar, begin: float, row: int, length: float) -> Rectangle:
    """Machines solid, persons hollow; what went wrong hatched, so that no meaning is in colour alone."""
    ink = Ink.PERSON if bar.person else Ink.MACHINE
    if bar.course in {Course.FAILED, Course.INTERRUPTED}:
        ink = Ink.BAD
    elif bar.course is Course.RUNNING:
        ink = Ink.LIVE
    hollow = bar.person or ink is Ink.BAD
    return Rectangle(
        (begin, row - _HEIGHT / 2),
        length,
        _HEIGHT,
        facecolor=Ink.SURFACE if hollow else ink,
        edgecolor=ink,
        linewidth=1.4,
        linestyle="--" if bar.course is Course.WAITING else "-",
        hatch="////" if ink is Ink.BAD else None,
    )


def _label(axes: Axes, bar: Bar, begin: float, length: float, *, row: int, middle: float) -> None:
    """How long it took, on the side where there is room."""
    words = [duration(bar.seconds)] if bar.seconds else []
    if bar.course is not Course.DONE:
        words.append(str(bar.course))
    if bar.attempt > 1:
        words.append(f"attempt {bar.attempt}")
    right = begin + length / 2 <= middle
    axes.annotate(
        " · ".join(words),
        (begin + length if right else begin, row),
        xytext=(5 if right else -5, 0),
        textcoords="offset points",
        ha="left" if right else "right",
        va="center",
        color=Ink.TEXT,
        fontsize=8.5,
    )
