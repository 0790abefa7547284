"""Whose the unpacked files are, and what others may do with them. Nothing is executable, ever."""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from dataclasses import dataclass

from bxbackup.errors import UsageError

SECRET_MODE = 0o600
"""Of files with credentials, whatever is asked for the others."""

_FILE, _FOLDER = 0o644, 0o755
_OCTAL = re.compile(r"\A0?[0-7]{3}\Z")


@dataclass(frozen=True)
class Ownership:
    """Owner, group and modes; None: this process's own, and 0644 or 0755 less its umask."""

    uid: int | None = None
    gid: int | None = None
    file_mode: int | None = None
    folder_mode: int | None = None

    @property
    def owner(self) -> int:
        """Who owns what is written."""
        return os.geteuid() if self.uid is None else self.uid

    def create_file(self, name: bytes, folder: int, flags: int, *, secret: bool = False) -> int:
        """Open `name` in a folder for writing with `flags`; made as asked. Returns the descriptor."""
        descriptor = os.open(name, flags | os.O_CREAT, SECRET_MODE if secret else _FILE, dir_fd=folder)
        self._apply(descriptor, SECRET_MODE if secret else self.file_mode)
        return descriptor

    def create_folder(self, name: bytes, parent: int) -> None:
        """Make a folder; `take_folder` must follow once it is open."""
        os.mkdir(name, _FOLDER, dir_fd=parent)

    def take_folder(self, descriptor: int) -> None:
        """Give an opened folder the owner and mode that are asked for."""
        self._apply(descriptor, self.folder_mode)

    def _apply(self, descriptor: int, mode: int | None) -> None:
        if self.uid is None and self.gid is None and mode is None:
            return
        found = os.fstat(descriptor)
        uid = found.st_uid if self.uid is None else self.uid
        gid = found.st_gid if self.gid is None else self.gid
        if (uid, gid) != (found.st_uid, found.st_gid):
            os.fchown(descriptor, uid, gid)
        if mode is not None and stat.S_IMODE(found.st_mode) != mode:
            os.fchmod(descriptor, mode)


def parse_ownership(
    owner: str | None, group: str | None, file_mode: str | None, folder_mode: str | None
) -> Ownership:
    """What the options ask for; names or numbers, octal modes.

    :raises UsageError: there is no such user or group, only root could do it, or a mode is not to be had.
    """
    uid = None if owner is None else _uid(owner)
    gid = None if group is None else _gid(group)
    if os.geteuid() != 0:
        if uid not in (None, os.geteuid()):
            raise UsageError(
                f"only root can give files to {owner}",
                advice="run the command as that user (then --owner is not needed), or as root",
            )
        if gid is not None and gid not in {os.getegid(), *os.getgroups()}:
            raise UsageError(
                f"only root, or a member of it, can give files to the group {group}",
                advice="run the command as a member of that group, or as root",
            )
    return Ownership(
        uid,
        gid,
        _mode("--file-mode", file_mode, least=0o600, most=0o666),
        _mode("--folder-mode", folder_mode, least=0o700, most=0o777),
    )


def _uid(name: str) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise UsageError(f"there is no user {name}") from None


def _gid(name: str) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise UsageError(f"there is no group {name}") from None


def _mode(option: str, text: str | None, *, least: int, most: int) -> int | None:
    if text is None:
        return None
    mode = int(text, 8) if _OCTAL.match(text) else -1
    if mode < 0 or mode & ~most or ~mode & least:
        raise UsageError(
            f"{option} {text} is not to be had",
            cause="files are never executable" if option == "--file-mode" else None,
            advice=f"give an octal mode from {least:04o} to {most:04o}: the owner reads and writes",
        )
    return mode
