"""The command line: `boxlift`."""

from __future__ import annotations

import sys

from boxlift.cli import making, persons, reading, running
from boxlift.cli.app import app
from boxlift.cli.output import print_error
from boxlift.errors import BoxliftError
from boxlift.lab.cli import app as lab_app

__all__ = ["app", "main", "making", "persons", "reading", "running"]

app.add_typer(lab_app, name="lab")


def main() -> None:
    """Entry point: runs one command; its errors become one message and an exit code."""
    try:
        app(prog_name="boxlift")
    except BoxliftError as error:
        print_error(error)
        sys.exit(error.code)
