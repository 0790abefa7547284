"""Builds small archives of every form the reader must know, from the format's description alone."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

BLOCK = 512
DUMP_NAME = "bitrix/backup/small.sql"
DUMP = (
    b"-- Started: 2026-11-20 10:00:00\nSET NAMES 'utf8mb4';\n"
    b"CREATE TABLE `b_option` (\n  `ID` int NOT NULL,\n  PRIMARY KEY (`ID`)\n) ENGINE=InnoDB;\n\n"
    b"INSERT INTO `b_option` VALUES\n(1),\n(2);\n-- Finished: 2026-11-20 10:00:01"
)


def header(
    name: bytes, size: int, flag: bytes = b"0", *, mode: int = 0o644, magic: bytes = b"", prefix: bytes = b""
) -> bytes:
    """One header block as the product writes it: octal without leading zeros, the rest NUL."""
    block = bytearray(BLOCK)
    for at, length, text in (
        (0, 100, name[:100]),
        (100, 8, b"%o" % mode),
        (108, 8, b"0"),
        (116, 8, b"0"),
        (124, 12, b"%o" % size),
        (136, 12, b"%o" % 1_760_000_000),
        (156, 1, flag),
        (257, 8, magic),
        (345, 155, prefix),
    ):
        block[at : at + length] = text[:length].ljust(length, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = (b"%o" % sum(block)).ljust(8, b"\0")
    return bytes(block)


def padded(data: bytes) -> bytes:
    """Data up to the next full block."""
    return data + bytes(-len(data) % BLOCK)


def entry(name: str | bytes, data: bytes = b"", flag: bytes = b"0", *, size: int | None = None) -> bytes:
    """An entry with its data, and a long name record where the name needs one.

    :param size: what the header says, if it lies: the writer's defect with files that change meanwhile.
    """
    raw = name.encode() if isinstance(name, str) else name
    long = b""
    if len(raw) > 100:
        long = header(b"././@LongLink", len(raw), b"L") + padded(raw)
    return long + header(raw, len(data) if size is None else size, flag) + padded(data)


def folder(name: str) -> bytes:
    """A folder's entry."""
    return header(name.encode() + b"/", 0, b"5", mode=0o755)


def small_site(*more: bytes) -> bytes:
    """A tar stream with a dump, two files, and whatever else."""
    parts = (entry(DUMP_NAME, DUMP), entry("index.php", b"<?php\n"), *more, entry("last.txt", b"the end"))
    return b"".join(parts)


def encrypted(tar: bytes, password: str, *, blowfish: bool = False) -> bytes:
    """Service block and encrypted stream."""
    key = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest().encode()
    encryptor = Cipher(Blowfish(key) if blowfish else AES(key), modes.ECB()).encryptor()
    start = hashlib.md5(b"x", usedforsecurity=False).hexdigest().encode().ljust(100, b"\0")
    start = (start + b"Bitrix Encrypted File").ljust(190, b"\0") + b"1.2"
    start = start.ljust(256, b"\0")
    return start + encryptor.update(start) + encryptor.update(tar)


@dataclass(frozen=True)
class Form:
    """How a stream is cut into volumes.

    :param limit: uncompressed bytes of a volume.
    :param members: gzip members of a volume, besides the empty first one.
    :param marks: with LN and BX, as the product's writer; without, as another program would.
    """

    limit: int = 4096
    gzipped: bool = True
    marks: bool = True
    members: int = 2


def volumes(stream: bytes, form: Form) -> list[bytes]:
    """The volumes' bytes."""
    pieces = [stream[at : at + form.limit] for at in range(0, len(stream), form.limit)] or [b""]
    if not form.gzipped:
        return pieces
    last = len(pieces) - 1
    return [_volume(piece, last if number == 0 else 0, form) for number, piece in enumerate(pieces)]


def _volume(data: bytes, last: int, form: Form) -> bytes:
    step = max(1, -(-len(data) // form.members))
    members = b"".join(gzip.compress(data[at : at + step]) for at in range(0, len(data), step))
    return (empty_member(last, len(data)) if form.marks else b"") + members


def empty_member(last: int, size: int) -> bytes:
    """The first gzip member of a volume, with its marks (backup_format 3.2)."""
    mark = b"LN" + last.to_bytes(2, "little") if last else bytes(4)
    extra = mark + b"BX" + size.to_bytes(4, "little")
    return b"\x1f\x8b\x08\x04\0\0\0\0\0\x03\x0a\0" + extra + b"\0\0\0\xff\xff\x03\0" + bytes(8)


def write(folder_path: Path, stream: bytes, form: Form | None = None, name: str = "small.tar.gz") -> Path:
    """Write a stream as volumes; returns the first one's path."""
    return write_volumes(folder_path, volumes(stream, form or Form()), name)


def write_volumes(folder_path: Path, parts: Iterable[bytes], name: str = "small.tar.gz") -> Path:
    """Write volumes under their names."""
    folder_path.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(parts):
        (folder_path / (f"{name}.{number}" if number else name)).write_bytes(part)
    return folder_path / name
