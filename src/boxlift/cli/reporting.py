"""Commands that tell client and team: report, watch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from boxlift.cli.app import PassOption, app, current_project
from boxlift.cli.output import console

DEFAULT = "report.html"


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
) -> None:
    """Write one HTML file that tells client and team how the move stands. It needs nothing else to be read.

    [bold]Examples:[/] boxlift report · boxlift report --output /tmp/acme.html
    """
    # matplotlib takes most of a second to load: the other commands do without
    from boxlift.report import gather, render  # noqa: PLC0415
    from boxlift.report.file import write  # noqa: PLC0415

    project = current_project(context)
    text = render(gather(project, pass_))
    if output == Path("-"):
        sys.stdout.write(text)
        return
    path = output or project.root / DEFAULT
    write(path, text)
    console().print(f"✓ {path}", markup=False, soft_wrap=True)
