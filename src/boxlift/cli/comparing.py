"""The command that holds the set-up of two environments against each other: compare."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from boxlift.cli.app import JsonOption, app, current_project
from boxlift.cli.output import console, print_json, working
from boxlift.compare import Comparison, Difference, compared, load_expectations, look
from boxlift.errors import ExitCode
from boxlift.figures import count

_LONGEST = 70
"""Characters of a value that are shown."""
_LINES = 12
"""Lines of a text's difference that are shown; --json has all."""


@app.command()
def compare(
    context: typer.Context,
    a: Annotated[str, typer.Argument(help="An environment, group or host: production.")],
    b: Annotated[str, typer.Argument(help="The other: preproduction.")],
    *,
    everything: Annotated[bool, typer.Option("--all", help="Show what is expected to differ too.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with 7 where something unexpected differs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show how two environments differ: packages, PHP, nginx, cron, database, settings, options.

    What has to differ (own domain, own keys, what keeps a copy still) is folded away, and what must differ
    but is the same is shown. Secrets are compared by a keyed hash and stay on their host. Changes nothing.

    [bold]Examples:[/] boxlift compare production preproduction · boxlift compare portal-1 staging-1 --all
    """
    project = current_project(context)
    expectations = load_expectations(project.root)
    with working(f"reading how {a} and {b} are set up"):
        left, right = look(project, a, b)
    found = compared(left, right, expectations)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _print(found, everything=everything)
    if strict and found.unexpected:
        raise typer.Exit(ExitCode.VERIFICATION_FAILED)


def _print(found: Comparison, *, everything: bool) -> None:
    out = console()
    shown = found.differences if everything else found.unexpected
    for part in dict.fromkeys(item.part for item in shown):
        out.print(f"[bold]{part}[/]")
        table = Table(box=None, pad_edge=False)
        table.add_column("", overflow="fold")
        for heading in (found.a, found.b):
            table.add_column(heading, overflow="fold")
        if everything:
            table.add_column("why", overflow="fold")
        texts = [item for item in shown if item.part == part and item.lines]
        for item in shown:
            if item.part == part and not item.lines:
                table.add_row(*_row(item, why=everything))
        if table.row_count:
            out.print(table)
        for item in texts:
            _print_text(out, item)
    folded = sum(1 for item in found.differences if item.expected)
    differ = len(found.unexpected)
    words = count(differ, "difference") if differ else "no difference"
    out.print(
        f"{'✗' if differ else '✓'} {words} that nothing explains; {folded} expected ones"
        f"{'' if everything else ' folded away (--all)'}; {found.compared} settings compared",
        markup=False,
        soft_wrap=True,
    )


def _row(item: Difference, *, why: bool) -> list[str]:
    if item.kind == "equal":
        left, right = "the same", f"must differ: {item.reason}"
    else:
        left, right = (_cut(value) for value in (item.left, item.right))
    cells = [escape(item.name), left, right]
    return [*cells, escape(item.reason or "[unexpected]")] if why else cells


def _cut(value: str | None) -> str:
    if value is None:
        return "[dim]–[/]"
    text = value.replace("\n", "⏎")
    return escape(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…") or "[dim]empty[/]"


def _print_text(out: Console, item: Difference) -> None:
    title = f"{item.name}" + (f"  ({item.reason})" if item.reason else "")
    out.print(title, markup=False, soft_wrap=True)
    for line in item.lines[:_LINES]:
        out.print(f"  {line}", markup=False, soft_wrap=True, style="red" if line[0] == "-" else "green")
    if len(item.lines) > _LINES:
        out.print(f"  … and {len(item.lines) - _LINES} more lines (--json)", markup=False)
