"""Values that PHP serialized, with texts in them replaced and their lengths put right.

The product keeps lists in options as PHP's ``serialize`` writes them: each text with its length in bytes
before it. A plain replacement breaks such a value, and PHP then reads none of it. What is not wholly
understood is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_SCALAR = re.compile(rb"(?:N|[bi]:-?\d+|d:[-+.\dA-Za-z]+);")
_TEXT = re.compile(rb's:(\d{1,10}):"')
_LIST = re.compile(rb"a:(\d{1,10}):\{")
_LOOKS = re.compile(r"(?:[aOCE]:\d+:|[sSrRbid]:-?\d|N;)")
_DEEPEST = 64

Replace = Callable[[str], str]


class SerializedError(Exception):
    """A value that PHP did not serialize, or one with objects, references or texts that are no UTF-8."""


def looks_serialized(value: str) -> bool:
    """Tell whether a value begins and ends as ``serialize`` writes it; PHP reads over spaces behind it."""
    return bool(_LOOKS.match(value)) and value.rstrip()[-1:] in {";", "}"}


def replaced(value: str, replace: Replace) -> str:
    """Return a serialized value in which ``replace`` was applied to each text; keys stay.

    Raises:
        SerializedError: the value cannot be rewritten safely.
    """
    return _whole(value, replace, 0)


def _whole(value: str, replace: Replace, depth: int) -> str:
    data = value.encode("utf-8")
    out, end = _value(data, 0, replace, depth)
    if end != len(data):
        raise SerializedError(f"something follows the value at byte {end}")
    return out.decode("utf-8")


def _value(data: bytes, at: int, replace: Replace, depth: int) -> tuple[bytes, int]:
    if depth > _DEEPEST:
        raise SerializedError(f"lists and values within texts are nested deeper than {_DEEPEST}")
    if scalar := _SCALAR.match(data, at):
        return scalar.group(), scalar.end()
    if data.startswith(b"s:", at):
        text, end = _text(data, at)
        return _packed(_inner(text, replace, depth)), end
    head = _LIST.match(data, at)
    if head is None:
        raise SerializedError(f"neither a list nor a text nor a number at byte {at}")
    parts, end = [head.group()], head.end()
    for _ in range(int(head.group(1))):
        key_end = _key(data, end)
        parts.append(data[end:key_end])
        item, end = _value(data, key_end, replace, depth + 1)
        parts.append(item)
    if data[end : end + 1] != b"}":
        raise SerializedError(f"a list does not end at byte {end}")
    return b"".join([*parts, b"}"]), end + 1


def _key(data: bytes, at: int) -> int:
    """Where a key ends that begins here."""
    if data.startswith(b"s:", at):
        return _text(data, at)[1]
    scalar = _SCALAR.match(data, at)
    if scalar is None or not data.startswith(b"i:", at):
        raise SerializedError(f"no key of a list at byte {at}")
    return scalar.end()


def _text(data: bytes, at: int) -> tuple[str, int]:
    head = _TEXT.match(data, at)
    if head is None:
        raise SerializedError(f"no text at byte {at}")
    end = head.end() + int(head.group(1))
    if data[end : end + 2] != b'";':
        raise SerializedError(f"a text of {head.group(1).decode()} bytes does not end at byte {end}")
    try:
        return data[head.end() : end].decode("utf-8"), end + 2
    except UnicodeDecodeError as error:
        raise SerializedError(f"a text at byte {at} is no UTF-8") from error


def _inner(text: str, replace: Replace, depth: int) -> str:
    """A text may hold a serialized value itself; one that only looks like it must not change."""
    if not looks_serialized(text):
        return replace(text)
    try:
        return _whole(text, replace, depth + 1)
    except SerializedError:
        if replace(text) != text:
            raise
        return text


def _packed(text: str) -> bytes:
    data = text.encode("utf-8")
    return b's:%d:"%b";' % (len(data), data)
