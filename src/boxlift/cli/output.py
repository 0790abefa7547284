"""What commands print: tables and lines for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console

from boxlift.errors import BoxliftError


def console() -> Console:
    """Standard output; without a terminal 160 columns and no colours."""
    return Console(soft_wrap=False, highlight=False, width=None if sys.stdout.isatty() else 160)


def print_json(data: Any) -> None:
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")


def print_error(error: BoxliftError) -> None:
    """The message, then what to do about it, on standard error."""
    lines = f"✗ {error.message}\n"
    if error.cure:
        lines += f"  next: {error.cure}\n"
    sys.stderr.write(lines)
