"""The command line: `boxlift`."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence

from boxlift.cli import (
    comparing,
    forecasting,
    letters,
    making,
    persons,
    reading,
    reporting,
    risks,
    running,
    timing,
)
from boxlift.cli.app import app
from boxlift.cli.output import print_error
from boxlift.errors import BoxliftError, ExitCode, UsageError
from boxlift.lab.cli import app as lab_app

__all__ = [
    "app",
    "comparing",
    "forecasting",
    "letters",
    "main",
    "making",
    "persons",
    "reading",
    "reporting",
    "risks",
    "running",
    "timing",
]

_OF_THE_MACHINE = {errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.EPERM, errno.EROFS}
"""What is wrong with the machine and not with boxlift."""

app.add_typer(lab_app, name="lab")


def _check_words(words: Sequence[str]) -> None:
    """UsageError where the command line is no text: neither journal nor JSON could hold it."""
    for number, word in enumerate(words, start=1):
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"word {number} of the command line is no UTF-8 text") from error


def main() -> None:
    """Entry point: runs one command; its errors become one message and an exit code."""
    try:
        _check_words(sys.argv[1:])
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
