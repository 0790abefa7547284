"""Damages to a backup's volumes, for tests of readers, done in place (backup_format 3.5, 6)."""

import zlib
from pathlib import Path

_GZIP = 31
ERROR_BODY = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Request has expired'
    b"</Message><RequestId>0000000000000000</RequestId></Error>"
)


def volumes(folder: Path) -> list[Path]:
    """The backup's volumes in numeric order."""
    found = [path for path in folder.iterdir() if path.is_file() and _is_volume(path.name)]
    return sorted(found, key=lambda path: int(path.suffix[1:]) if path.suffix[1:].isdigit() else 0)


def _is_volume(name: str) -> bool:
    stem, _, last = name.rpartition(".")
    first = stem if last.isdigit() else name
    return first.endswith((".tar", ".tar.gz", ".enc", ".enc.gz"))


def flip_bit(part: Path, offset: int | None = None, bit: int = 0) -> None:
    """Invert one bit; `offset` None: in the middle, negative: from the end."""
    data = bytearray(part.read_bytes())
    position = len(data) // 2 if offset is None else offset
    data[position] ^= 1 << bit
    part.write_bytes(data)


def cut(part: Path, keep: int | None = None) -> None:
    """Keep the first `keep` bytes; None: half."""
    data = part.read_bytes()
    part.write_bytes(data[: len(data) // 2 if keep is None else keep])


def member_ends(part: Path) -> list[int]:
    """Offsets at which the volume's gzip members end."""
    data = part.read_bytes()
    ends = []
    rest = data
    while rest:
        member = zlib.decompressobj(_GZIP)
        member.decompress(rest)
        rest = member.unused_data
        ends.append(len(data) - len(rest))
    return ends


def cut_on_member_boundary(part: Path) -> None:
    """Drop the last gzip member: `gzip -t` still passes, only BX tells (backup_format 3.5)."""
    cut(part, member_ends(part)[-2])


def swap(one: Path, other: Path) -> None:
    """Exchange the contents of two volumes."""
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def duplicate(source: Path, target: Path) -> None:
    """Put a copy of one volume in the place of another."""
    target.write_bytes(source.read_bytes())


def error_body(part: Path) -> None:
    """Put a store's XML error answer in the volume's place."""
    part.write_bytes(ERROR_BODY)


def empty(part: Path) -> None:
    """Leave nothing of the volume."""
    part.write_bytes(b"")


def remove(part: Path) -> None:
    """Delete the volume."""
    part.unlink()


def append(part: Path, data: bytes = b"trailing garbage") -> None:
    """Add bytes after the volume's end."""
    with part.open("ab") as stream:
        stream.write(data)
