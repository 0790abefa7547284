"""What commands print: tables and lines for people, JSON for programs."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape

from boxlift.errors import BoxliftError

MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
"""How a moment is written on the command line."""
_PATIENCE = 2.0
"""Seconds after which somebody wants to know that it goes on."""


def console() -> Console:
    """Standard output; without a terminal 160 columns and no colours."""
    return Console(soft_wrap=False, highlight=False, width=None if sys.stdout.isatty() else 160)


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show that something goes on: a spinner on a terminal, a line after two seconds elsewhere."""
    errors = Console(stderr=True, highlight=False)
    if errors.is_terminal:
        with errors.status(escape(text)):
            yield
        return
    told = threading.Timer(_PATIENCE, errors.print, [f"… {text}"], {"markup": False, "soft_wrap": True})
    told.daemon = True
    told.start()
    try:
        yield
    finally:
        told.cancel()


def print_json(data: Any) -> None:
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")


def print_error(error: BoxliftError) -> None:
    """The message, then what to do about it, on standard error."""
    lines = f"✗ {error.message}\n"
    if error.cure:
        lines += f"  next: {error.cure}\n"
    sys.stderr.write(lines)
