"""Commands that act on hosts: run, verify, activate, rollback, clone."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from boxlift.cli.app import PassOption, app, current_project
from boxlift.cli.output import console
from boxlift.runner import Request, run_plan
from boxlift.runner.display import display_for

QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Only the last lines of a failure.")]


@app.command()
def run(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[STEP|PHASE]...", help="Steps or phases.")
    ] = None,
    *,
    pass_: PassOption = None,
    start: Annotated[str | None, typer.Option("--from", help="First step of a stretch.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Last step of a stretch.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing, show what would change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to destructive steps, for scripts.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Run steps: what is next, named ones, a phase, or a stretch.

    Without names it goes on until a step fails or a person is next (exit code 8). A step that is named runs
    again even if it is done; a phase goes on where it stands.

    [bold]Examples:[/] boxlift run · boxlift run restore-backup · boxlift run prepare --yes
    """
    out = console()

    def ask(question: str) -> bool:
        return yes or (sys.stdin.isatty() and typer.confirm(f"{question}. Go on?", default=False))

    request = Request(names=names or (), start=start, until=until, trial=check)
    code = run_plan(current_project(context), pass_, request, display=display_for(out, quiet=quiet), ask=ask)
    raise typer.Exit(code)
