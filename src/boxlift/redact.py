"""Hide secrets in everything that is stored or shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

HIDDEN = "********"
_QUERY = re.compile(r"(\bhttps?://[^\s?'\"<>]+)\?[^\s'\"<>]+")
_USERINFO = re.compile(r"(\bhttps?://)[^\s/@'\"]+@")
_SHORTEST = 6
"""Shorter values would hide ordinary words; no generated secret is that short."""


class Redactor:
    """Replaces known secrets, and the query and login of every URL (a presigned link is a credential)."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._texts: set[str] = set()
        self._known: re.Pattern[str] | None = None
        self.hide(values)

    def hide(self, values: Iterable[str]) -> None:
        """Hide these values from now on, also as JSON and Python write them."""
        for value in values:
            for part in (value, *value.splitlines()):
                text = part.strip()
                if len(text) >= _SHORTEST:
                    self._texts |= {text, json.dumps(text)[1:-1], repr(text)[1:-1]}
        ordered = sorted(self._texts, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        if "http" in text:
            text = _USERINFO.sub(rf"\1{HIDDEN}@", _QUERY.sub(rf"\1?{HIDDEN}", text))
        return text
