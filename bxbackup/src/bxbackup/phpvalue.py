"""PHP's array literals, as the product keeps its settings in: read and written, never run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bxbackup.errors import DamagedError

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|\#[^\n]*|//[^\n]*|/\*.*?\*/)
    | '(?P<single>(?:[^'\\]|\\.)*)'
    | "(?P<double>[^"\\$]*)"
    | (?P<literal>-?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?:true|false|null)\b)
    | (?P<mark>=>|array\s*\(|return\b|[][(),;])
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_NUMBER = re.compile(r"\A(?:0|-?[1-9]\d{0,17})\Z")
_DEEPEST = 60


@dataclass(frozen=True)
class Literal:
    """A number, true, false or NULL, as it was written."""

    text: str


@dataclass
class Array:
    """An array; keys in their order."""

    items: dict[str | int, Value] = field(default_factory=dict)

    def below(self, *path: str) -> Value | None:
        """What stands under these keys, one below the other."""
        found: Value | None = self
        for key in path:
            found = found.items.get(key) if isinstance(found, Array) else None
        return found


Value = str | Literal | Array


def read(text: str, name: str) -> Array:
    """The array that a file of the form `<?php return array(…);` returns.

    :raises DamagedError: it is not of that form: code, an object or a variable stands in it.
    """
    body = re.sub(r"\A\ufeff?\s*<\?php\b|\?>\s*\Z", "", text)
    reader = _Reader(body, name)
    reader.want("return")
    value = reader.value(0)
    reader.want(";")
    if not isinstance(value, Array) or reader.mark is not None or reader.rest:
        raise reader.strange()
    return value


def write(value: Array) -> str:
    """A file that returns the array, in the form of PHP's var_export."""
    return f"<?php\nreturn {_shown(value, '')};\n"


def quoted(text: str) -> str:
    """A PHP string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _shown(value: Value, indent: str) -> str:
    if isinstance(value, Literal):
        return value.text
    if isinstance(value, str):
        return quoted(value)
    inner = indent + "  "
    lines = ["array ("]
    for key, item in value.items.items():
        name = str(key) if isinstance(key, int) else quoted(key)
        line_end = f"\n{inner}" if isinstance(item, Array) else ""
        lines.append(f"{inner}{name} => {line_end}{_shown(item, inner)},")
    return "\n".join([*lines, f"{indent})"])


class _Reader:
    """Takes a text token by token; `mark` or `held` is the next one."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._at = self._next = 0
        self.mark: str | None = None
        self.held: str | Literal | None = None
        self.take()

    @property
    def rest(self) -> bool:
        """Whether something that is no mark follows."""
        return self.held is not None or self._next < len(self._text)

    def take(self) -> None:
        """Go on to the next token."""
        self.mark = self.held = None
        while (match := _TOKEN.match(self._text, self._next)) is not None:
            self._at, self._next = self._next, match.end()
            if match["space"] is not None:
                continue
            if match["single"] is not None:
                self.held = re.sub(r"\\([\\'])", r"\1", match["single"])
            elif match["double"] is not None:
                self.held = match["double"]
            elif match["literal"] is not None:
                self.held = Literal(match["literal"])
            else:
                self.mark = re.sub(r"\s", "", match["mark"].lower())
            return
        self._at = self._next

    def want(self, mark: str) -> None:
        """Take a mark that must stand here."""
        if self.mark != mark:
            raise self.strange()
        self.take()

    def value(self, depth: int) -> Value:
        """Take a value."""
        if self.mark in ("array(", "["):
            return self._array(")" if self.mark == "array(" else "]", depth)
        if self.held is None:
            raise self.strange()
        held = self.held
        self.take()
        return held

    def _array(self, end: str, depth: int) -> Array:
        if depth > _DEEPEST:
            raise self.strange()
        self.take()
        found = Array()
        following = 0
        while self.mark != end:
            value = self.value(depth + 1)
            key: str | int = following
            if self.mark == "=>":
                key = self._key(value)
                self.take()
                value = self.value(depth + 1)
            found.items[key] = value
            if isinstance(key, int):
                following = max(following, key + 1)
            if self.mark == ",":
                self.take()
            elif self.mark != end:
                raise self.strange()
        self.take()
        return found

    def _key(self, value: Value) -> str | int:
        text = value.text if isinstance(value, Literal) else value
        if not isinstance(text, str) or (isinstance(value, Literal) and not _NUMBER.match(text)):
            raise self.strange()
        return int(text) if _NUMBER.match(text) else text

    def strange(self) -> DamagedError:
        """The error for what stands here. Its text is not shown: it may be a password."""
        line = self._text.count("\n", 0, self._at) + 1
        return DamagedError(
            f"{self._name} is no plain array of settings",
            cause=f"line {line}: something else than strings, numbers and arrays stands there",
            advice="write the settings by hand; the values are in that file",
        )
