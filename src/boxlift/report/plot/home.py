"""A place for matplotlib's own files, before it is loaded."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_FOLDER = "MPLCONFIGDIR"


def prepare() -> None:
    """Give matplotlib a folder that lasts as long as the process where its own ones cannot be written.

    It would find one by itself, but tells so on standard error.
    """
    if all(_usable(folder) for folder in _folders()):
        return
    made = tempfile.mkdtemp(prefix="boxlift-plots-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    os.environ[_FOLDER] = made


def _folders() -> list[Path]:
    """Where matplotlib keeps settings and fonts, as its documentation says."""
    if named := os.environ.get(_FOLDER):
        return [Path(named)]
    homes = (("XDG_CONFIG_HOME", "~/.config"), ("XDG_CACHE_HOME", "~/.cache"))
    return [Path(os.environ.get(name) or default) / "matplotlib" for name, default in homes]


def _usable(folder: Path) -> bool:
    try:
        path = folder.expanduser()
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return False
    return os.access(path, os.W_OK | os.X_OK)
