"""Puts entries into an archive: tar stream, encryption, volumes, write sessions (backup_format 2 to 4)."""

import hashlib
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.writer.cipher import BlockCipher
from lab.writer.tar import BLOCK, FILE, Entry, headers, padding
from lab.writer.volume import Part, VolumeWriter

BUFFER = 1 << 20
READ = 1 << 18
FIRST_ENTRIES = 6


class ChangedFileError(RuntimeError):
    """A file's content is not as long as its header says."""


@dataclass(slots=True)
class FileRecord:
    """What the manifest says about one path; `first` and `last` are the volumes that hold its data."""

    path: bytes
    kind: bytes
    size: int
    sha256: str | None
    mode: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Archive:
    """A finished archive."""

    parts: list[Part]
    records: list[FileRecord]
    copies: Counter[bytes]
    tar_bytes: int
    first_entries: list[str]


class ArchiveWriter:
    """Writes entries as they come; `sessions` are stream offsets at which a new write session starts."""

    def __init__(
        self,
        volumes: VolumeWriter,
        limit: int,
        *,
        cipher: BlockCipher | None = None,
        token: str = "",
        sessions: Sequence[int] = (),
    ) -> None:
        self._volumes = volumes
        self._limit = -(-limit // BLOCK) * BLOCK
        self._cipher = cipher
        self._sessions = deque(sorted(offset // BLOCK * BLOCK for offset in sessions))
        self._pending = bytearray()
        self._offset = 0
        self._records: dict[bytes, FileRecord] = {}
        self._copies: Counter[bytes] = Counter()
        self._tar_bytes = 0
        self._first_entries: list[str] = []
        if cipher:
            self._volumes.write(cipher.service_block(token))

    def add(self, entry: Entry, chunks: Iterable[bytes] = ()) -> FileRecord:
        """Append an entry and its data; the data's length must be `entry.size`."""
        record = self._append(entry, chunks)
        if record.size != entry.size:
            raise ChangedFileError(
                f"{entry.path!r}: header says {entry.size} bytes, content has {record.size}"
            )
        return record

    def add_changed(self, entry: Entry, chunks: Iterable[bytes]) -> FileRecord:
        """Append a file whose size changed after its header was made: the vendor's own damage (2.17).

        Longer data leave blocks where a header should stand; shorter data make the file swallow what follows.
        """
        return self._append(entry, chunks)

    def _append(self, entry: Entry, chunks: Iterable[bytes]) -> FileRecord:
        first = self._position() // self._limit
        self._push(headers(entry))
        digest = hashlib.sha256()
        seen = 0
        for chunk in chunks:
            digest.update(chunk)
            seen += len(chunk)
            self._push(chunk)
        last = max(first, (self._position() - 1) // self._limit)
        self._push(padding(seen))
        sha256 = digest.hexdigest() if entry.kind == FILE else None
        record = FileRecord(entry.path, entry.kind, seen, sha256, entry.mode, first, last)
        self._records[entry.path] = record
        self._copies[entry.path] += 1
        if len(self._first_entries) < FIRST_ENTRIES:
            self._first_entries.append(entry.path.decode())
        return record

    def add_path(self, entry: Entry, source: Path) -> FileRecord:
        """Append a file of this machine."""
        with source.open("rb") as stream:
            return self.add(entry, iter(lambda: stream.read(READ), b""))

    def close(self) -> Archive:
        """Write what is pending and finish the volumes; no end-of-archive blocks are written (2.7)."""
        self._flush(len(self._pending))
        parts = self._volumes.close()
        return Archive(
            parts, list(self._records.values()), self._copies, self._tar_bytes, self._first_entries
        )

    def _position(self) -> int:
        return self._volumes.written + len(self._pending)

    def _push(self, data: bytes) -> None:
        self._pending += data
        self._tar_bytes += len(data)
        if len(self._pending) >= BUFFER:
            self._flush(len(self._pending) // BLOCK * BLOCK)

    def _flush(self, size: int) -> None:
        ready = bytes(self._pending[:size])
        del self._pending[:size]
        while self._sessions and self._sessions[0] < self._volumes.written + len(ready):
            room = max(0, self._sessions.popleft() - self._volumes.written)
            self._emit(ready[:room])
            ready = ready[room:]
            self._volumes.new_session()
        self._emit(ready)

    def _emit(self, blocks: bytes) -> None:
        if blocks:
            self._volumes.write(self._cipher.encode(blocks) if self._cipher else blocks)
