"""The command that looks ahead: forecast."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.table import Table

from boxlift import forecast as forecasting
from boxlift.cli.app import JsonOption, PassOption, app, current_project
from boxlift.cli.output import MOMENTS, console, print_json, working
from boxlift.errors import UsageError
from boxlift.figures import count, duration, size, zoned

if TYPE_CHECKING:
    from rich.console import Console

    from boxlift.forecast.result import Forecast, StepForecast

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGT]?B?)")
_LEAST_SHARE = 0.05
_FIGURES = 69
"""Columns that steps and their three durations take."""
_LEAST_TEXT = 8
_WIDE = 150
"""Columns of a terminal that the whole table needs."""


@app.command()
def forecast(
    context: typer.Context,
    *,
    pass_: PassOption = None,
    deadline: Annotated[
        datetime | None,
        typer.Option(
            "--deadline",
            formats=MOMENTS,
            help="When sales must work in the box, by the portal's clock; default: that of boxlift.yml.",
        ),
    ] = None,
    backup_size: Annotated[
        str | None,
        typer.Option("--size", help="Size of the new backup, as 32GB; default: as known, else the last."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Start of the random numbers.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Say when the move will be done, how many leads fall into the gap, and what stands behind each figure.

    P80 is the value that 80 of 100 moves stay below. Without --pass it looks at the pass that goes on, and
    after it at the final one.

    [bold]Example:[/] boxlift forecast --pass final --deadline 2026-11-30T09:00 --size 34GB
    """
    project = current_project(context)
    with project.journal() as journal, working("drawing moves"):
        told = forecasting.ask(
            project,
            journal,
            pass_,
            size=None if backup_size is None else parse_size(backup_size),
            deadline=deadline,
            seed=seed,
        )
    if as_json:
        print_json(told.model_dump(mode="json", by_alias=True))
    else:
        _print(console(), told)


def parse_size(text: str) -> int:
    """`32GB`, `800 MB`, `1.5TB` to bytes; UsageError for what is none."""
    found = _SIZE.fullmatch(text.strip())
    if not found or float(found.group(1)) <= 0:
        raise UsageError(f"`{text}` is no size", cure="write it as 32GB or 800MB")
    unit = found.group(2).upper()
    return round(float(found.group(1)) * _UNITS[unit if unit.endswith("B") or not unit else f"{unit}B"])


def _print(out: Console, told: Forecast) -> None:
    out.print(f"[bold]{told.pass_name}[/] · release {told.release} · {told.draws} simulated moves")
    if told.complete:
        out.print(f"the {told.pass_name} is complete", markup=False)
    else:
        _print_steps(out, told)
        _print_end(out, told)
        _print_restore(out, told)
    _print_gap(out, told)
    _print_facts(out, told)
    for note in told.notes:
        out.print(f"! {note}", markup=False, soft_wrap=True)


def _print_steps(out: Console, told: Forecast) -> None:
    """On a narrow terminal without what the steps do to the end; its sum stands below the table."""
    wide = out.width >= _WIDE
    table = Table(box=None, pad_edge=False)
    table.add_column("step", no_wrap=True)
    for heading in ("P50", "P80", "P95", *(("waited for", "halving gains") if wide else ())):
        table.add_column(heading, justify="right", no_wrap=True)
    if wide:
        table.add_column("stands on", overflow="fold")
    else:
        table.add_column(
            "stands on", no_wrap=True, overflow="ellipsis", max_width=max(_LEAST_TEXT, out.width - _FIGURES)
        )
    for step in told.steps:
        if step.seconds is None:
            continue
        table.add_row(
            step.id,
            duration(step.seconds.p50),
            duration(step.seconds.p80),
            duration(step.seconds.p95),
            *(_weight(step) if wide else ()),
            escape(_basis(step)),
        )
    cut = told.cut_over
    if cut is not None:
        table.add_section()
        values = [duration(value) for value in (cut.seconds.p50, cut.seconds.p80, cut.seconds.p95)]
        table.add_row("[bold]cut-over[/]", *values, *(("", "") if wide else ()), f"{cut.first} to {cut.last}")
    out.print(table)


def _weight(step: StepForecast) -> tuple[str, str]:
    """How often the end waits for a step, and what halving it gains; nothing where it hardly does."""
    if step.critical < _LEAST_SHARE:
        return "", ""
    return f"{100 * step.critical:.0f} %", duration(step.halving) if step.halving >= 1 else ""


def _basis(step: StepForecast) -> str:
    return f"{step.basis.source}: {step.basis.text}"


def _print_end(out: Console, told: Forecast) -> None:
    cut = told.cut_over
    if cut is not None:
        begin = "ends" if cut.begun else "ends, if all goes on now,"
        out.print(
            f"the cut-over {begin} {zoned(cut.ends.p50)}; 80 of 100 by {zoned(cut.ends.p80)},"
            f" 95 by {zoned(cut.ends.p95)}",
            soft_wrap=True,
        )
        gain = next((step.halving for step in told.steps if step.id == cut.dominant), 0.0)
        if cut.dominant is not None:
            out.print(
                f"what dominates: {cut.dominant}; half as long, it gains {duration(gain)} at P80",
                soft_wrap=True,
            )
        if cut.bound is not None:
            out.print(
                f"without any model: after {count(cut.bound.runs, 'restore')} the next is below"
                f" {duration(cut.bound.worst)} with {100 * cut.bound.chance:.0f} %",
                soft_wrap=True,
            )
    if told.decision is not None:
        verdict = told.decision
        out.print(f"deadline {zoned(verdict.deadline)}: {verdict.text}", markup=False, soft_wrap=True)
        for name, at in (("start", verdict.latest_start), ("say go", verdict.latest_go)):
            if at is not None:
                out.print(f"latest hour to {name}, with 95 of 100: {zoned(at)}", soft_wrap=True)


def _print_restore(out: Console, told: Forecast) -> None:
    restore = told.restore
    if restore.bytes is None:
        return
    text = f"backup of {size(restore.bytes)} ({restore.bytes_from})"
    if restore.rate is not None:
        text += f", {size(restore.rate.p50)}/s ({size(restore.rate.p10)} to {size(restore.rate.p90)})"
    out.print(text, markup=False, soft_wrap=True)
    for lane in restore.lanes:
        out.print(
            f"  {lane.id:9} {duration(lane.seconds.p50):>12} · P95 {duration(lane.seconds.p95)}"
            f" · {lane.basis.text}",
            markup=False,
            soft_wrap=True,
        )


def _print_gap(out: Console, told: Forecast) -> None:
    gap = told.gap
    if gap is None:
        return
    out.print(
        f"gap {duration(gap.seconds.p50)} (P80 {duration(gap.seconds.p80)}), {gap.text}", soft_wrap=True
    )
    for kind in gap.arrivals:
        out.print(
            f"  {kind.kind:9} {kind.expected:>7.0f} · 80 of 100 between {kind.p10} and {kind.p90}"
            f" · {kind.uncovered:.0f} of them when sales stand still · {kind.weekly:.0f} a week",
            markup=False,
            soft_wrap=True,
        )
    if told.starts is None:
        return
    table = Table(
        "start",
        told.starts.kind,
        "80 of 100",
        "ends P50",
        "ends P95",
        "in time",
        box=None,
        pad_edge=False,
        title=f"order the backup (by the clock of {told.starts.timezone})",
        title_justify="left",
    )
    for start in (*told.starts.best, told.starts.worst):
        worst = start is told.starts.worst
        table.add_row(
            f"{start.local}{' (worst)' if worst else ''}",
            f"{start.expected:.0f}",
            f"{start.p10} to {start.p90}",
            _clock(start.ends.p50, told.starts.timezone),
            _clock(start.ends.p95, told.starts.timezone),
            "" if start.in_time is None else f"{100 * start.in_time:.0f} %",
        )
    out.print(table)


def _clock(at: float, zone: str) -> str:
    return f"{datetime.fromtimestamp(at, ZoneInfo(zone)):%a %Y-%m-%d %H:%M}"


def _print_facts(out: Console, told: Forecast) -> None:
    if told.facts:
        table = Table(
            "forecast against fact", "P10 to P90", "fact", "", box=None, pad_edge=False, title_justify="left"
        )
        for fact in told.facts:
            table.add_row(
                f"{fact.release} {fact.step}",
                f"{duration(fact.seconds.p10)} to {duration(fact.seconds.p90)}",
                duration(fact.took),
                "[green]inside[/]" if fact.inside else "[yellow]outside[/]",
            )
        out.print(table)
    names = {"frozen": "forecasts frozen before the fact", "replay": "each run forecast from the others"}
    for one in told.coverage:
        if one.of:
            out.print(
                f"coverage, {names[one.method]}: {one.inside} of {one.of} within the interval of 80 %",
                markup=False,
                soft_wrap=True,
            )
