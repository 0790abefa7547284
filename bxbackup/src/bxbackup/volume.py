"""One volume of a backup: its marks, its gzip members, its uncompressed bytes (backup_format 1.5, 3)."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

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
class Slices:
    """One gzip stream that another program has cut into parts by bytes: what goes on from part to part.

    Such a part cannot be read, nor checked, without those before it.
    """

    decoder: Any = None
    undecoded: bytes = b""
    unaligned: bytes = b""
    begun: bool = False
    broken: bool = False

    @property
    def whole(self) -> bool:
        """Whether the stream may end here."""
        return self.decoder is None and not (self.undecoded or self.unaligned or self.broken)


def are_slices(first: bytes, second: bytes) -> bool:
    """Whether two parts that follow each other are slices of one gzip stream, from how they begin."""
    marks = read_marks(first)
    unmarked = marks.last is None and marks.size is None and first[10:12] != b"\x0a\x00"
    return first[:2] == GZIP_MAGIC and unmarked and second[:2] != GZIP_MAGIC and len(second) > 0


@dataclass
class VolumeReader:
    """Reads one volume from a file to uncompressed blocks and checks all that the format allows to check.

    After `blocks()` is used up, `compressed`, `uncompressed` and `members` hold the totals in bytes and
    pieces. A decoded volume never yields more bytes than its size mark announces.

    :param name: the volume's name, for errors.
    :param taken: told about every piece of the file before it is decoded: for hashes.
    :param slices: what the part before has left, if the parts are slices of one gzip stream.
    :param step: bytes that are decoded at once.
    """

    file: BinaryIO
    name: str
    taken: Callable[[bytes], None] | None = None
    slices: Slices | None = None
    step: int = _STEP
    compressed: int = 0
    uncompressed: int = 0
    members: int = 0
    marks: Marks = Marks(None, None)
    gzipped: bool = False

    def blocks(self) -> Iterator[bytes]:
        """Uncompressed pieces of about `step` bytes, in order; all but the last are multiples of 512 bytes.

        :raises DamagedError: a checksum, a length or the structure is wrong; carries part and byte offset.
        """
        rest = self.slices.unaligned if self.slices is not None else b""
        for piece in self._pieces():
            data = rest + piece if rest else piece
            whole = len(data) - len(data) % BLOCK
            rest = data[whole:]
            if whole:
                yield data[:whole] if rest else data
        if self.slices is not None:
            self.slices.unaligned = rest
        elif rest:
            yield rest

    def _pieces(self) -> Iterator[bytes]:
        first = self._read()
        if not first:
            raise self._damage("is empty", 0, cause="a volume has at least 512 bytes")
        if self.slices is not None:
            self.gzipped = True
            yield from self._sliced(first, self.slices)
            return
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
        while pending:
            pending = yield from self._member(pending, isal_zlib.decompressobj(wbits=31))
            if pending and pending[:2] != GZIP_MAGIC:
                raise self._no_member(pending)
        if self.marks.size is not None and self.uncompressed != self.marks.size:
            raise self._damage(
                "is cut short",
                self.compressed,
                cause=f"its size mark says {self.marks.size:,} bytes, its {self.members} gzip members hold"
                f" {self.uncompressed:,}",
            )

    def _sliced(self, first: bytes, slices: Slices) -> Iterator[bytes]:
        if slices.broken:
            raise self._damage("cannot be read", 0, cause="the gzip stream is broken in a part before it")
        slices.broken = True
        pending = slices.undecoded + first
        decoder, slices.decoder, slices.undecoded = slices.decoder, None, b""
        while pending:
            if decoder is None and len(pending) < len(GZIP_MAGIC):
                slices.undecoded = pending
                break
            if decoder is None and pending[:2] != GZIP_MAGIC:
                raise self._no_member(pending)
            decoder = decoder or isal_zlib.decompressobj(wbits=31)
            pending = yield from self._member(pending, decoder)
            if not decoder.eof:
                slices.decoder = decoder
                break
            decoder = None
        slices.begun, slices.broken = True, False

    def _member(self, pending: bytes, decoder: Any) -> Generator[bytes, None, bytes]:
        """The rest of a gzip member. Returns the first bytes behind it: at least two, if there are any."""
        start = self.compressed - len(pending)
        while not decoder.eof:
            if not pending:
                pending = self._read()
                if not pending:
                    if self.slices is not None:
                        return b""
                    raise self._damage(
                        "is cut short",
                        self.compressed,
                        cause=f"gzip member {self.members + 1}, from byte {start:,}, has no end",
                    )
            try:
                data = decoder.decompress(pending, self.step)
            except _DecodeError as error:
                # The decoder does not tell how far it came: the place is known to the piece it was given.
                raise self._damage(
                    "is damaged",
                    self.compressed - len(pending),
                    cause=f"gzip member {self.members + 1}, from byte {max(0, start):,}: {_said(error)}",
                ) from error
            pending = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            if data:
                self.uncompressed += len(data)
                self._within_mark()
                yield data
        self.members += 1
        pending = pending or self._read()
        if len(pending) == 1:
            pending += self._read()
        return pending

    def _no_member(self, pending: bytes) -> DamagedError:
        return self._damage(
            "is damaged",
            self.compressed - len(pending),
            cause=f"what follows gzip member {self.members} is no gzip member",
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
