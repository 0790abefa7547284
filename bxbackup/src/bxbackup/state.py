"""The state folder: what a restore knows of itself, and which folder and database are its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bxbackup.durable import locked, read_json, write_json
from bxbackup.errors import RefusedError, UsageError

MARK = "bxbackup.json"
_FORMAT = 1
_OURS = frozenset({MARK, MARK + ".new", "lock"})


def now() -> str:
    """This moment, UTC, ISO 8601 with seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def beside(folder: Path) -> Path:
    """The state folder of a command that has no `--state`: a hidden sibling of the folder it works on."""
    there = folder.resolve()
    return there.with_name(f".{there.name}.bxbackup")


@dataclass(frozen=True)
class State:
    """A state folder. Everything in it is ours; nothing of it lies below the folder that is restored to."""

    folder: Path

    @property
    def parts(self) -> Path:
        """Where fetched parts are kept."""
        return self.folder / "parts"

    @property
    def dump(self) -> Path:
        """Where the dump's files go."""
        return self.folder / "dump"

    @property
    def load(self) -> Path:
        """The state of the load."""
        return self.folder / "load"

    @property
    def status(self) -> Path:
        """The file that the progress display reads."""
        return self.folder / "status.json"

    @property
    def measures(self) -> Path:
        """How fast each room was, for forecasts."""
        return self.folder / "measures.jsonl"

    @property
    def baseline(self) -> Path:
        """The figures that the restored database had before its portal ran."""
        return self.folder / "baseline.json"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder if need be and hold it for this process.

        :raises RefusedError: the folder holds something else, or another process works with it.
        """
        made = False
        if self.folder.is_dir():
            found = {path.name for path in self.folder.iterdir()}
            if MARK not in found and found - _OURS:
                raise RefusedError(
                    f"{self.folder} is not empty and not a state folder of bxbackup",
                    cause=f"it holds {', '.join(sorted(found)[:3])}",
                    advice="name an empty or a new folder",
                )
        elif self.folder.exists() or self.folder.is_symlink():
            raise RefusedError(f"{self.folder} is no folder", advice="name an empty or a new folder")
        else:
            self.folder.mkdir(mode=0o750, parents=True)
            made = True
        try:
            with locked(self.folder):
                yield
        finally:
            if made and not (self.folder / MARK).exists():
                # Refused before anything began: leave no trace.
                (self.folder / "lock").unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    self.folder.rmdir()

    def mark(self) -> dict[str, Any]:
        """What this folder says it belongs to; empty for a new one."""
        return read_json(self.folder / MARK) or {}

    def claim(self, target: Path) -> None:
        """Make `target`, which must be absent, empty or already ours, this state folder's own.

        :raises RefusedError: see `check`.
        """
        self.check(target)
        target = target.resolve()
        target.mkdir(mode=0o755, parents=True, exist_ok=True)
        ours = {"to": str(target)} | _identity(target)
        write_json(self.folder / MARK, {"format": _FORMAT, "created": now()} | self.mark() | ours)

    def speaks_of(self, folder: Path) -> None:
        """Let a new state folder belong to `folder`, which it may look at and not fill.

        :raises RefusedError: it belongs to another folder.
        """
        mark, there = self.mark(), str(folder.resolve())
        if not mark:
            self.note(format=_FORMAT, created=now(), to=there, device=0, inode=0)
        elif mark["to"] != there:
            raise RefusedError(
                f"the state folder {self.folder} belongs to {mark['to']}",
                advice="give another --state or that folder",
            )

    def check(self, target: Path) -> None:
        """Look whether `target` may be filled; changes nothing.

        :raises RefusedError: it is someone else's, or one of the two folders lies in the other.
        """
        target, folder = target.resolve(), self.folder.resolve()
        if target == folder or target in folder.parents or folder in target.parents:
            raise RefusedError(
                f"{target} and the state folder {folder} lie in one another",
                advice="parts and dumps hold secrets: keep them outside of every document root",
            )
        mark = self.mark()
        if mark and mark["to"] != str(target):
            raise RefusedError(
                f"the state folder {folder} restores to {mark['to']}",
                advice="give another --state or that --to",
            )
        if target.exists() and not target.is_dir():
            raise RefusedError(f"{target} is no folder", advice="name an empty or a new folder")
        if target.is_dir():
            there = _identity(target)
            # a device may have another number after a reboot; ext4, btrfs and ZFS have one of their own
            devices = [
                name for name in ("device", "filesystem") if mark.get(name) and there[name] == mark[name]
            ]
            ours = mark and devices and mark["inode"] == there["inode"]
            held = next(iter(os.scandir(target)), None)
            if held is not None and not ours:
                raise RefusedError(
                    f"{target} is not empty, and this state folder did not fill it",
                    cause=f"it holds {held.name!r}",
                    advice="name an empty or a new folder; nothing was touched",
                )

    def note(self, **values: Any) -> None:
        """Add to what the folder says of itself."""
        write_json(self.folder / MARK, self.mark() | values)


def _identity(folder: Path) -> dict[str, int]:
    """What tells a folder from another one that has come to its place."""
    figures = folder.stat()
    return {
        "device": figures.st_dev,
        "inode": figures.st_ino,
        "filesystem": os.statvfs(folder).f_fsid,
    }


def existing(folder: Path) -> State:
    """A state folder that must be there.

    :raises UsageError: it is not.
    """
    if not (folder / MARK).is_file():
        raise UsageError(f"{folder} is no state folder of bxbackup", advice="name it with --state")
    return State(folder)
