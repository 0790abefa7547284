"""A folder as an object store: sizes, dates, ETags."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 1 << 20
CHANGED_EVERY = 64 << 10


@dataclass(frozen=True)
class Stored:
    """An object: `modified` in seconds since 1970."""

    file: Path
    key: str
    size: int
    modified: float


class Storage:
    """Objects of one folder; names that leave the folder do not exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._tags: dict[tuple[str, int, float, str, int], str] = {}

    def find(self, key: str) -> Stored | None:
        file = (self.folder / key).resolve()
        if not file.is_relative_to(self.folder) or not file.is_file():
            return None
        about = file.stat()
        return Stored(file, key, about.st_size, about.st_mtime)

    async def etag(self, stored: Stored, kind: str, part_size: int) -> str:
        """The ETag without quotes: MD5 of the bytes, or of the MD5s of an upload's parts with their number.

        Small objects are never uploaded in parts (backup_format 7 (c): parts of 5 MiB and more).
        """
        if kind == "none":
            return ""
        mark = (stored.key, stored.size, stored.modified, kind, part_size)
        if mark not in self._tags:
            self._tags[mark] = await asyncio.to_thread(_tag, stored.file, kind, part_size)
        return self._tags[mark]


def _tag(file: Path, kind: str, part_size: int) -> str:
    whole = hashlib.md5(usedforsecurity=False)
    parts: list[bytes] = []
    with file.open("rb") as stream:
        while True:
            part, left = hashlib.md5(usedforsecurity=False), part_size
            while left > 0 and (block := stream.read(min(_BLOCK, left))):
                left -= len(block)
                whole.update(block)
                part.update(block)
            if left == part_size:
                break
            parts.append(part.digest())
    if kind == "multipart" and len(parts) > 1:
        return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"
    return whole.hexdigest()


def other_bytes(data: bytes, offset: int) -> bytes:
    """What an object that changed midway has at `offset`: one byte of every 64 KiB differs."""
    changed = bytearray(data)
    for place in range(-offset % CHANGED_EVERY, len(changed), CHANGED_EVERY):
        changed[place] ^= 0xFF
    return bytes(changed)
