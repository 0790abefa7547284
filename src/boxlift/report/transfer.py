"""How fast a backup arrived, as the journal's measures and looks at its restore tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil

from boxlift.journal import Journal, Measure, Segment
from boxlift.plan import Plan
from boxlift.report.model import Event, Missing, Slice, Transfer

_NOTHING = Missing("no restore has been looked at yet", "boxlift run restore-backup")
_SLICES = 240
"""At most so many slices: a plot has no more pixels to show them."""
_WIDTHS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Lengths of a slice in seconds that people can read off an axis."""


def transfers(plan: Plan, journal: Journal, events: Sequence[Event]) -> tuple[Transfer, ...] | Missing:
    """One a release that a restore was seen to fetch bytes for, oldest first."""
    restoring = {step.id for _, step in plan.steps() if step.backup}
    seen: dict[tuple[str, str], tuple[list[Segment], list[Slice]]] = {}
    for attempt in journal.attempts():
        if attempt.step in restoring and not attempt.trial:
            looks, lines = seen.setdefault((attempt.pass_, attempt.release), ([], []))
            looks += journal.segments(attempt.id)
            lines += _lines(journal.measures(attempt.id))
    found = [
        transfer
        for (pass_name, release), (looks, lines) in seen.items()
        if (transfer := _transfer(pass_name, release, looks, lines, events)) is not None
    ]
    return tuple(found) or _NOTHING


def _transfer(
    pass_name: str,
    release: str,
    segments: Sequence[Segment],
    lines: Sequence[Slice],
    events: Sequence[Event],
) -> Transfer | None:
    """bxbackup's own measures come at an attempt's end; what they do not reach yet is told by the looks."""
    told = max((line.started + line.seconds for line in lines), default=0.0)
    arrivals = [*lines, *(part for part in _arrivals(segments) if part.started >= told)]
    if not arrivals:
        return None
    slices = even(arrivals)
    first, last = slices[0].started, slices[-1].started + slices[-1].seconds
    return Transfer(
        pass_name=pass_name,
        release=release,
        total=next((look.bytes_total for look in reversed(segments) if look.bytes_total), None),
        fetched=max((look.bytes or 0 for look in segments), default=sum(line.bytes for line in lines)),
        slices=slices,
        events=tuple(
            event
            for event in events
            if event.pass_name == pass_name
            and first <= event.at <= last
            and (event.kind != "note" or event.cost)
        ),
    )


def _lines(measures: Sequence[Measure]) -> list[Slice]:
    return [
        Slice(measure.started, measure.seconds, measure.bytes)
        for measure in measures
        if measure.kind == "line" and measure.seconds > 0
    ]


def _arrivals(segments: Sequence[Segment]) -> Iterator[Slice]:
    """What arrived between two looks, up to the look at which all was there."""
    looks = [look for look in segments if look.bytes is not None]
    for before, after in pairwise(looks):
        if before.bytes_total and (before.bytes or 0) >= before.bytes_total:
            return
        if after.at > before.at:
            gained = max(0, (after.bytes or 0) - (before.bytes or 0))
            yield Slice(before.at, after.at - before.at, gained)


def hourly(transfer: Transfer) -> tuple[Slice, ...]:
    """The same transfer by full hours."""
    return _spread(transfer.slices, _WIDTHS[-1], transfer.started - transfer.started % _WIDTHS[-1])


def even(arrivals: Sequence[Slice]) -> tuple[Slice, ...]:
    """The same bytes in slices of equal length; time between arrivals is time in which nothing came."""
    first = min(part.started for part in arrivals)
    last = max(part.started + part.seconds for part in arrivals)
    width = next((width for width in _WIDTHS if (last - first) / width <= _SLICES), _WIDTHS[-1])
    return _spread(arrivals, width, first)


def _spread(arrivals: Sequence[Slice], width: int, first: float) -> tuple[Slice, ...]:
    """Slices of `width` seconds from `first` on; the last may be shorter."""
    last = max(part.started + part.seconds for part in arrivals)
    filled = [0.0] * max(1, ceil((last - first) / width))
    for part in arrivals:
        begin, end = part.started - first, part.started + part.seconds - first
        while begin < end:
            slot = min(int(begin // width), len(filled) - 1)
            until = end if slot == len(filled) - 1 else min(end, (slot + 1) * width)
            filled[slot] += part.bytes * (until - begin) / part.seconds
            begin = until
    return tuple(
        Slice(first + slot * width, min(float(width), last - first - slot * width), round(amount))
        for slot, amount in enumerate(filled)
    )
