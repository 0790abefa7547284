"""Cuts the archive stream into volumes of gzip members with BX and LN marks (backup_format 1.5, 1.7, 3)."""

import hashlib
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from isal import isal_zlib

from lab.writer.names import part_name
from lab.writer.tar import BLOCK

MARK_MEMBER = bytes.fromhex(
    "1f8b0804000000000003 0a00 0000 0000 4258 30303030 000000ffff0300 0000000000000000"
)
MEMBER_HEADER = bytes.fromhex("1f8b0800000000000003")
LAST_NUMBER_OFFSET = 12
TOTAL_OFFSET = 18
FAST_LEVEL = 1
VENDOR_LEVEL = 6


class Deflater(Protocol):
    """A raw deflate stream."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self, mode: int = ..., /) -> bytes: ...


def fast_deflater() -> Deflater:
    """isal: many times quicker than zlib, output a little larger."""
    deflater: Deflater = isal_zlib.compressobj(FAST_LEVEL, isal_zlib.DEFLATED, -15)
    return deflater


def vendor_deflater() -> Deflater:
    """zlib at the level of PHP's gzopen: byte for byte what the vendor's writer makes."""
    return zlib.compressobj(VENDOR_LEVEL, zlib.DEFLATED, -15)


@dataclass(frozen=True, slots=True)
class Part:
    """One finished volume; sizes in bytes, `bx` and `ln` as marked (None: no such mark)."""

    name: str
    size: int
    sha256: str
    uncompressed: int
    gzip_members: int | None
    bx: int | None
    ln: int | None


@dataclass(slots=True)
class _Open:
    number: int
    path: Path
    stream: BinaryIO
    total: int = 0
    members: int = 0


class VolumeWriter:
    """Takes whole blocks in order and writes volume files; a new session starts a new gzip member.

    `limit` counts uncompressed bytes; a cut is made before a block when the volume already holds that much.
    """

    def __init__(
        self,
        folder: Path,
        first_name: str,
        limit: int,
        *,
        gzipped: bool = True,
        deflater: Callable[[], Deflater] = fast_deflater,
    ) -> None:
        self._folder = folder
        self._first_name = first_name
        self._limit = -(-limit // BLOCK) * BLOCK
        self._gzipped = gzipped
        self._new_deflater = deflater
        self._deflater: Deflater | None = None
        self._crc = 0
        self._member_bytes = 0
        self._finished: list[tuple[_Open, str]] = []
        self._current = self._open(0)
        self.written = 0

    def write(self, blocks: bytes) -> None:
        """Append whole blocks, opening further volumes as they fill."""
        view = memoryview(blocks)
        while view:
            room = self._limit - self._current.total
            if room == 0:
                self._finish()
                self._current = self._open(self._current.number + 1)
                continue
            self._put(bytes(view[:room]))
            view = view[room:]

    def new_session(self) -> None:
        """Close the member and go on in the same volume, as a new request of the vendor's writer does."""
        self._end_member()

    def close(self) -> list[Part]:
        """Finish the last volume, mark the first one and name all volumes in order."""
        self._finish()
        last = self._current.number
        if self._gzipped and last > 0:
            with self._finished[0][0].path.open("r+b") as first:
                first.seek(LAST_NUMBER_OFFSET)
                first.write(b"LN" + struct.pack("<H", last))
            self._finished[0] = (self._finished[0][0], _digest(self._finished[0][0].path))
        return [self._part(volume, digest, last) for volume, digest in self._finished]

    def _part(self, volume: _Open, digest: str, last: int) -> Part:
        return Part(
            name=volume.path.name,
            size=volume.path.stat().st_size,
            sha256=digest,
            uncompressed=volume.total,
            gzip_members=volume.members if self._gzipped else None,
            bx=volume.total if self._gzipped else None,
            ln=last if self._gzipped and volume.number == 0 and last > 0 else None,
        )

    def _open(self, number: int) -> _Open:
        path = self._folder / part_name(self._first_name, number)
        volume = _Open(number, path, path.open("xb"))
        if self._gzipped:
            volume.stream.write(MARK_MEMBER)
            volume.members = 1
        return volume

    def _put(self, blocks: bytes) -> None:
        self._current.total += len(blocks)
        self.written += len(blocks)
        if not self._gzipped:
            self._current.stream.write(blocks)
            return
        if self._deflater is None:
            self._deflater = self._new_deflater()
            self._crc = self._member_bytes = 0
            self._current.members += 1
            self._current.stream.write(MEMBER_HEADER)
        self._crc = isal_zlib.crc32(blocks, self._crc)
        self._member_bytes += len(blocks)
        self._current.stream.write(self._deflater.compress(blocks))

    def _end_member(self) -> None:
        if self._deflater is None:
            return
        trailer = struct.pack("<II", self._crc, self._member_bytes & 0xFFFFFFFF)
        # PHP flushes its stream before it ends a member; the empty first member shows the same five bytes.
        flushed = self._deflater.flush(zlib.Z_SYNC_FLUSH) + self._deflater.flush(zlib.Z_FINISH)
        self._current.stream.write(flushed + trailer)
        self._deflater = None

    def _finish(self) -> None:
        volume = self._current
        self._end_member()
        if self._gzipped:
            volume.stream.seek(TOTAL_OFFSET)
            volume.stream.write(struct.pack("<I", volume.total & 0xFFFFFFFF))
        volume.stream.close()
        self._finished.append((volume, _digest(volume.path)))


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
