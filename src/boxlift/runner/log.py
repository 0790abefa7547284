"""The log of one attempt: private, without secrets, and never the reason that work stops."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from boxlift.redact import Redactor


class Log:
    """Lines go straight to the file. A full disk costs lines, which `warn` is told of once."""

    def __init__(self, path: Path, redact: Redactor, warn: Callable[[str], None]) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._redact = redact
        self._warn = warn
        self._broken = False

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def write(self, text: str) -> None:
        """Write whole lines."""
        try:
            os.write(self._descriptor, f"{self._redact(text)}\n".encode(errors="replace"))
        except OSError as error:
            if not self._broken:
                self._broken = True
                self._warn(f"! the log cannot be written ({error.strerror}); work goes on")
