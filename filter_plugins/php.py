"""Filters that write PHP source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def php_string(value: object) -> str:
    """Return a PHP string literal in single quotes.

    >>> php_string("it's")
    "'it\\\\'s'"
    """
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def php_value(value: Any, indent: int = 0) -> str:
    """Return plain data (mappings, lists, scalars) as a PHP literal."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    pad = "    " * (indent + 1)
    if isinstance(value, Mapping):
        lines = [f"{pad}{php_string(key)} => {php_value(item, indent + 1)}," for key, item in value.items()]
    elif isinstance(value, list | tuple):
        lines = [f"{pad}{php_value(item, indent + 1)}," for item in value]
    else:
        return php_string(value)
    return "\n".join(["[", *lines, "    " * indent + "]"])


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"php_string": php_string, "php_value": php_value}
