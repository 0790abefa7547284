"""Commands that act on hosts: run, verify, activate, rollback, clone, backup, certificate."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from boxlift.cli.app import JsonOption, PassOption, app, current_project
from boxlift.cli.completion import steps, steps_and_phases, suite_names
from boxlift.cli.output import console, print_json, working
from boxlift.clone import describe, run_clone
from boxlift.errors import ExitCode, UsageError
from boxlift.plan import Pass
from boxlift.runner import Command, Request, run_command, run_plan, run_verification
from boxlift.runner.display import Amount, Display, display_for
from boxlift.unattended import telling

QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Only the last lines of a failure.")]
TellOption = Annotated[
    bool, typer.Option("--tell", help="Tell the targets in tell.txt in one line how it ended.")
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also each task on each host, and each test.")
]


def _display(*, quiet: bool, verbose: bool, as_json: bool) -> Display:
    named = {Amount.QUIET: quiet, Amount.VERBOSE: verbose, Amount.JSON: as_json}
    chosen = [amount for amount, wanted in named.items() if wanted]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(f'--{amount}' for amount in chosen)} exclude each other")
    return display_for(console(), chosen[0] if chosen else Amount.NORMAL)


@app.command()
def run(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STEP|PHASE]...", help="Steps or phases.", autocompletion=steps_and_phases),
    ] = None,
    *,
    pass_: PassOption = None,
    start: Annotated[
        str | None, typer.Option("--from", help="First step of a stretch.", autocompletion=steps)
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Last step of a stretch.", autocompletion=steps)
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing, show what would change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to destructive steps, for scripts.")] = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run steps: what is next, named ones, a phase, or a stretch.

    Without names it goes on until a step fails or a person is next (exit code 8). A step that is named runs
    again even if it is done; a phase goes on where it stands. It says beforehand what it will do and how
    long that takes, and asks before a step that cannot be undone. Ctrl-C ends it in order; the same command
    goes on.

    [bold]Examples:[/] boxlift run · boxlift run restore-backup · boxlift run prepare --yes
    · boxlift run --pass final --until activate-release · boxlift run repair-portal --check
    """

    def ask(question: str) -> bool:
        return yes or (sys.stdin.isatty() and _agreed(f"{question}. Go on?"))

    request = Request(names=names or (), start=start, until=until, trial=check)
    display = _display(quiet=quiet, verbose=verbose, as_json=as_json)
    raise typer.Exit(run_plan(current_project(context), pass_, request, display=display, ask=ask))


def _agreed(question: str) -> bool:
    """The answer of a person; Ctrl-C at the question ends the run as it does elsewhere."""
    try:
        return typer.confirm(question, default=False, err=True)
    except typer.Abort as abort:
        raise KeyboardInterrupt from abort


@app.command()
def verify(
    context: typer.Context,
    suite: Annotated[
        str | None,
        typer.Argument(help="One suite; default: those of the steps done.", autocompletion=suite_names),
    ] = None,
    *,
    pass_: PassOption = None,
    staging: Annotated[bool, typer.Option("--staging", help="Look at the staging copy.")] = False,
    tell: TellOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Prove with tests on the hosts that the portal is what it has to be. Changes nothing of it.

    [bold]Examples:[/] boxlift verify · boxlift verify restore
    """
    project = current_project(context)
    display = _display(quiet=quiet, verbose=verbose, as_json=as_json)

    def act() -> ExitCode:
        return run_verification(project, pass_, suite, staging=staging, display=display)

    raise typer.Exit(telling(project, "verify", act) if tell else act())


@app.command()
def activate(
    context: typer.Context,
    release: Annotated[str, typer.Argument(help="The release to serve: box, rehearsal-1, final-1, ...")],
    *,
    pass_: PassOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a release the one that the web server serves. Refused (6) once the portal is open.

    [bold]Example:[/] boxlift activate rehearsal-1
    """
    display = _display(quiet=quiet, verbose=verbose, as_json=as_json)
    _run_command(context, Command.ACTIVATE, pass_, display, release=release)


@app.command()
def rollback(
    context: typer.Context,
    *,
    staging: Annotated[bool, typer.Option("--staging", help="Go back to the copy before.")] = False,
    pass_: PassOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Serve the release that was active before. In production refused (6) once the portal is open.

    [bold]Examples:[/] boxlift rollback · boxlift rollback --staging
    """
    display = _display(quiet=quiet, verbose=verbose, as_json=as_json)
    _run_command(context, Command.ROLLBACK, pass_, display, staging=staging)


@app.command()
def clone(
    context: typer.Context,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would travel and how long it takes.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Agree beforehand, for scripts.")] = False,
    tell: TellOption = False,
    pass_: PassOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Copy production to pre-production as it is now; the copy can mail nobody.

    It names both sides and asks. Production is only read, and goes on meanwhile. What was interrupted is gone
    on with by the same command.

    [bold]Examples:[/] boxlift clone · boxlift clone --yes · boxlift clone --dry-run
    """
    project = current_project(context)
    if dry_run:
        with project.lock("clone"), working("looking at both sides and what has changed"):
            description = describe(project, ahead=True)
        if as_json:
            print_json(description.as_dict())
        else:
            for line in description.lines():
                console().print(line, markup=False, soft_wrap=True)
        return

    def ask(question: str) -> bool:
        return yes or (sys.stdin.isatty() and _agreed(f"{question}. Go on?"))

    display = _display(quiet=quiet, verbose=verbose, as_json=as_json)

    def act() -> ExitCode:
        return run_clone(project, pass_, ask=ask, display=display)

    raise typer.Exit(telling(project, "clone", act) if tell else act())


@app.command()
def backup(
    context: typer.Context,
    *,
    tell: TellOption = False,
    pass_: PassOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Back production up on another host, database and files, and prove that the backup can be restored.

    The portal goes on serving. Another backup, or a copy, that is being made is not disturbed: it is
    refused then. What was interrupted is gone on with by the same command.

    [bold]Examples:[/] boxlift backup · boxlift backup --quiet --tell
    """
    project = current_project(context)
    display = _display(quiet=quiet, verbose=verbose, as_json=as_json)

    def act() -> ExitCode:
        return run_command(project, Command.BACKUP, pass_, display=display)

    raise typer.Exit(telling(project, "backup", act) if tell else act())


@app.command()
def certificate(
    context: typer.Context,
    *,
    staging: Annotated[bool, typer.Option("--staging", help="That of pre-production.")] = False,
    tell: TellOption = False,
    pass_: PassOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put the certificate into service on portal and telephony server, as it is on the control node now.

    For one that was replaced or renewed after the move: it is checked before anything is touched, proved on
    every port or put back, and the same one again changes nothing.

    [bold]Examples:[/] boxlift certificate · boxlift certificate --quiet --tell
    """
    project = current_project(context)
    display = _display(quiet=quiet, verbose=verbose, as_json=as_json)

    def act() -> ExitCode:
        return run_command(project, Command.CERTIFICATE, pass_, staging=staging, display=display)

    raise typer.Exit(telling(project, "certificate", act) if tell else act())


def _run_command(
    context: typer.Context,
    command: Command,
    pass_: Pass | None,
    display: Display,
    release: str | None = None,
    *,
    staging: bool = False,
) -> None:
    project = current_project(context)
    raise typer.Exit(run_command(project, command, pass_, release=release, staging=staging, display=display))
