"""How the command speaks: numbers for people, failures in the house's form, JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.markup import escape

from bxbackup.errors import BackupError

_UNITS = ("B", "KB", "MB", "GB", "TB")
_STEP = 1000
_MINUTE = 60
_HOUR = 3600


def amount(count: float) -> str:
    """Bytes for people: `7.3 MB`, decimal units."""
    for unit in _UNITS:
        if abs(count) < _STEP or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _STEP
    raise AssertionError


def duration(seconds: float) -> str:
    """Seconds for people: `45 s`, `3 min 20 s`, `10 h 25 min`."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"


def console(*, error: bool = False) -> Console:
    """Standard output or error. Without a terminal: plain text, lines never wrapped."""
    stream = sys.stderr if error else sys.stdout
    found = Console(stderr=error, highlight=False)
    if not stream.isatty():
        found = Console(stderr=error, highlight=False, width=10_000, no_color=True, soft_wrap=True)
    return found


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def print_failure(doing: str, error: BackupError, then: str | None = None) -> None:
    """A failure: what, evidence, meaning, what is kept, the command to go on with."""
    out = console(error=True)
    first, *below = error.lines()
    out.print(f"[red]✗[/red] {escape(doing)} · {escape(first)}")
    for line in below:
        out.print(f"  {escape(line)}")
    if then is not None:
        out.print(f"  next: {escape(then)}")
