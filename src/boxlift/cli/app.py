"""The commands' common root: global options, the project, the mounting of all commands."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from boxlift.errors import UsageError
from boxlift.journal import Journal
from boxlift.plan import Pass
from boxlift.project import Project, find

app = typer.Typer(
    name="boxlift",
    help="Move a Bitrix24 cloud portal into its self-hosted version.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
PassOption = Annotated[
    Pass | None,
    typer.Option(
        "--pass", help="Which pass; without it the one that was named last, at first the rehearsal."
    ),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"boxlift {version('boxlift')}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    project: Annotated[
        Path | None,
        typer.Option(
            "--project", "-C", envvar="BOXLIFT_PROJECT", help="The project's folder; default: this one."
        ),
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Global options."""
    context.obj = project


def current_project(context: typer.Context) -> Project:
    """The project that the command works on."""
    start = context.obj if isinstance(context.obj, Path) else Path.cwd()
    if not start.is_dir():
        raise UsageError(f"there is no folder {start}")
    return find(start.resolve())


def current_pass(named: Pass | None, journal: Journal) -> Pass:
    """The pass that was named now, else last time, else the rehearsal."""
    return named or Pass(journal.chosen_pass() or Pass.REHEARSAL)
