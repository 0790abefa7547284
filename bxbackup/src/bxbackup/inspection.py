"""What can be said of a backup from the beginnings of its volumes, in a moment and without a password."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bxbackup.cipher import read_service_block
from bxbackup.errors import AbsentError, DamagedError
from bxbackup.source import Part, part_name, split_name
from bxbackup.volume import GZIP_MAGIC, MARKS_LENGTH, peek, read_marks


@dataclass(frozen=True)
class PartGlance:
    """One part at a glance.

    :param uncompressed: bytes by its own mark, or its size if it is not compressed; None if it does not say.
    """

    name: str
    bytes: int
    uncompressed: int | None
    present: bool


@dataclass
class Inspection:
    """The outcome of `inspect`.

    :param gzipped: the volumes are gzip files.
    :param encryption: version text of the service block; None for a plain archive.
    :param expected: how many parts there are by the first one's mark; None without one.
    """

    archive: str
    gzipped: bool
    encryption: str | None
    expected: int | None
    parts: list[PartGlance] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def missing(self) -> list[str]:
        """Names of the parts that are known to be missing."""
        return [part.name for part in self.parts if not part.present]

    @property
    def uncompressed(self) -> int | None:
        """Bytes of the whole tar stream; None if a part does not say."""
        sizes = [part.uncompressed for part in self.parts]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def as_json(self) -> dict[str, Any]:
        """The object that `inspect --json` prints."""
        return {
            "archive": self.archive,
            "gzip": self.gzipped,
            "encrypted": self.encryption is not None,
            "encryption_version": self.encryption,
            "expected_parts": self.expected,
            "bytes": sum(part.bytes for part in self.parts),
            "uncompressed": self.uncompressed,
            "parts": [asdict(part) for part in self.parts],
            "missing": self.missing,
            "problems": self.problems,
        }


def inspect(archive: Path, parts: list[Part]) -> Inspection:
    """Look at the beginning of each volume.

    :raises AbsentError: the first volume is missing.
    """
    by_number = {part.number: part for part in parts}
    first = split_name(parts[0].name)[0]
    start = by_number.get(0)
    if start is None or start.path is None:
        raise AbsentError(f"the first volume, {first}, is missing", part=first)
    with start.path.open("rb") as file:
        head = file.read(MARKS_LENGTH)
    marks = read_marks(head)
    gzipped = head[:2] == GZIP_MAGIC
    expected = None if marks.size is None else (marks.last or 0) + 1
    found = Inspection(str(archive), gzipped, None, expected)
    try:
        service = read_service_block(peek(start.path, 512))
        found.encryption = None if service is None else service.version
    except DamagedError as error:
        found.problems.append(f"{error.headline()}: {error.cause}")
    for number in range(max(max(by_number) + 1, expected or 0)):
        found.parts.append(_glance(by_number.get(number), part_name(first, number), gzipped))
    if expected is not None and len(found.parts) > expected:
        found.problems.append(f"the first part says {expected} parts, {len(found.parts)} are there")
    found.problems.extend(f"{name} is missing" for name in found.missing)
    return found


def _glance(part: Part | None, name: str, gzipped: bool) -> PartGlance:
    if part is None or part.path is None:
        return PartGlance(name, 0, None, present=False)
    size = part.path.stat().st_size
    if not gzipped:
        return PartGlance(name, size, size, present=True)
    with part.path.open("rb") as file:
        return PartGlance(name, size, read_marks(file.read(MARKS_LENGTH)).size, present=True)
