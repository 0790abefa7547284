"""Commands that tell client and team: report, watch."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from boxlift.cli.app import JsonOption, PassOption, app, current_project
from boxlift.cli.output import console, print_json
from boxlift.errors import UsageError

DEFAULT = "report.html"
PORT = 8437


@app.command()
def report(
    context: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The file to write; - for standard output.", show_default=DEFAULT
        ),
    ] = None,
    pass_: PassOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write one HTML file that tells client and team how the move stands. It needs nothing else to be read.

    [bold]Examples:[/] boxlift report · boxlift report --output /tmp/acme.html
    """
    # matplotlib takes most of a second to load: the other commands do without
    from boxlift.report import gather, render  # noqa: PLC0415
    from boxlift.report.file import write  # noqa: PLC0415

    project = current_project(context)
    if as_json and output == Path("-"):
        raise UsageError("--json and --output - both want standard output")
    told = gather(project, pass_)
    text = render(told)
    if output == Path("-"):
        sys.stdout.write(text)
        return
    path = output or project.root / DEFAULT
    write(path, text)
    if as_json:
        print_json(
            {
                "output": str(path),
                "bytes": path.stat().st_size,
                "made": told.clock.iso(told.made),
                "pass": told.standing.pass_name,
                "release": told.standing.release,
                "missing": [{"part": name, **asdict(part)} for name, part in told.missing().items()],
            }
        )
        return
    console().print(f"✓ {path}", markup=False, soft_wrap=True)


@app.command()
def watch(
    context: typer.Context,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes any free one.")] = PORT,
    pass_: PassOption = None,
) -> None:
    """Serve the report live to a browser of this machine while a run goes on. Ctrl-C ends it.

    From another machine: ssh -L 8437:127.0.0.1:8437 CONTROL-NODE, then open the same address there.

    [bold]Example:[/] boxlift watch --port 0
    """
    from boxlift.report.watch import watch as serve  # noqa: PLC0415

    project = current_project(context)
    project.plan()
    out = console()

    def told(address: str) -> None:
        out.print(f"✓ {address}", markup=False, soft_wrap=True)
        out.print("  for this machine only; Ctrl-C ends it", markup=False)

    serve(project, pass_, port, told)
    out.print("✓ ended", markup=False)
