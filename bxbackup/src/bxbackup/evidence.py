"""Is a fetched part whole: its size, the server's ETag, its checksums and marks; and how strong is that."""

from __future__ import annotations

import hashlib
import json
import queue
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bxbackup.errors import DamagedError
from bxbackup.volume import VolumeReader

_PLAIN = re.compile(r"\A[0-9a-f]{32}\Z")
_MULTIPART = re.compile(r"\A([0-9a-f]{32})-([1-9]\d{0,4})\Z")
_MIB = 1 << 20
_USUAL = (5, 6, 7, 8, 10, 15, 16, 20, 25, 32, 50, 64, 100, 128, 200, 256, 512, 1024)
_MOST_GUESSES = 4
_STEP = 1 << 18
_AHEAD = 8


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


@dataclass(frozen=True)
class Finding:
    """What checking a part's file gave.

    :param evidence: the strongest that speaks for it: `etag`, `crc+bx`, `crc`, `structure`.
    :param etag_equal: True: the copy is byte for byte the server's object. False: the ETag looks like an MD5
        and differs. None: the ETag says nothing.
    :param error: why it is damaged; None if it is not.
    """

    sha256: str
    uncompressed: int
    evidence: str
    etag_equal: bool | None
    error: DamagedError | None


class _Multipart:
    """The ETag of an object that was uploaded in pieces: MD5 of the pieces' MD5s."""

    def __init__(self, piece: int) -> None:
        self._piece = piece
        self._left = piece
        self._current = hashlib.md5(usedforsecurity=False)
        self._outer = hashlib.md5(usedforsecurity=False)
        self._begun = False

    def update(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            taken = view[: self._left]
            self._current.update(taken)
            self._begun = True
            self._left -= len(taken)
            view = view[len(taken) :]
            if not self._left:
                self._close_piece()

    def _close_piece(self) -> None:
        self._outer.update(self._current.digest())
        self._current = hashlib.md5(usedforsecurity=False)
        self._left = self._piece
        self._begun = False

    def hexdigest(self) -> str:
        if self._begun:
            self._close_piece()
        return self._outer.hexdigest()


class _Hashing:
    """Hashes pieces in a thread of its own: hashing and inflating both let go of the interpreter.

    To be used as a context: at its end all pieces are hashed.
    """

    def __init__(self, hashes: Iterable[_Hash]) -> None:
        self._hashes = tuple(hashes)
        self._pieces: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> _Hashing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._pieces.put(None)
        self._thread.join()

    def take(self, piece: bytes) -> None:
        """Hash a piece after those before it; waits while too many are waiting."""
        self._pieces.put(piece)

    def _work(self) -> None:
        while (piece := self._pieces.get()) is not None:
            for one in self._hashes:
                one.update(piece)


def is_md5(etag: str) -> bool:
    """Whether an ETag has the look of an object's MD5."""
    return _PLAIN.match(etag) is not None


def piece_sizes(size: int, count: int) -> list[int]:
    """Sizes of upload pieces with which an object of `size` bytes has `count` of them: usual ones first."""
    least = -(-size // count)
    guesses = [mib * _MIB for mib in _USUAL] + [-(-least // _MIB) * _MIB, least]
    fitting = [guess for guess in guesses if guess and -(-size // guess) == count]
    return list(dict.fromkeys(fitting))[:_MOST_GUESSES]


def fetch_note(path: Path) -> dict[str, Any] | None:
    """What was noted of a fetched part beside its file: `sha256`, `evidence`, `etag`; None if nothing was."""
    note = path.with_name(path.name + ".json")
    try:
        found = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or not found.get("ready") or not found.get("sha256"):
        return None
    return found


def check(path: Path, name: str, size: int | None, etag: str | None, *, sliced: bool = False) -> Finding:
    """Read a part's file once and judge it.

    :param size: bytes that the server announced; None if it did not.
    :param sliced: it is a slice of one gzip stream, and says nothing alone.
    """
    sha256 = hashlib.sha256()
    plain = hashlib.md5(usedforsecurity=False) if etag and _PLAIN.match(etag) else None
    pieces = _MULTIPART.match(etag) if etag else None
    length = path.stat().st_size
    guesses = [_Multipart(piece) for piece in piece_sizes(length, int(pieces[2]))] if pieces else []
    error: DamagedError | None = None
    hashing = _Hashing([sha256, *([plain] if plain else []), *guesses])
    with path.open("rb") as file, hashing:
        reader = VolumeReader(file, name, hashing.take, step=_STEP)
        try:
            for _ in reader.blocks() if not sliced else ():
                pass
        except DamagedError as found:
            error = found
        while piece := file.read(_MIB):
            hashing.take(piece)
    equal: bool | None = None
    if plain is not None:
        equal = plain.hexdigest() == etag
    elif pieces is not None and any(guess.hexdigest() == pieces[1] for guess in guesses):
        equal = True
    if size is not None and length != size:
        error = DamagedError(
            f"{name} has another size than announced",
            part=name,
            offset=min(length, size),
            cause=f"the server announced {size:,} bytes, {length:,} came",
        )
    checked = "structure"
    if reader.gzipped:
        checked = "crc+bx" if reader.marks.size is not None else "crc"
    if equal:
        checked = "etag"
    return Finding(sha256.hexdigest(), reader.uncompressed, checked, equal, error)
