"""What can go wrong with a pull, and what it means for whoever started it."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Exit codes, the same as bxbackup's where both have one."""

    DONE = 0
    OUR_FAULT = 1
    USAGE = 2
    GO_ON = 4
    REFUSED = 6
    DATABASE = 7


class PullError(Exception):
    """It cannot be pulled now. Nothing of production was touched.

    :param message: what happened, with its figures.
    :param cure: what to do; empty where the same command again is all.
    """

    code = Code.OUR_FAULT

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.cure = cure


class InterruptedPullError(PullError):
    """The source, the line or the disk gave way; the same command goes on."""

    code = Code.GO_ON


class RefusedError(PullError):
    """It would not be safe."""

    code = Code.REFUSED


class DatabaseError(PullError):
    """The pulled database is not as it should be."""

    code = Code.DATABASE


def disk_full(text: str) -> bool:
    """Whether a program's last words tell of a full disk."""
    low = text.lower()
    return "no space left" in low or "errno 28" in low or "errcode: 28" in low or "disk full" in low
