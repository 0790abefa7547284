"""Write a report to disk: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from boxlift.errors import UsageError


def write(path: Path, text: str) -> None:
    """Replace `path`. The file is the user's alone (0600): it names people and hosts.

    UsageError where the folder does not exist; a full disk leaves what was there before.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder", cure=f"name a file, as {path / 'report.html'}")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", cure="make it, or name another file")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
