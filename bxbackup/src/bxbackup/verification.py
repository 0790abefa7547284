"""Reads a whole backup without writing it and says how sound it is, and how strong the evidence is."""

from __future__ import annotations

import filecmp
import hashlib
import itertools
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from isal import isal_zlib

from bxbackup.cipher import SERVICE_BLOCK, Decryption, read_service_block
from bxbackup.dump import DumpSummary, Surveyor
from bxbackup.errors import AbsentError, BackupError, DamagedError, RefusedError
from bxbackup.evidence import fetch_note
from bxbackup.pathset import PathSet
from bxbackup.source import Part, part_name, split_name
from bxbackup.tarstream import Entry, Problem, TarParser
from bxbackup.unpack import Names, check_kind, placement, safe_path, shown_name
from bxbackup.unpacking import open_cipher, plain, sliced
from bxbackup.volume import MARKS_LENGTH, Slices, VolumeReader, peek, read_marks

Status = Literal["ok", "damaged", "missing", "duplicate"]
_AHEAD = 8
_READERS = 2
_MOST_UNSAFE = 1000


@dataclass
class PartVerdict:
    """What is known of one part after reading it.

    :param bytes: size of its file; `uncompressed`: what came out of it.
    :param evidence: the strongest thing that speaks for it: `etag`, `crc+bx`, `crc`, `structure`.
    """

    name: str
    bytes: int
    uncompressed: int
    status: Status
    evidence: str
    error: str | None = None


@dataclass
class Verdict:
    """The outcome of `verify`; `as_json` is the contract's form."""

    archive: str
    encrypted: bool
    parts: list[PartVerdict] = field(default_factory=list)
    files: int = 0
    folders: int = 0
    duplicates: int = 0
    unpacked: int = 0
    dump: DumpSummary | None = None
    problems: list[str] = field(default_factory=list)
    unsafe: bool = False
    absent: bool = False

    @property
    def sound(self) -> bool:
        """Whether nothing at all speaks against the backup."""
        return not self.problems and all(part.status == "ok" for part in self.parts)

    @property
    def exit_code(self) -> int:
        """The contract's exit code: damaged wins over absent."""
        if self.sound:
            return 0
        if any(part.status in ("damaged", "duplicate") for part in self.parts):
            return DamagedError.exit_code
        if any(part.status == "missing" for part in self.parts) or self.absent:
            return AbsentError.exit_code
        return RefusedError.exit_code if self.unsafe else DamagedError.exit_code

    def as_json(self) -> dict[str, Any]:
        """The object that `verify --json` prints."""
        dump = self.dump
        return {
            "archive": self.archive,
            "sound": self.sound,
            "encrypted": self.encrypted,
            "parts": [asdict(part) for part in self.parts],
            "files": self.files,
            "dump": {
                "complete": dump is not None and dump.complete,
                "files": 0 if dump is None else dump.files,
                "tables": 0 if dump is None else dump.tables,
                "statements": 0 if dump is None else dump.statements,
            },
            "problems": self.problems,
        }


class _Looking:
    """A sink that counts entries, reads through the dump, and notes what is wrong."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.found: list[Problem] = []
        self.names = Names()
        self.dump_files = 0
        self._surveyor: Surveyor | None = None
        self._seen = PathSet()
        self._in_dump = False
        self._size = 0
        self._unsafe = 0

    def begin(self, entry: Entry) -> None:
        """Count the entry; an unsafe one is a problem."""
        name = self.names.utf8(entry.name)
        self._in_dump, self._size = False, entry.size
        try:
            path = b"/".join(safe_path(name))
            check_kind(entry, name)
        except RefusedError as error:
            self.verdict.unsafe = True
            self._unsafe += 1
            if self._unsafe <= _MOST_UNSAFE:
                self.verdict.problems.append(error.what)
            return
        if not self._seen.add(("site", path)):
            self.verdict.duplicates += entry.kind == "file"
        elif entry.kind == "directory":
            self.verdict.folders += 1
        else:
            self.verdict.files += 1
        in_dump = placement(path).room == "dump"
        if in_dump and not path.endswith(b"_after_connect.sql"):
            self._in_dump = True
            self.dump_files += 1
            if self._surveyor is None:
                self._surveyor = Surveyor()

    def data(self, piece: memoryview) -> None:
        """Look at the dump's bytes."""
        if not self._in_dump or self._surveyor is None:
            return
        try:
            self._surveyor.feed(bytes(piece))
        except BackupError as error:
            self._in_dump = False
            self._surveyor = None
            self.verdict.unsafe = self.verdict.unsafe or isinstance(error, RefusedError)
            self.verdict.problems.append(f"{error.what} ({error.cause})")

    def end(self) -> None:
        """Count the bytes."""
        self.verdict.unpacked += self._size

    def broken(self) -> None:
        """A problem follows that names the file."""

    def problem(self, problem: Problem) -> None:
        """Keep it until the parts are judged."""
        self.found.append(problem)

    def recover(self, entry: Entry, start: int, tail: bytes) -> None:
        """Nothing is written here, so nothing is recovered."""

    def dump(self) -> DumpSummary | None:
        """The dump in figures; None if there is none."""
        if not self.dump_files:
            return None
        if self._surveyor is None:
            return DumpSummary(complete=False, files=self.dump_files, tables=0, statements=0)
        survey = self._surveyor.finish()
        return DumpSummary(survey.complete, self.dump_files, len(survey.tables), survey.statements)


@dataclass
class _Decoded:
    """A volume being decoded in a thread of its own, at most `_AHEAD` pieces before its reader."""

    part: Part
    slices: Slices | None = None
    reader: VolumeReader | None = None
    error: BackupError | None = None
    checksum: int = 0
    sha256: Any = None
    note: dict[str, Any] | None = None
    pieces: queue.Queue[bytes | None] = field(default_factory=lambda: queue.Queue(_AHEAD))

    def start(self) -> _Decoded:
        threading.Thread(target=self._decode, daemon=True).start()
        return self

    def _taken(self, piece: bytes) -> None:
        self.checksum = isal_zlib.crc32(piece, self.checksum)
        if self.sha256 is not None:
            self.sha256.update(piece)

    def _decode(self) -> None:
        try:
            if self.part.path is None:
                if self.slices is not None:
                    self.slices.broken = True
                return
            self.note = fetch_note(self.part.path)
            self.sha256 = None if self.note is None else hashlib.sha256()
            with self.part.path.open("rb") as file:
                self.reader = VolumeReader(file, self.part.name, self._taken, self.slices)
                for piece in self.reader.blocks():
                    self.pieces.put(piece)
        except BackupError as error:
            self.error = error
        except OSError as error:
            self.error = DamagedError(
                f"{self.part.name} cannot be read", part=self.part.name, cause=error.strerror
            )
        finally:
            self.pieces.put(None)

    def blocks(self) -> Iterator[bytes]:
        while (piece := self.pieces.get()) is not None:
            yield piece


def verify(
    archive: Path,
    parts: list[Part],
    password: str | None,
    expected: int | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> Verdict:
    """Read every byte of a backup.

    :param archive: as the user named it.
    :param parts: the volumes that are there.
    :param expected: how many there should be, if a list says so.
    :param progress: told the part in hand and the compressed bytes read in all.
    :raises PasswordError: the backup is encrypted and the password is missing or wrong.
    :raises AbsentError: not even the first volume is there.
    """
    slots, last = _slots(parts, expected)
    first = slots[0].path
    if first is None:
        raise AbsentError(f"the first volume, {slots[0].name}, is missing", part=slots[0].name)
    verdict = Verdict(str(archive), encrypted=False)
    decryption: Decryption | None = None
    try:
        head = peek(first, 512)
    except DamagedError:
        head = b""
    else:
        verdict.encrypted = read_service_block(head) is not None
        decryption = open_cipher(head, slots[0].name, password)
    sink = _Looking(verdict)
    parser = TarParser(sink)
    slices = Slices() if sliced(first) else None
    ranges = _read(slots, _Stream(parser, decryption, slices), verdict, progress)
    whole = parser.close() and (slices is None or slices.whole)
    verdict.dump = sink.dump()
    if last is not None and len(slots) > last + 1:
        verdict.problems.append(f"the first part says {last + 1} parts, {len(slots)} are there")
    _judge_parts(slots, ranges, sink, verdict)
    if slices is None:
        _judge_sizes(slots, verdict)
    _judge_whole(verdict, whole, last)
    return verdict


def _slots(parts: list[Part], expected: int | None) -> tuple[list[Part], int | None]:
    """A slot for each part that should be there, and the number of the last one where it is known."""
    by_number = {part.number: part for part in parts}
    first = split_name(parts[0].name)[0]
    last: int | None = None if expected is None else expected - 1
    start = by_number.get(0)
    if start is not None and start.path is not None:
        with start.path.open("rb") as file:
            marks = read_marks(file.read(MARKS_LENGTH))
        if last is None and (marks.last is not None or (marks.size is not None and len(by_number) == 1)):
            last = marks.last or 0
    count = max(*by_number, last or 0) + 1
    return [by_number.get(number, Part(part_name(first, number), number)) for number in range(count)], last


@dataclass
class _Range:
    """Where a part lies in the tar stream, and what identifies its bytes."""

    start: int
    end: int
    bytes: int
    checksum: int


@dataclass(frozen=True)
class _Stream:
    """What makes one tar stream of the parts.

    :param slices: if the parts are slices of one gzip stream, which can be read only one after the other.
    """

    parser: TarParser
    decryption: Decryption | None
    slices: Slices | None


def _read(
    slots: list[Part],
    stream: _Stream,
    verdict: Verdict,
    progress: Callable[[str, int], None] | None,
) -> list[_Range]:
    """Feed all parts to the parser in order, decoding the next ones meanwhile; one verdict a part."""
    parser, decryption, slices = stream.parser, stream.decryption, stream.slices
    waiting = iter(slots)
    readers = _READERS if slices is None else 1
    running = [_Decoded(part, slices).start() for part in itertools.islice(waiting, readers)]
    ranges: list[_Range] = []
    full: int | None = None
    done = 0
    while running:
        current = running.pop(0)
        start = parser.at.offset + len(parser.at.pending)
        got = 0
        for piece in plain(current.blocks(), current.part.number, decryption):
            parser.feed(piece)
            got += len(piece)
            if progress is not None and current.reader is not None:
                progress(current.part.name, done + current.reader.compressed)
        reader = current.reader
        done += reader.compressed if reader is not None else 0
        if reader is not None and reader.marks.size is not None:
            announced: int | None = reader.marks.size
        else:
            announced = full
        if full is None and current.part.number == 0:
            full = announced
        if current.error is not None or reader is None:
            skipped = SERVICE_BLOCK if decryption is not None and current.part.number == 0 else 0
            is_last = current.part.number == len(slots) - 1 and len(slots) > 1
            known = announced is not None and (reader is not None or not is_last)
            parser.lost(max(0, announced - skipped - got) if known and announced is not None else None)
        verdict.parts.append(_verdict_of(current))
        size = current.part.path.stat().st_size if current.part.path is not None else 0
        ranges.append(_Range(start, start + got, size, current.checksum))
        running.extend(_Decoded(part, slices).start() for part in itertools.islice(waiting, 1))
    return ranges


def _verdict_of(decoded: _Decoded) -> PartVerdict:
    part, reader, error = decoded.part, decoded.reader, decoded.error
    if part.path is None:
        return PartVerdict(part.name, 0, 0, "missing", "structure", "the part is not there")
    uncompressed = reader.uncompressed if reader is not None else 0
    evidence = "structure"
    if reader is not None and reader.gzipped:
        evidence = "crc+bx" if reader.marks.size is not None else "crc"
    note = decoded.note
    if note is not None and error is None:
        # What was proved of a fetched part at its arrival holds while its bytes are the same.
        if decoded.sha256.hexdigest() == note["sha256"]:
            evidence = note["evidence"]
        else:
            error = DamagedError(
                f"{part.name} has changed since it was fetched",
                part=part.name,
                cause="its SHA-256 differs from the one noted at its arrival",
            )
    text = None
    if error is not None:
        what = error.what.removeprefix(part.name).strip()
        text = str(error.cause) if what == "is damaged" else f"{what}: {error.cause}"
    return PartVerdict(
        part.name,
        part.path.stat().st_size,
        uncompressed,
        "ok" if error is None else "damaged",
        evidence,
        text,
    )


def _judge_parts(slots: list[Part], ranges: list[_Range], sink: _Looking, verdict: Verdict) -> None:
    """Tell what is wrong: with parts, with twins among them, and with the stream."""
    bad = {part.number for part, found in zip(slots, verdict.parts, strict=True) if found.status != "ok"}
    for found in verdict.parts:
        if found.status != "ok":
            verdict.problems.append(f"{found.name} {found.status}: {found.error}")
    for problem in sink.found:
        near = [
            n
            for n, where in enumerate(ranges)
            if where.start <= problem.offset + problem.length and problem.offset <= where.end
        ]
        name = shown_name(sink.names.utf8(problem.name))
        parts = f"parts {near[0]} to {near[-1]}" if near else "in what is missing"
        verdict.problems.append(
            f"{name + ': ' if name else ''}{problem.text} "
            f"({parts}; offset {problem.offset:,} of the tar stream, {problem.length:,} bytes)"
        )
        for number in near:
            twin = _twin(slots, ranges, number)
            if twin is not None and number not in bad:
                found = verdict.parts[number]
                found.status = "duplicate"
                found.error = f"the same bytes as {slots[twin].name}, and the archive breaks here"
                verdict.problems.append(f"{found.name}: {found.error}")
                bad.add(number)


def _judge_sizes(slots: list[Part], verdict: Verdict) -> None:
    """Every part but the last holds the same number of bytes (backup_format 1.5)."""
    full = verdict.parts[0].uncompressed
    bad = {number for number, found in enumerate(verdict.parts) if found.status != "ok"}
    for number, found in enumerate(verdict.parts):
        if number in bad or 0 in bad or not number:
            continue
        is_last = number == len(slots) - 1
        if found.uncompressed > full or (
            found.uncompressed < full and not is_last and found.evidence == "crc+bx"
        ):
            verdict.problems.append(
                f"{found.name} holds {found.uncompressed:,} uncompressed bytes, the first part {full:,}"
            )


def _twin(slots: list[Part], ranges: list[_Range], number: int) -> int | None:
    """Another part with the same bytes as this one."""
    this = ranges[number]
    for other, found in enumerate(ranges):
        if other != number and (found.bytes, found.checksum) == (this.bytes, this.checksum):
            one, two = slots[number].path, slots[other].path
            if one is not None and two is not None and filecmp.cmp(one, two, shallow=False):
                return other
    return None


def _judge_whole(verdict: Verdict, whole: bool, last: int | None) -> None:
    """Is it all there: the last entry whole, the dump with its end line."""
    known_bad = any(part.status != "ok" for part in verdict.parts)
    if not whole and not known_bad:
        verdict.problems.append("the archive ends in the middle of an entry")
        verdict.absent = last is None
    if verdict.dump is not None and not verdict.dump.complete:
        verdict.problems.append("the database dump has no end line: it is cut short")
        verdict.absent = verdict.absent or (last is None and not known_bad)
