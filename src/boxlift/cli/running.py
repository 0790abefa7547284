"""Commands that act on hosts: run, verify, activate, rollback, clone."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from boxlift.cli.app import PassOption, app, current_project
from boxlift.cli.output import console
from boxlift.plan import Pass
from boxlift.runner import Command, Request, run_command, run_plan, run_verification
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


@app.command()
def verify(
    context: typer.Context,
    suite: Annotated[str | None, typer.Argument(help="One suite; default: those of the steps done.")] = None,
    *,
    pass_: PassOption = None,
    staging: Annotated[bool, typer.Option("--staging", help="Look at the staging copy.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Prove with tests on the hosts that the portal is what it has to be. Changes nothing of it.

    [bold]Examples:[/] boxlift verify · boxlift verify restore
    """
    project = current_project(context)
    display = display_for(console(), quiet=quiet)
    raise typer.Exit(run_verification(project, pass_, suite, staging=staging, display=display))


@app.command()
def activate(
    context: typer.Context,
    release: Annotated[str, typer.Argument(help="The release to serve: box, rehearsal-1, final-1, ...")],
    pass_: PassOption = None,
    quiet: QuietOption = False,
) -> None:
    """Make a release the one that the web server serves. Refused (6) once the portal is open."""
    _run_command(context, Command.ACTIVATE, pass_, release=release, quiet=quiet)


@app.command()
def rollback(context: typer.Context, pass_: PassOption = None, quiet: QuietOption = False) -> None:
    """Serve the release that was active before. Refused (6) once the portal is open."""
    _run_command(context, Command.ROLLBACK, pass_, quiet=quiet)


@app.command()
def clone(context: typer.Context, pass_: PassOption = None, quiet: QuietOption = False) -> None:
    """Copy production to pre-production as it is now; the copy can mail nobody."""
    _run_command(context, Command.CLONE, pass_, quiet=quiet)


def _run_command(
    context: typer.Context, command: Command, pass_: Pass | None, *, release: str | None = None, quiet: bool
) -> None:
    project = current_project(context)
    display = display_for(console(), quiet=quiet)
    raise typer.Exit(run_command(project, command, pass_, release=release, display=display))
