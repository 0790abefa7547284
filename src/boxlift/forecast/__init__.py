"""Where a move will end: durations, finish, leads in the gap, with what stands behind each figure.

What is named here is loaded when it is first used: commands that forecast nothing don't wait for numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boxlift.forecast.inquiry import advice, ask, freeze, outlook, portal_moment, when_done

__all__ = ["advice", "ask", "freeze", "outlook", "portal_moment", "when_done"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("boxlift.forecast.inquiry"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
