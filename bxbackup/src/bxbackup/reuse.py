"""Uploads of an earlier release, taken over where they are proved the same: as hard links, else as copies.

Only regular files below the upload folder, on the same file system, with the owner, group and mode that the
new file has. A file is never written through such a link: whoever writes makes a new file first.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from bxbackup.errors import RefusedError, UsageError

UPLOAD = b"upload"
LEAST = 4096
"""Bytes of a file below which a link saves nothing."""

_PIECE = 1 << 20
_LINK = b".bxbackup-link"
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES, errno.EOPNOTSUPP, errno.ENOENT})
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class Earlier:
    """The upload folder of an earlier release.

    :param folder: the release; `upload` lies in it.
    """

    folder: Path

    @property
    def size(self) -> int:
        """Bytes of its uploads: a disk need not have room for them twice."""
        total = 0
        for folder, _, names in os.walk(self.folder / os.fsdecode(UPLOAD)):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118
        return total

    def open(self, components: tuple[bytes, ...], size: int) -> int | None:
        """A descriptor of its file of this path below the release, to be closed by the caller.

        None where it has no such regular file of `size` bytes, or where the file is too small to be worth it.
        No link is followed on the way.
        """
        if size < LEAST or components[0] != UPLOAD or components[-1].startswith(b"."):
            return None
        folders: list[int] = []
        try:
            folders.append(os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            for component in components[:-1]:
                folders.append(os.open(component, _FOLDER, dir_fd=folders[-1]))
            found = os.open(components[-1], _READ, dir_fd=folders[-1])
        except OSError:
            return None
        finally:
            for folder in folders:
                os.close(folder)
        figures = os.fstat(found)
        if stat.S_ISREG(figures.st_mode) and figures.st_size == size:
            return found
        os.close(found)
        return None


def earlier(folder: Path | None, target: Path) -> Earlier | None:
    """What `--reuse-from` names.

    :raises UsageError: it is no folder with uploads.
    :raises RefusedError: it is the folder to be filled, or lies in it or around it.
    """
    if folder is None:
        return None
    there, new = folder.resolve(), target.resolve()
    if there == new or there in new.parents or new in there.parents:
        raise RefusedError(
            f"{folder} and {target} lie in one another", advice="name another release for --reuse-from"
        )
    if not (there / os.fsdecode(UPLOAD)).is_dir():
        raise UsageError(
            f"{folder} holds no uploads", advice="name the folder of an earlier release, or leave it out"
        )
    return Earlier(there)


def same_rights(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether two files have the same owner, group and mode."""
    return (one.st_uid, one.st_gid, one.st_mode) == (other.st_uid, other.st_gid, other.st_mode)


def same_bytes(one: int, other: int) -> bool:
    """Whether two files hold the same, byte for byte."""
    at = 0
    while True:
        piece = os.pread(one, _PIECE, at)
        if piece != os.pread(other, _PIECE, at):
            return False
        if not piece:
            return True
        at += len(piece)


def link(found: int, name: bytes, folder: int) -> bool:
    """Put an opened file under a free `name` into a folder: the very file, no copy.

    :returns: False where the file system or the kernel does not let us.
    :raises FileExistsError: the name is not free.
    """
    try:
        os.link(b"/proc/self/fd/%d" % found, name, dst_dir_fd=folder, follow_symlinks=True)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return False
    return True


def replace(found: int, name: bytes, folder: int, root: int) -> bool:
    """Put an opened file in place of `name`, in one step. Not for several threads.

    :param root: folder on the same file system for the link until it takes the name.
    :returns: False where that cannot be; nothing is changed then.
    """
    discard_link(root)
    if not link(found, _LINK, root):
        return False
    os.rename(_LINK, name, src_dir_fd=root, dst_dir_fd=folder)
    return True


def discard_link(root: int) -> None:
    """Remove what a run that was killed has left."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_LINK, dir_fd=root)


def md5(found: int) -> str:
    """MD5 of an opened file."""
    digest = hashlib.md5(usedforsecurity=False)
    at = 0
    while piece := os.pread(found, _PIECE, at):
        digest.update(piece)
        at += len(piece)
    return digest.hexdigest()


def own_copy(name: bytes, folder: int, length: int) -> None:
    """Give a name that shares its file with an earlier release its own file, with the same first bytes."""
    descriptor = os.open(name, _READ, dir_fd=folder)
    try:
        figures = os.fstat(descriptor)
        if figures.st_nlink == 1:
            return
        discard_link(folder)
        own = os.open(_LINK, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        try:
            at = 0
            while at < length and (piece := os.pread(descriptor, min(_PIECE, length - at), at)):
                at += os.pwrite(own, piece, at)
            os.fchown(own, figures.st_uid, figures.st_gid)
            os.fchmod(own, stat.S_IMODE(figures.st_mode))
        finally:
            os.close(own)
        os.rename(_LINK, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.close(descriptor)
