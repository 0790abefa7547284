"""The command line: `boxlift`."""

from __future__ import annotations

import errno
import sys

from boxlift.cli import forecasting, letters, making, persons, reading, reporting, risks, running
from boxlift.cli.app import app
from boxlift.cli.output import print_error
from boxlift.errors import BoxliftError, ExitCode
from boxlift.lab.cli import app as lab_app

__all__ = [
    "app",
    "forecasting",
    "letters",
    "main",
    "making",
    "persons",
    "reading",
    "reporting",
    "risks",
    "running",
]

_OF_THE_MACHINE = {errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.EPERM, errno.EROFS}
"""What is wrong with the machine and not with boxlift."""

app.add_typer(lab_app, name="lab")


def main() -> None:
    """Entry point: runs one command; its errors become one message and an exit code."""
    try:
        app(prog_name="boxlift")
    except BoxliftError as error:
        print_error(error)
        sys.exit(error.code)
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            raise
        place = f"{error.filename}: " if error.filename else ""
        cure = "put that right, then run the command again"
        print_error(BoxliftError(f"{place}{error.strerror}", cure))
        sys.exit(ExitCode.OUR_FAULT)
