"""Files that survive a power cut: write, fsync, rename, fsync the folder; only then believe."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bxbackup.errors import AbsentError, RefusedError


def write_atomic(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace `path` by `data`, so that after any crash it holds either the old or the new bytes.

    :raises AbsentError: the disk is full; the old bytes stand.
    """
    with room_for(path.parent):
        temporary = path.with_name(path.name + ".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        try:
            os.fchmod(descriptor, mode)
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.rename(path)
        sync_folder(path.parent)


def write_json(path: Path, value: object, mode: int = 0o600) -> None:
    """Replace `path` by `value` as JSON, durably."""
    write_atomic(path, (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode(), mode)


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`, or None if there is no such file.

    :raises RefusedError: the file is not a JSON object: something else wrote to our folder.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise RefusedError(f"{path} is not readable as our state", cause=str(error)) from error
    if not isinstance(value, dict):
        raise RefusedError(f"{path} is not readable as our state", cause="it holds no JSON object")
    return value


def sync_folder(path: Path) -> None:
    """Make renames and new names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_filesystem(descriptor: int) -> None:
    """Make everything written so far to the file system of `descriptor` durable: one call for many files.

    :raises OSError: the kernel reports a write that failed.
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    if syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def no_room(error: OSError) -> bool:
    """Whether a write failed because disk, quota or file size limit is used up."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Turn a full disk below `path` into the error that can be gone on from (exit 4)."""
    try:
        yield
    except OSError as error:
        if not no_room(error):
            raise
        raise disk_full(path) from error


def write_failure(path: Path, error: OSError) -> AbsentError:
    """The error for something on a file below `path` that the system refused."""
    if no_room(error):
        return disk_full(path)
    place = error.filename if isinstance(error.filename, str) else path
    return AbsentError(
        f"cannot work with {place}",
        cause=error.strerror,
        advice="look at its owner, its mode and the disk, then start the same command again",
    )


def disk_full(path: Path, needed: int | None = None) -> AbsentError:
    """The error for a file system that is full; says how much is free and, where known, needed (bytes)."""
    there = path
    while not there.exists():
        there = there.parent
    figures = os.statvfs(there)
    free = figures.f_bavail * figures.f_frsize
    want = f", {needed:,} bytes are needed" if needed is not None else ""
    return AbsentError(
        f"the disk that holds {path} is full",
        cause=f"{free:,} bytes are free{want}",
        advice="make room and start the same command again",
        kept="nothing that was done is lost",
    )


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for one process.

    :raises RefusedError: another process holds it.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RefusedError(
                f"another bxbackup works with {folder}", advice="wait for it, or stop it first"
            ) from error
        yield
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """Whether some process holds the folder now."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
