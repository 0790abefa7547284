"""One volume of a backup: its marks, its gzip members, its uncompressed bytes (backup_format 1.5, 3)."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from isal import isal_zlib

from bxbackup.errors import DamagedError

BLOCK = 512
GZIP_MAGIC = b"\x1f\x8b"
MARKS_LENGTH = 22
_READ = 1 << 18
_STEP = 1 << 20
_UNCLOSED = b"0000"
_DecodeError = cast("type[Exception]", isal_zlib.error)
_NUMBER = re.compile(r"\AError -?\d+ ")
_ERROR_BODY = re.compile(rb"<Code>([A-Za-z0-9_.]{1,60})</Code>")


@dataclass(frozen=True)
class Marks:
    """What the writer says in the first gzip member of a volume.

    :param last: number of the last volume; only in the first one of several.
    :param size: uncompressed bytes of this volume; the writer's limit keeps it below 2 GiB.
    """

    last: int | None
    size: int | None


def read_marks(head: bytes) -> Marks:
    """Marks LN and BX from the first 22 bytes of a volume (backup_format 3.2); None where they are absent."""
    if len(head) < MARKS_LENGTH or head[:2] != GZIP_MAGIC or not head[3] & 4 or head[10:12] != b"\x0a\x00":
        return Marks(None, None)
    last = int.from_bytes(head[14:16], "little") if head[12:14] == b"LN" else None
    size = None
    if head[16:18] == b"BX" and head[18:22] != _UNCLOSED:
        size = int.from_bytes(head[18:22], "little")
    return Marks(last, size)


@dataclass
class VolumeReader:
    """Reads one volume from a file to uncompressed blocks and checks all that the format allows to check.

    After `blocks()` is used up, `compressed`, `uncompressed` and `members` hold the totals in bytes and
    pieces. A decoded volume never yields more bytes than its size mark announces.

    :param name: the volume's name, for errors.
    :param taken: told about every piece of the file before it is decoded: for hashes.
    """

    file: BinaryIO
    name: str
    taken: Callable[[bytes], None] | None = None
    compressed: int = 0
    uncompressed: int = 0
    members: int = 0
    marks: Marks = Marks(None, None)
    gzipped: bool = False

    def blocks(self) -> Iterator[bytes]:
        """Uncompressed pieces of about 1 MiB, in order; all but the last are multiples of 512 bytes.

        :raises DamagedError: a checksum, a length or the structure is wrong; carries part and byte offset.
        """
        rest = b""
        for piece in self._pieces():
            data = rest + piece if rest else piece
            whole = len(data) - len(data) % BLOCK
            rest = data[whole:]
            if whole:
                yield data[:whole] if rest else data
        if rest:
            yield rest

    def _pieces(self) -> Iterator[bytes]:
        first = self._read()
        if not first:
            raise self._damage("is empty", 0, cause="a volume has at least 512 bytes")
        self.marks = read_marks(first)
        self.gzipped = first[:2] == GZIP_MAGIC
        yield from self._inflated(first) if self.gzipped else self._plain(first)

    def _plain(self, first: bytes) -> Iterator[bytes]:
        error_body = _ERROR_BODY.search(first[:4096])
        if error_body is not None and first.lstrip()[:1] == b"<":
            code = error_body.group(1).decode("ascii")
            raise self._damage("is not a volume", 0, cause=f"it holds a storage server's error text: {code}")
        piece = first
        while piece:
            self.uncompressed += len(piece)
            yield piece
            piece = self._read()
        if self.uncompressed % BLOCK:
            raise self._damage(
                "is cut short or not a backup volume",
                self.compressed,
                cause=f"{self.uncompressed:,} bytes are not a multiple of {BLOCK}",
            )

    def _inflated(self, first: bytes) -> Iterator[bytes]:
        pending = first
        while True:
            start = self.compressed - len(pending)
            decoder = isal_zlib.decompressobj(wbits=31)
            while not decoder.eof:
                if not pending:
                    pending = self._read()
                    if not pending:
                        raise self._damage(
                            "is cut short",
                            self.compressed,
                            cause=f"gzip member {self.members + 1}, from byte {start:,}, has no end",
                        )
                try:
                    data = decoder.decompress(pending, _STEP)
                except _DecodeError as error:
                    # The decoder does not tell how far it came: the place is known to the piece it was given.
                    raise self._damage(
                        "is damaged",
                        self.compressed - len(pending),
                        cause=f"gzip member {self.members + 1}, from byte {start:,}: {_said(error)}",
                    ) from error
                pending = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
                if data:
                    self.uncompressed += len(data)
                    self._within_mark()
                    yield data
            self.members += 1
            pending = pending or self._read()
            if not pending:
                break
            if len(pending) == 1:
                pending += self._read()
            if pending[:2] != GZIP_MAGIC:
                raise self._damage(
                    "is damaged",
                    self.compressed - len(pending),
                    cause=f"what follows gzip member {self.members} is no gzip member",
                )
        if self.marks.size is not None and self.uncompressed != self.marks.size:
            raise self._damage(
                "is cut short",
                self.compressed,
                cause=f"its size mark says {self.marks.size:,} bytes, its {self.members} gzip members hold"
                f" {self.uncompressed:,}",
            )

    def _within_mark(self) -> None:
        size = self.marks.size
        if size is not None and self.uncompressed > size:
            raise self._damage(
                "holds more than it announces",
                self.compressed,
                cause=f"its size mark says {size:,} bytes, more than that come out",
            )

    def _read(self) -> bytes:
        piece = self.file.read(_READ)
        self.compressed += len(piece)
        if self.taken is not None and piece:
            self.taken(piece)
        return piece

    def _damage(self, what: str, offset: int, cause: str) -> DamagedError:
        return DamagedError(
            f"{self.name} {what}",
            part=self.name,
            offset=offset,
            cause=cause,
            advice="fetch this part again; the others are not touched by it",
        )


def _said(error: Exception) -> str:
    """The decoder's words without its number: `incorrect checksum found`."""
    return _NUMBER.sub("", str(error)).lower()


def peek(path: Path, length: int) -> bytes:
    """The first uncompressed bytes of a volume, at most `length`.

    :raises DamagedError: they cannot be decoded.
    """
    with path.open("rb") as file:
        return _peek(file, path.name, length)


def peek_bytes(head: bytes, name: str, length: int) -> bytes:
    """Like `peek`, from the beginning of a volume's file."""
    return _peek(io.BytesIO(head), name, length)


def _peek(file: BinaryIO, name: str, length: int) -> bytes:
    found = bytearray()
    reader = VolumeReader(file, name)
    try:
        for piece in reader.blocks():
            found += piece
            if len(found) >= length:
                break
    except DamagedError:
        if len(found) < length:
            raise
    return bytes(found[:length])
