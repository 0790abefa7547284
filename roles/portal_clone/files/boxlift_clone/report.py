"""What a copy was, for people, and for the forecast of the next one."""

from __future__ import annotations

from boxlift_reader.state import State, durable

from .order import Order

_LISTED = 1000
"""Missing files that the report names; it counts them all."""


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
        "begun": state.figures("begun"),
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
