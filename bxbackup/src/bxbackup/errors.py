"""The exception family: one class for each exit code of the command."""

from __future__ import annotations

from typing import ClassVar


class BackupError(Exception):
    """Something that stops the work, told so that a person knows the place, the cause and the next step.

    :param what: one line, the failure itself.
    :param part: name of the volume concerned.
    :param offset: byte offset in that volume's file.
    :param cause: what was observed.
    :param advice: what it means or what to do now.
    :param kept: what is not lost.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        what: str,
        *,
        part: str | None = None,
        offset: int | None = None,
        cause: str | None = None,
        advice: str | None = None,
        kept: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.part = part
        self.offset = offset
        self.cause = cause
        self.advice = advice
        self.kept = kept

    def headline(self) -> str:
        """The failure with its place in one line: what, part, byte offset."""
        place = [self.what]
        if self.part is not None and self.part not in self.what:
            place.append(f"part {self.part}")
        if self.offset is not None:
            place.append(f"byte {self.offset}")
        return " · ".join(place)

    def lines(self) -> list[str]:
        """Headline and the lines below it, without a mark before or colour."""
        below = [self.cause, f"→ {self.advice}" if self.advice else None, self.kept]
        return [self.headline(), *(line for line in below if line)]


class UsageError(BackupError):
    """The command was called with options that make no sense (2)."""

    exit_code = 2


class DamagedError(BackupError):
    """Bytes that are there are wrong (3)."""

    exit_code = 3


class AbsentError(BackupError):
    """Bytes are missing, the source cannot be reached or the disk is full: the work can go on later (4)."""

    exit_code = 4


class PasswordError(BackupError):
    """The backup is encrypted and the password is missing or wrong (5)."""

    exit_code = 5


class RefusedError(BackupError):
    """What was asked would touch something that is not ours, or is unsafe (6)."""

    exit_code = 6


class DatabaseError(BackupError):
    """The database server refused or lost the work (7)."""

    exit_code = 7
