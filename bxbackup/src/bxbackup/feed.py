"""A dump that is read while it is unpacked.

What may be read is told part by part, and only after a part was decoded to its end and its checksums and
lengths were right. Bytes of a part that turns out damaged while it is unpacked are never told: its unpacking
is begun again. Bytes that were told come out the same if a stop makes it necessary to unpack them again, so
rows that were loaded from them are right. Should they differ all the same, because someone has put another
backup in the place of the first one, the load does not go on: their SHA-256 is noted, durably, before rows
from them are loaded.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bxbackup.dump import CHUNK, DumpFiles, find_dump, first_files
from bxbackup.errors import DamagedError, RefusedError

_LOOK = 0.5
"""Seconds after which one who waits looks whether anyone still needs it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A file of the dump as far as it is unpacked.

    :param size: bytes that may be read.
    :param whole: it has no more.
    :param opened: how often the archive has begun it.
    """

    name: str
    size: int
    whole: bool
    opened: int = 1

    def grown(self, size: int, *, whole: bool) -> Piece:
        """The same file, further on."""
        return replace(self, size=size, whole=whole)


@dataclass(frozen=True, slots=True)
class Extent:
    """What of a dump may be read.

    :param number: counts up with each change.
    :param passed: the archive has gone on to something else; the dump is there, unless it is in disorder.
    :param over: no more will come.
    :param whole: the archive was unpacked to its end.
    """

    number: int
    pieces: tuple[Piece, ...]
    passed: bool = False
    over: bool = False
    whole: bool = False

    def after_connect(self) -> Piece | None:
        """The sibling with the source's settings, once it is whole."""
        return next(
            (piece for piece in self.pieces if piece.whole and piece.name.endswith("_after_connect.sql")),
            None,
        )


class Feed:
    """Hands the dump's files from the unpacking to the load.

    :param folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._changed = threading.Condition()
        self._extent = Extent(0, ())

    def grown(self, pieces: Sequence[Piece], *, passed: bool) -> None:
        """A part was unpacked and is durable.

        :raises DamagedError: a file that was read from already has come once more.
        """
        with self._changed:
            now = {piece.name: piece for piece in pieces}
            for before in self._extent.pieces:
                piece = now.get(before.name)
                if piece is None or piece.opened != before.opened or piece.size < before.size:
                    raise DamagedError(
                        f"the archive holds {before.name} more than once",
                        cause="rows of the first one are loaded already",
                        advice="in an archive the last one counts, but rows stay: `bxbackup unpack` it"
                        " into a new folder, then `bxbackup load` of that into a new database",
                        kept="what is unpacked stays",
                    )
            self._tell(tuple(pieces), passed=passed)

    def end(self, *, whole: bool) -> None:
        """Nothing more will come.

        :param whole: the archive was unpacked to its end.
        """
        with self._changed:
            if not self._extent.over:
                self._tell(self._extent.pieces, passed=self._extent.passed, over=True, whole=whole)

    def wait(self, known: int, stopped: Callable[[], bool] = lambda: False) -> Extent:
        """Wait for more than is known, by its number, or until nobody needs it any more."""
        with self._changed:
            while self._extent.number <= known and not self._extent.over and not stopped():
                self._changed.wait(_LOOK)
            return self._extent

    def _tell(
        self, pieces: tuple[Piece, ...], *, passed: bool, over: bool = False, whole: bool = False
    ) -> None:
        self._extent = Extent(self._extent.number + 1, pieces, passed, over, whole)
        self._changed.notify_all()


def standing_feed(folder: Path) -> Feed:
    """A dump that was unpacked before, in a folder or where a site has it.

    :raises AbsentError: see :func:`bxbackup.dump.find_dump`.
    :raises UsageError: there are several.
    """
    dump = find_dump(folder)
    feed = Feed(dump.files[0].parent)
    paths = [*dump.files, *([dump.after_connect] if dump.after_connect else [])]
    feed.grown([Piece(path.name, path.stat().st_size, whole=True) for path in paths], passed=True)
    feed.end(whole=True)
    return feed


class Reading:
    """Reads a feed from its beginning on, every byte once.

    :param seen: bytes that the last run has read, and their SHA-256.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._digest = hashlib.sha256()
        self._at = 0
        self._seen: tuple[int, str] | None = None
        self.places: list[tuple[int, Path]] = []
        """Where each file begins in the joined dump; a new one is added at the end."""

    @property
    def files(self) -> DumpFiles:
        """The files that were read from so far."""
        return DumpFiles(tuple(path for _, path in self.places), None)

    @property
    def seen(self) -> tuple[int, str]:
        """Bytes that were read, and their SHA-256."""
        return self._at, self._digest.hexdigest()

    def demand(self, seen: tuple[int, str] | None) -> None:
        """Read on only in the dump that an earlier run has seen. To be told before anything is read."""
        self._seen = seen

    @property
    def ahead(self) -> bool:
        """Whether all was read again that an earlier run has seen."""
        return self._seen is None or self._at >= self._seen[0]

    def new(self, extent: Extent) -> Iterator[bytes]:
        """What may be read and was not read yet, in pieces.

        :raises RefusedError: it is not the dump that an earlier run has seen.
        :raises UsageError: there are several dumps.
        """
        pieces = {piece.name: piece for piece in extent.pieces}
        names = first_files(self._feed.folder, pieces)
        for number, name in enumerate(names):
            piece = pieces[name]
            if number == len(self.places):
                self.places.append((self._at, self._feed.folder / name))
            start = self.places[number][0]
            yield from self._rest(self._feed.folder / name, self._at - start, piece.size)
            if not piece.whole:
                break

    def _rest(self, path: Path, start: int, end: int) -> Iterator[bytes]:
        if start >= end:
            return
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            while start < end:
                length = min(CHUNK, end - start)
                if self._seen is not None and self._at < self._seen[0]:
                    length = min(length, self._seen[0] - self._at)
                data = file.read(length)
                if not data:
                    raise DamagedError(f"{path.name} became shorter while it was read")
                self._digest.update(data)
                self._at += len(data)
                start += len(data)
                self._compare()
                yield data

    def _compare(self) -> None:
        if self._seen is not None and self._seen[0] == self._at and self._digest.hexdigest() != self._seen[1]:
            raise RefusedError(
                "the dump is not the one that the database was begun with",
                cause=f"its first {self._at:,} bytes differ from those that the last run has read",
                advice="drop the database and start the same command again, or take a new one and a new state"
                " folder",
                kept="nothing was changed",
            )
