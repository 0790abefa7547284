"""Commands that only look: plan, status, journal."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from boxlift import forecast as forecasting
from boxlift.cli.app import JsonOption, PassOption, app, current_pass, current_project
from boxlift.cli.output import console, print_json
from boxlift.figures import count, duration, iso, local
from boxlift.journal.export import EXPORT_SCHEMA, Row, as_csv, as_dict, export, json_lines
from boxlift.plan.standing import standing
from boxlift.plan.state import Position, State, position
from boxlift.project.place import place_option

_SIGN = {
    State.TODO: "[dim]todo[/]",
    State.RUNNING: "[bold cyan]running[/]",
    State.WAITING: "[yellow]waiting[/]",
    State.DONE: "[green]done[/]",
    State.FAILED: "[bold red]failed[/]",
    State.SKIPPED: "[dim]skipped[/]",
}


@app.command()
def plan(context: typer.Context, pass_: PassOption = None, as_json: JsonOption = False) -> None:
    """Show the steps of a pass: state, owner, durations and estimates.

    [bold]Examples:[/] boxlift plan · boxlift plan --pass final --json
    """
    project = current_project(context)
    the_plan = project.plan()
    with project.journal() as journal:
        where = position(the_plan, journal, current_pass(pass_, journal), runner_alive=project.runner_alive())
        if not as_json:
            done = forecasting.when_done(project, journal, where.pass_)
    if as_json:
        print_json(_plan_data(where))
        return
    table = Table(
        title=f"{where.pass_} · release {where.release}", title_justify="left", box=None, pad_edge=False
    )
    for heading in ("step", "owner", "state"):
        table.add_column(heading, no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("estimate", justify="right", no_wrap=True)
    table.add_column("what", overflow="fold")
    phase = ""
    for item in where.in_pass:
        if item.phase.id != phase:
            phase = item.phase.id
            table.add_row(
                f"[bold]{phase}[/]", "", "", "", "", f"[bold]{item.phase.title}[/] ({item.phase.urgency})"
            )
        took = time.time() - item.started if item.state is State.RUNNING and item.started else item.seconds
        table.add_row(
            f"  {item.step.id}",
            item.step.owner,
            _SIGN[item.state] + (" [bold yellow]?[/]" if item.doubt else ""),
            duration(took),
            duration(item.estimate),
            item.step.title,
        )
    out = console()
    out.print(table)
    out.print(f"done: {done}", markup=False, soft_wrap=True)
    for item in where.doubtful:
        out.print(f"? {item.step.id} may not hold any more: {item.doubt}", markup=False, soft_wrap=True)


def _plan_data(where: Position) -> dict[str, Any]:
    phases: dict[str, dict[str, Any]] = {}
    for item in where.steps:
        phase = phases.setdefault(
            item.phase.id,
            {"id": item.phase.id, "title": item.phase.title, "urgency": str(item.phase.urgency), "steps": []},
        )
        phase["steps"].append(
            {
                "id": item.step.id,
                "title": item.step.title,
                "owner": str(item.step.owner),
                "kind": str(item.step.kind),
                "needs": list(item.step.needs),
                "passes": [str(name) for name in item.step.passes],
                "state": str(item.state),
                "started": iso(item.started) if item.state not in {State.TODO, State.WAITING} else None,
                "ended": iso(item.ended),
                "seconds": _rounded(item.seconds),
                "estimate": _rounded(item.estimate),
                "confidence": item.expected.confidence,
                "attempts": item.attempts,
                "cause": item.cause,
                "doubt": item.doubt,
            }
        )
    return {"pass": str(where.pass_), "release": where.release, "phases": list(phases.values())}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


@app.command()
def status(context: typer.Context, pass_: PassOption = None, as_json: JsonOption = False) -> None:
    """Say in five lines where we are, what is next, who acts, when we are done, and the way back.

    [bold]Examples:[/] boxlift status · boxlift status --pass final --json
    """
    project = current_project(context)
    the_plan = project.plan()
    with project.journal() as journal:
        where = position(the_plan, journal, current_pass(pass_, journal), runner_alive=project.runner_alive())
        done = forecasting.when_done(project, journal, where.pass_)
        data = standing(where, journal, forecast=done, place=place_option(project))
    if as_json:
        print_json(data.as_dict())
        return
    out = console()
    lines = {"where": data.where, "next": data.next, "who": data.who, "done": data.done, "back": data.back}
    for name, line in lines.items():
        out.print(f"[bold]{name:6}[/] {escape(line)}", soft_wrap=True)


class JournalFormat(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"


@app.command()
def journal(
    context: typer.Context,
    form: Annotated[JournalFormat, typer.Option("--format", help="How to print it.")] = JournalFormat.TABLE,
    tasks: Annotated[
        bool, typer.Option("--tasks", help="Also each task on each host, each test, each segment.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what happened: every attempt, word of a person and incident, with its time.

    [bold]Examples:[/] boxlift journal · boxlift journal --tasks --format csv · boxlift journal --json
    """
    with current_project(context).journal() as records:
        rows = export(records, details=tasks)
    if as_json:
        print_json({"schema": EXPORT_SCHEMA, "records": [as_dict(row) for row in rows]})
    elif form is JournalFormat.JSONL:
        sys.stdout.writelines(json_lines(rows))
    elif form is JournalFormat.CSV:
        sys.stdout.write(as_csv(rows))
    else:
        _print_journal(rows)


def _print_journal(rows: Sequence[Row]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("at", "pass", "step", "what", "outcome"):
        table.add_column(heading, no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("text", overflow="fold")
    for row in rows:
        what = f"attempt {row.attempt}" if row.kind == "attempt" else row.kind
        first = (row.text or "").partition("\n")[0]
        text = " · ".join(escape(part) for part in (row.host, row.task, row.by, first) if part)
        if row.kind == "attempt" and row.changes:
            text = count(row.changes, "change") + (f" · {text}" if text else "")
        if row.began is not None:
            text += f" · since {local(row.began)}"
        outcome = (row.outcome or "") + (" (check mode)" if row.trial else "")
        took = duration(row.seconds) if row.seconds is not None else ""
        table.add_row(local(row.at), row.pass_name, row.step or "", what, outcome, took, text)
    console().print(table)
