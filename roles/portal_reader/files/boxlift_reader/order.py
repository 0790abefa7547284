"""What the orders of a copy and of a backup have in common: how they are read, and what they may name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from .fault import PullError

DATABASE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")


class Method(StrEnum):
    """How the database travels: as files, or as statements."""

    PHYSICAL = "physical"
    LOGICAL = "logical"


_KINDS: Mapping[str, Callable[[Any], Any]] = {"Path": Path, "Method": Method, "tuple[str, ...]": tuple}
"""Types of an order's fields that JSON does not know."""


def _as_it_is(value: Any) -> Any:
    return value


def read(order: type[Any], path: Path, what: str, names: Mapping[str, re.Pattern[str]]) -> dict[str, Any]:
    """Read the role's file: a value for each field of the order.

    :param what: what is ordered, in words.
    :param names: fields whose values become names of files and databases, and how those look.
    :raises PullError: it is not complete, or names what the program must not touch.
    """
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        values: dict[str, Any] = {
            field.name: _KINDS.get(str(field.type), _as_it_is)(told[field.name]) for field in fields(order)
        }
        for name, pattern in names.items():
            if not pattern.match(values[name]):
                raise PullError(f"{values[name]!r} is no {name} of {what}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PullError(f"{path} is no order of {what}: {error!r}") from error
    return values
