"""What a copy was, for people; what the next one will be, from what the last one was."""

from __future__ import annotations

import json
from typing import Any

from .order import Method, Order
from .state import State, durable
from .tree import Moved

_LISTED = 1000
"""Missing files that the report names; it counts them all."""
_RATIO = 0.3
"""Bytes that travel for a byte of the database, where no copy was measured yet."""


def write(order: Order, state: State) -> None:
    """Write `report.json` of the copy, and what was measured for the forecast of the next one."""
    missing = state.figures("missing")
    database, files = state.figures("database"), state.figures("files")
    content = {
        "schema": 1,
        "release": order.release,
        "of": order.source,
        "method": str(order.method),
        "database": database,
        "prepare": state.figures("prepare"),
        "files": files,
        "lag_seconds": round(files["as_of"] - database["as_of"], 1),
        "attachments": order.attachments,
        "rows_with_file": missing["rows"],
        **{
            name: {"files": len(missing[name]), "listed": missing[name][:_LISTED]}
            for name in ("deleted", "lost")
        },
    }
    durable(order.folder / "report.json", content)
    durable(order.copies / "last.json", content)


def ahead(order: Order, files: Moved) -> dict[str, Any]:
    """What would travel now, and how long it takes at the last copy's rates; None where none was measured."""
    try:
        last: dict[str, Any] = json.loads((order.copies / "last.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        last = {}
    before = last.get("database", {}) if last.get("method") == str(order.method) else {}
    ratio = before["travelled"] / before["bytes"] if before.get("bytes") else _RATIO
    return {
        "method": str(order.method),
        "database_bytes": order.database_bytes,
        "database_travels": round(order.database_bytes * ratio),
        "files": files.files,
        "files_bytes": files.bytes,
        "files_size": files.size,
        "seconds": _seconds(order, files, last, before),
    }


def _seconds(order: Order, files: Moved, last: dict[str, Any], before: dict[str, Any]) -> float | None:
    """The database at its last rate; the files at theirs, and the time that looking at all of them took."""
    seen = last.get("files", {})
    if not before.get("bytes") or not seen.get("size"):
        return None
    database = before["seconds"] * order.database_bytes / before["bytes"]
    if order.method is Method.PHYSICAL:
        database += last.get("prepare", {}).get("seconds", 0.0)
    looked_at = seen["seconds"] * files.size / seen["size"]
    # The last copy may have moved nothing: its seconds are then those of looking alone.
    moved = seen["seconds"] * files.bytes / seen["bytes"] if seen.get("bytes") else 0.0
    return float(round(database + max(moved, min(looked_at, seen["seconds"])), 1))
