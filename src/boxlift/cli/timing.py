"""The command that lets systemd start a command at set times: timer."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from boxlift.cli.app import app, current_project
from boxlift.cli.output import console
from boxlift.errors import BoxliftError, UsageError
from boxlift.plan.load import nearest
from boxlift.unattended import TIMED, Timer, load_targets

_SYSTEM = Path("/etc/systemd/system")
_NAMES = f"{', '.join(list(TIMED)[:-1])} or {list(TIMED)[-1]}"


@app.command()
def timer(
    context: typer.Context,
    command: Annotated[str, typer.Argument(help=f"{_NAMES}.", autocompletion=lambda: list(TIMED))],
    *,
    calendar: Annotated[
        str, typer.Option("--at", help='When, as systemd writes it: "Sun 03:00", hourly.')
    ] = "Sun 03:00",
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FOLDER", help="Write the units there; else print them.")
    ] = None,
) -> None:
    """Make systemd units that back up, rebuild staging, renew the certificate or verify the portal.

    How it ended is told in one line to the targets in the project's tell.txt: a webhook, or an address of
    mail. A run that another one is in the way of is refused, and told as well. It runs as the owner of the
    project's folder, whoever writes the units. Without systemd, the ExecStart line serves cron.

    [bold]Examples:[/] boxlift timer backup --at "*-*-* 01:30" · boxlift timer clone --at "Sun 03:00"
    · boxlift timer certificate --at "Mon 06:00"
    · boxlift timer verify --at hourly --write .
    """
    if command not in TIMED:
        raise UsageError(
            f"`{command}` is not run by a timer{nearest(command, list(TIMED))}",
            cure=_NAMES,
        )
    project = current_project(context)
    made = Timer(project, command, calendar)
    due = made.next_time()
    units = made.units()
    out = console()
    if write is None:
        for name, text in units.items():
            out.print(f"# {name}\n{text}", markup=False, soft_wrap=True)
        return
    load_targets(project.root)
    try:
        for name, text in units.items():
            (write / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BoxliftError(
            f"cannot write {error.filename}: {error.strerror}", cure="sudo, or another folder"
        ) from error
    out.print(f"✓ {' and '.join(units)} in {write}, run as {made.owner()}", markup=False, soft_wrap=True)
    if due is not None:
        out.print(f"  first run: {due}", markup=False)
    start = f"sudo systemctl daemon-reload && sudo systemctl enable --now {made.name}.timer"
    if write.resolve() != _SYSTEM:
        start = f"sudo cp {' '.join(shlex.quote(str(write / name)) for name in units)} {_SYSTEM} && {start}"
    out.print(f"  next: {start}", markup=False, soft_wrap=True)
