"""What pydantic finds wrong in a file, in words for the person who owns it."""

from __future__ import annotations

from pydantic import ValidationError

_LONGEST_KEY = 60
_MOST = 3


def faults(error: ValidationError) -> list[str]:
    """Each fault as `key: what is wrong`; without a key where the whole is."""
    return [
        f"{_cut('.'.join(map(str, item['loc'])))}: {item['msg']}" if item["loc"] else item["msg"]
        for item in error.errors(include_url=False)
    ]


def unusable(error: OSError | ValidationError) -> str:
    """Why a file cannot be used, in one line: the first faults, and how many more there are."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    found = faults(error)
    more = [f"and {len(found) - _MOST} more"] if len(found) > _MOST else []
    return "; ".join([*found[:_MOST], *more])


def _cut(key: str) -> str:
    return key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}…"
