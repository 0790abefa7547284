"""`boxlift lab up|down|status|demo`."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Annotated

import typer

from boxlift.cli.output import console
from boxlift.errors import ExitCode
from boxlift.lab.demo import Demo
from boxlift.lab.errors import LabError
from boxlift.lab.hosts import Hosts, LabStatus
from boxlift.lab.lock import locked
from boxlift.lab.place import Lab
from boxlift.lab.topology import DEFAULT, TOPOLOGIES

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Real hosts on this machine: production, staging, telephony, cloud.",
)
_STARTED = time.monotonic()


@app.command()
def up(
    hosts: Annotated[list[str] | None, typer.Argument(help="Only these hosts; all by default.")] = None,
    topology: Annotated[
        str | None,
        typer.Option(
            "--topology", metavar="NAME", help=f"Which hosts a new lab has: {', '.join(TOPOLOGIES)}."
        ),
    ] = None,
) -> None:
    """Bring the lab up from whatever state it is in; what stands already is kept.

    Examples: boxlift lab up · boxlift lab up portal-1 cloud-1 · boxlift lab up --topology single
    """
    lab = Lab.here(topology)
    with locked(lab, "up"):
        _show(Hosts(lab, say).up(hosts or ()))
    say(f"enter a host with: ssh -F {lab.ssh_config} portal-1")


@app.command()
def down(
    everything: Annotated[
        bool, typer.Option("--everything", help="Also its images, keys, caches: all that the lab ever made.")
    ] = False,
) -> None:
    """Remove the lab's hosts and network; images, keys and caches stay for the next up.

    Examples: boxlift lab down · boxlift lab down --everything
    """
    lab = Lab.here()
    with locked(lab, "down"):
        Hosts(lab, say).down(everything=everything)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say what runs, under which address and name.

    Examples: boxlift lab status · boxlift lab status --json
    """
    found = Hosts(Lab.here(), say).status()
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found), indent=2))
    else:
        _show(found)


@app.command()
def demo(
    backup: Annotated[
        Path | None, typer.Option("--backup", metavar="ARCHIVE", help="First volume of a backup to move.")
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="File with the password of an encrypted backup.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Last step of the plan to go to.")] = None,
) -> None:
    """Move a whole portal on the lab: every step of the final pass, persons' steps confirmed as "lab".

    Examples: boxlift lab demo · boxlift lab demo --backup first.tar.gz --until activate-release
    """
    lab = Lab.here()
    if lab.topology.name != DEFAULT:
        raise LabError(
            f"{lab.folder} holds a lab of the topology {lab.topology.name}, and the move needs the hosts of "
            f"{DEFAULT}: let BOXLIFT_LAB_DIR name another folder",
            ExitCode.USAGE,
        )
    with locked(lab, "demo"):
        code = Demo(lab, console(), say).run(backup, password_file, until)
    raise typer.Exit(code)


def say(text: str) -> None:
    """One line of progress, with the seconds since the command began."""
    typer.echo(f"{time.monotonic() - _STARTED:6.1f} s  {text}", err=True)


def _show(found: LabStatus) -> None:
    typer.echo(
        f"lab {found.name}   {found.topology}   network {found.subnet or 'none'}   folder {found.folder}"
    )
    for host in found.hosts:
        typer.echo(f"  {host.name:<10} {host.state:<8} {host.address:<15} {' '.join(host.names)}")
    if not found.ready:
        typer.echo("not all hosts run: `boxlift lab up` makes or starts the others")
