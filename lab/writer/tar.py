"""The archive's tar dialect: pre-POSIX headers with the GNU long-name record (backup_format 2)."""

from dataclasses import dataclass

BLOCK = 512
SHORT_NAME = 100
LONGEST_NAME = 512
FILE = b"0"
FOLDER = b"5"
LONG_NAME = b"L"


@dataclass(frozen=True, slots=True)
class Entry:
    """One archive member; `path` ends without a slash, a folder's `size` is 0, `mtime` is in Unix seconds."""

    path: bytes
    kind: bytes
    size: int
    mode: int
    mtime: int
    uid: int = 0
    gid: int = 0


class PathTooLongError(ValueError):
    """The vendor's writer stops at paths above 512 bytes (backup_format 2.4)."""


def _octal(value: int, width: int) -> bytes:
    text = b"%o" % value
    if len(text) > width:
        raise ValueError(f"{value} does not fit into {width} octal digits")
    return text.ljust(width, b"\0")


def _header(name: bytes, entry: Entry, kind: bytes, size: int) -> bytes:
    front = b"".join(
        (
            name[:SHORT_NAME].ljust(SHORT_NAME, b"\0"),
            _octal(entry.mode & 0o777, 8),
            _octal(entry.uid, 8),
            _octal(entry.gid, 8),
            _octal(size, 12),
            _octal(entry.mtime, 12),
        )
    )
    checksum = sum(front) + sum(b" " * 8) + sum(kind)
    return (front + _octal(checksum, 8) + kind).ljust(BLOCK, b"\0")


def headers(entry: Entry) -> bytes:
    """All blocks that stand before an entry's data: one, or three with a long name (backup_format 2.4)."""
    if len(entry.path) > LONGEST_NAME:
        raise PathTooLongError(f"{len(entry.path)} bytes: {entry.path[:80]!r}…")
    if len(entry.path) > SHORT_NAME:
        return (
            _header(b"././@LongLink", entry, LONG_NAME, len(entry.path))
            + entry.path.ljust(BLOCK, b"\0")
            + _header(entry.path, entry, entry.kind, entry.size)
        )
    name = entry.path + b"/" if entry.kind == FOLDER else entry.path
    return _header(name, entry, entry.kind, entry.size)


def padding(size: int) -> bytes:
    """NUL bytes that fill the last block of a file of `size` bytes."""
    return b"\0" * (-size % BLOCK)
