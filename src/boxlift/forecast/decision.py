"""What follows from the draws: leads in the gap, the best hour to start, the latest hour to say go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from boxlift.figures import zoned
from boxlift.forecast.arrivals import KINDS, ArrivalPattern, KindName
from boxlift.forecast.fact import quantiles
from boxlift.forecast.gap import Rates, hour_of_week, rates
from boxlift.forecast.move import Move, Streams
from boxlift.forecast.result import Arrivals, Decision, Finish, Gap, Quantiles, Start, Starts
from boxlift.forecast.sample import Draws
from boxlift.plan.state import BACKUP_STEP, Position, State, StepState

SALES_STEP = "start-box-sales"
STOP_STEP = "stop-cloud-sales"
GO_STEP = "go-no-go"
_HOURS_AHEAD = 14 * 24
_STARTS_DRAWS = 400
_BEST = 5
_SURE = 0.95
_ALL = 100
_HOUR = 3600.0


@dataclass(frozen=True)
class Window:
    """The gap in draws: seconds from its beginning to its end, and from the cloud's stop to its end."""

    begins: float
    begun: bool
    seconds: Draws
    stopped: Draws
    text: str


def finish(now: float, seconds: Quantiles) -> Finish:
    """Moments of an end, from durations from now on."""
    return Finish(**{name: now + value for name, value in seconds.model_dump().items()})


def zone(pattern: ArrivalPattern | None) -> ZoneInfo:
    """The portal's; UTC where it is not known."""
    try:
        return ZoneInfo(pattern.timezone if pattern else "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def window(position: Position, move: Move, pattern: ArrivalPattern | None, now: float) -> Window | None:
    """From the backup until sales start in the box; None where the pass has no such steps."""
    states = {item.step.id: item for item in position.in_pass}
    if BACKUP_STEP not in states or SALES_STEP not in states:
        return None
    ordered, sales, stop = states[BACKUP_STEP], states[SALES_STEP], states.get(STOP_STEP)
    begun = ordered.state is State.DONE
    begins = now
    text = "from the order of the backup on; the dump begins later, so these are upper figures"
    if begun:
        begins = min(now, ordered.ended or now)
        confirmed = f"from the backup's confirmation on, {zoned(begins)}"
        text = f"{confirmed}; the dump began before, so these are lower figures"
        taken = _taken(pattern, position.release)
        if taken is not None and taken <= begins:
            begins, text = taken, "from the beginning of the dump on"
    # by a clock on which now is 0
    ends = move.ends if begun else move.cut
    end = _moment(sales, ends, now, move.draws)
    stopped = end - _moment(stop, ends, now, move.draws) if stop is not None else np.zeros(move.draws)
    return Window(begins, begun, np.maximum(0.0, end - (begins - now)), np.maximum(0.0, stopped), text)


def _moment(item: StepState, ends: Mapping[str, Draws], now: float, draws: int) -> Draws:
    """When a step ends or ended, in seconds from now."""
    if item.step.id in ends:
        return ends[item.step.id]
    return np.full(draws, (item.ended if item.ended is not None else now) - now)


def _taken(pattern: ArrivalPattern | None, release: str) -> float | None:
    """When the dump of this release began, by the source's clock."""
    if pattern is None or pattern.release != release or pattern.backup.began is None:
        return None
    try:
        source = ZoneInfo(pattern.backup.zone) if pattern.backup.zone else zone(pattern)
        return datetime.fromisoformat(pattern.backup.began).replace(tzinfo=source).timestamp()
    except (ValueError, ZoneInfoNotFoundError):
        return None


def all_rates(pattern: ArrivalPattern | None) -> dict[KindName, Rates]:
    """Of each kind that was counted."""
    found: dict[KindName, Rates] = {}
    for kind in KINDS:
        counted = pattern.kinds.get(kind) if pattern else None
        rated = rates(counted) if counted else None
        if rated is not None:
            found[kind] = rated
    return found


def gap(
    opened: Window, rated: Mapping[KindName, Rates], pattern: ArrivalPattern | None, streams: Streams
) -> Gap:
    """How many of each kind fall into the gap."""
    where = zone(pattern)
    start = hour_of_week(datetime.fromtimestamp(opened.begins, where))
    found = []
    for kind, one in rated.items():
        expected = one.expected(start, opened.seconds)
        drawn = one.drawn(expected, streams(f"gap {kind}"))
        late = one.expected(start + (opened.seconds - opened.stopped) / _HOUR, opened.stopped)
        found.append(
            Arrivals(
                kind=kind,
                weekly=one.weekly,
                expected=float(expected.mean()),
                p10=int(np.quantile(drawn, 0.1)),
                p90=int(np.ceil(np.quantile(drawn, 0.9))),
                p95=int(np.ceil(np.quantile(drawn, 0.95))),
                uncovered=float(late.mean()),
            )
        )
    weeks = max((one.weeks for one in pattern.kinds.values()), default=0.0) if pattern else 0.0
    return Gap(
        begins=opened.begins,
        begun=opened.begun,
        seconds=quantiles(opened.seconds),
        arrivals=tuple(found),
        weeks=weeks,
        text=opened.text,
    )


def starts(
    opened: Window,
    move: Move,
    rated: Mapping[KindName, Rates],
    pattern: ArrivalPattern | None,
    *,
    now: float,
    deadline: float | None,
    streams: Streams,
) -> Starts | None:
    """Each hour of the coming two weeks as the hour in which the backup is ordered."""
    if not rated or opened.begun or move.cut_end is None:
        return None
    kind, rate = next(iter(rated.items()))
    where = zone(pattern)
    seconds = opened.seconds[:_STARTS_DRAWS]
    first = np.ceil(now / _HOUR) * _HOUR
    moments = first + _HOUR * np.arange(_HOURS_AHEAD)
    clocks = [datetime.fromtimestamp(float(at), where) for at in moments]
    hours = np.array([hour_of_week(clock) for clock in clocks])
    expected = rate.expected(hours[:, None], seconds[None, :])
    drawn = rate.drawn(expected, streams("starts"))
    low, high = np.quantile(drawn, (0.1, 0.9), axis=1)
    ended = quantiles(move.cut_end)
    found = [
        Start(
            at=float(at),
            local=f"{clock:%a %Y-%m-%d %H:%M}",
            expected=float(mean),
            p10=int(few),
            p90=int(np.ceil(many)),
            ends=finish(float(at), ended),
            in_time=None if deadline is None else float(np.mean(move.cut_end <= deadline - at)),
        )
        for at, clock, mean, few, many in zip(moments, clocks, expected.mean(axis=1), low, high, strict=True)
    ]
    return Starts(
        kind=kind,
        timezone=where.key,
        best=_best(found),
        worst=max(found, key=lambda start: start.expected),
        hours=tuple(found),
    )


def _best(found: list[Start]) -> tuple[Start, ...]:
    """Of those that meet the deadline, if any does: the hour of each day that loses least, least first."""
    sure = [start for start in found if start.in_time is None or start.in_time >= _SURE]
    days: dict[str, Start] = {}
    for start in sorted(sure or found, key=lambda start: (start.expected, start.at)):
        days.setdefault(start.local[:14], start)
    return tuple(list(days.values())[:_BEST])


def decision(position: Position, move: Move, *, now: float, deadline: float) -> Decision | None:
    """The latest hours, from the 95th percentile; None where nothing of the cut-over is ahead."""
    if move.cut_end is None or move.cut_from_now is None:
        return None
    states = {item.step.id: item.state for item in position.in_pass}
    begun = states.get(BACKUP_STEP) is State.DONE
    latest_start = None if begun else deadline - quantiles(move.cut_end).p95
    latest_go = None
    if GO_STEP in move.cut:
        latest_go = deadline - quantiles(move.cut_end - move.cut[GO_STEP]).p95
    chance = float(np.mean(now + move.cut_from_now <= deadline))
    text = f"{_of_100(chance)} moves that go on now meet it"
    last = latest_start if latest_start is not None else latest_go
    if last is not None and last < now:
        what = "start" if latest_start is not None else "say go"
        text += f"; the latest hour to {what} has passed: choose a later deadline or a shorter way"
    return Decision(
        deadline=deadline, latest_start=latest_start, latest_go=latest_go, chance=chance, text=text
    )


def _of_100(chance: float) -> str:
    """Draws can be sure of nothing: neither none nor all."""
    whole = round(100 * chance)
    return (
        "more than 99 of 100" if whole == _ALL else "fewer than 1 of 100" if whole < 1 else f"{whole} of 100"
    )
