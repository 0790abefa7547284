"""Amounts as people write them in a scenario: 64K, 1.5M, 50%."""

from __future__ import annotations

import re

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?)(?:i?B)?(?:/s)?", re.IGNORECASE)
_FACTORS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def amount(value: object) -> int:
    """Bytes (or bytes per second) from 65536, "64K" or "1.5M"; ValueError for anything else."""
    match = _AMOUNT.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(f"{value!r} is no amount such as 65536, 64K or 1.5M")
    return int(float(match[1]) * _FACTORS[match[2].upper()])


def place(value: object, size: int) -> int:
    """An offset in an object of `size` bytes: an amount, or a percentage of the size."""
    text = str(value).strip()
    if text.endswith("%"):
        return min(size - 1, int(size * float(text[:-1]) / 100))
    return amount(value)
