"""The forecast as the report shows it: spans for plots, the pattern of the week, the recommended hours."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from boxlift.forecast.arrivals import HOURS, ArrivalPattern, KindName
from boxlift.forecast.result import Fact, Forecast, Quantiles, Start
from boxlift.plan import Pass
from boxlift.report.clock import Clock
from boxlift.report.plot.span import Span
from boxlift.report.plot.week import chosen_hours

_HOUR = 3600


@dataclass(frozen=True)
class Week:
    """How many of one kind come in each hour of the week on average; `weeks` were counted.

    `start`: the hour recommended for the backup; `chosen`: hours of the week from it to the likely end.
    """

    kind: KindName
    hours: tuple[float, ...]
    weeks: float
    release: str
    start: Start | None
    chosen: frozenset[int]


def steps_ahead(told: Forecast) -> tuple[Span, ...]:
    """The pass's open steps, and the cut-over as the last one."""
    spans = [_span(step.id, step.seconds) for step in told.steps if step.seconds is not None]
    if told.cut_over is not None:
        spans.append(_span("cut-over", told.cut_over.seconds))
    return tuple(spans)


def compared(told: Forecast, pass_: Pass) -> tuple[Span, ...]:
    """Frozen forecasts of a pass with what came."""
    return tuple(_span(fact.step, fact.seconds, fact.took) for fact in facts(told, pass_))


def facts(told: Forecast, pass_: Pass) -> list[Fact]:
    return [fact for fact in told.facts if fact.pass_name is pass_]


def _span(label: str, seconds: Quantiles, took: float | None = None) -> Span:
    return Span(label, seconds.p10, seconds.p50, seconds.p90, seconds.p95, took)


def week(pattern: ArrivalPattern, told: Forecast | None, clock: Clock) -> Week | None:
    """Of the kind that the recommendation is for, else the first that came at all; None where nothing did."""
    starts = told.starts if told is not None else None
    kinds = [kind for kind, counted in pattern.kinds.items() if counted.total and counted.weeks]
    if not kinds:
        return None
    kind = starts.kind if starts is not None and starts.kind in kinds else kinds[0]
    counted = pattern.kinds[kind]
    start = starts.best[0] if starts is not None and starts.best else None
    chosen: frozenset[int] = frozenset()
    if start is not None:
        began = clock.at(start.at)
        first = (began.weekday() * 24 + began.hour) % HOURS
        chosen = chosen_hours(first, ceil((start.ends.p50 - start.at) / _HOUR))
    return Week(
        kind=kind,
        hours=tuple(count / counted.weeks for count in counted.hours),
        weeks=counted.weeks,
        release=pattern.release,
        start=start,
        chosen=chosen,
    )
