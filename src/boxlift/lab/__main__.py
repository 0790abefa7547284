"""`python -m boxlift.lab`: the lab's commands alone."""

import sys

from boxlift.cli.output import print_error
from boxlift.errors import BoxliftError
from boxlift.lab.cli import app

try:
    app(prog_name="boxlift lab")
except BoxliftError as error:
    print_error(error)
    sys.exit(error.code)
