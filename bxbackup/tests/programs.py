"""Programs that tests need and a machine may lack.

`make integration` installs all of them and says so (`TEST_PROGRAMS=required`): then one that is missing fails
what needs it, where it would be left out otherwise.
"""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

VARIABLE = "TEST_PROGRAMS"
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin:/usr/local/sbin"
"""Debian's servers and tools of file systems are not on the PATH of everyone."""


def find(name: str) -> str | None:
    """Where a program is."""
    return shutil.which(name, path=_PATH)


def lacking(reason: str) -> NoReturn:
    """Leave a test out, or fail where everything has to be there."""
    if os.environ.get(VARIABLE) == "required":
        pytest.fail(f"{reason}, and {VARIABLE}=required", pytrace=False)
    pytest.skip(reason)


def program(name: str, package: str) -> str:
    """Where a program is, in a fixture or a test that cannot do without."""
    found = find(name)
    if found is None:
        lacking(_reason([name], package))
    return found


def needs(*names: str, package: str) -> pytest.MarkDecorator:
    """The mark of tests that cannot do without some programs."""
    missing = [name for name in names if find(name) is None]
    if missing and os.environ.get(VARIABLE) == "required":
        lacking(_reason(missing, package))
    return pytest.mark.skipif(bool(missing), reason=_reason(missing, package))


def _reason(names: list[str], package: str) -> str:
    return f"{', '.join(names)} not installed (apt-get install {package})"
