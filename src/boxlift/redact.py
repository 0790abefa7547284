"""Hide secrets, and what a terminal would obey, in everything that is stored or shown."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

HIDDEN = "********"
_QUERY = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?'\"<>]+)\?[^\s'\"<>]+", re.IGNORECASE)
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@'\"]+@", re.IGNORECASE)
_PARAMETER = re.compile(
    r"\b((?:x-amz-)?(?:signature|credential|security-token)|sig|token|password)=(?!\*{8})[^&\s'\"<>]+",
    re.IGNORECASE,
)
_HEADER = re.compile(r"(\bauthorization\W{1,4}(?:basic|bearer|digest)\s+)\S+", re.IGNORECASE)
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters but for tab and line feed, and those that turn the direction of writing."""
_SHORTEST = 6
"""Shorter values would hide ordinary words; no generated secret is that short."""


class Redactor:
    """Replaces known secrets, and what is one by its form: the query and login of every URL (a presigned link
    is a credential), a signature by itself, the value of an Authorization header. Control characters become
    spaces: what a host or a person said is never an order to a terminal.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._texts: set[str] = set()
        self._known: re.Pattern[str] | None = None
        self.hide(values)

    def hide(self, values: Iterable[str]) -> None:
        """Hide these values from now on, also as JSON, Python, URLs and base64 write them."""
        for value in values:
            for part in (value, *value.splitlines()):
                text = part.strip()
                if len(text) >= _SHORTEST:
                    encoded = b64encode(text.encode()).decode().rstrip("=")
                    self._texts |= {text, json.dumps(text)[1:-1], repr(text)[1:-1], encoded}
                    self._texts |= {quote(text), quote(text, safe=""), quote_plus(text)}
        ordered = sorted(self._texts, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        if "://" in text:
            text = _USERINFO.sub(rf"\1{HIDDEN}@", _QUERY.sub(rf"\1?{HIDDEN}", text))
        if "=" in text:
            text = _PARAMETER.sub(rf"\1={HIDDEN}", text)
        return _OBEYED.sub(" ", _HEADER.sub(rf"\1{HIDDEN}", text))
