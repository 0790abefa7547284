"""Makes the backups that the bench restores: the vendor's form, content of stated shares, cheap to make."""

from __future__ import annotations

import itertools
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from lab.generator.content import Literal, Noise
from lab.generator.words import Phrases
from lab.writer.archive import ArchiveWriter
from lab.writer.dump import VENDOR_FILE_LIMIT, DumpWriter, after_connect
from lab.writer.rows import Row
from lab.writer.schema import Table, read_tables
from lab.writer.tar import FILE, Entry
from lab.writer.volume import Deflater, VolumeWriter, vendor_deflater

COLLATION = "utf8mb4_unicode_ci"
BASE = "bench_20261122_120000_full"
_MOMENT = datetime(2026, 11, 22, 12, tzinfo=UTC)
_CODE_SHARE = 0.15
_CODE_SIZE = 9_000
_LARGE_FILES = 1 << 20
_OVERHEAD = 1.01
_SMALL_ROWS = 12
_WIDE_TEXT = 40_000
_SENTENCES = 4_000

# Six large tables, their shares of the rows' bytes, and what they carry besides the common columns.
_LARGE = (
    ("bench_activity", 0.38, 7),
    ("bench_timeline", 0.22, 4),
    ("bench_message", 0.15, 3),
    ("bench_call", 0.11, 2),
    ("bench_lead", 0.08, 6),
    ("bench_event", 0.06, 2),
)
_KEYS = (
    "UNIQUE KEY `ux_hash` (`HASH`)",
    "KEY `ix_owner` (`OWNER_TYPE_ID`,`OWNER_ID`)",
    "KEY `ix_author` (`AUTHOR_ID`,`CREATED`)",
    "KEY `ix_created` (`CREATED`)",
    "KEY `ix_subject` (`SUBJECT`(50))",
    "KEY `ix_status` (`STATUS`,`ID`)",
    "KEY `ix_origin` (`ORIGIN_ID`)",
)


@dataclass(frozen=True)
class Shape:
    """What a backup holds; sizes in bytes before compression.

    :param parts: about how many.
    :param file_size: mean of the incompressible files.
    :param wide: rows of 40 KB in place of the six large tables: many bytes of dump that load quickly.
    :param stored: nothing is compressed, for large backups at once; else as the vendor's writer compresses.
    """

    sql: int
    files: int
    parts: int
    small_tables: int = 800
    file_size: int = 120_000
    wide: bool = False
    stored: bool = False


@dataclass(frozen=True)
class Backup:
    """A backup on the disk."""

    folder: Path
    names: tuple[str, ...]
    shape: Shape
    tables: int
    files: int

    @property
    def first(self) -> Path:
        """The first part."""
        return self.folder / self.names[0]

    @property
    def parts(self) -> tuple[Path, ...]:
        """All parts in order."""
        return tuple(self.folder / name for name in self.names)

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(path.stat().st_size for path in self.parts)


def make(folder: Path, shape: Shape, seed: int = 1) -> Backup:
    """Write a backup into a folder that does not exist yet; needs room for it and for one dump."""
    folder.mkdir()
    limit = int((shape.sql + shape.files) * _OVERHEAD) // shape.parts
    deflater = _stored if shape.stored else vendor_deflater
    volumes = VolumeWriter(folder, f"{BASE}.tar.gz", limit, deflater=deflater)
    writer = ArchiveWriter(volumes, limit)
    connect = after_connect("utf8mb4", COLLATION)
    writer.add(_file("bitrix/backup/" + BASE + "_after_connect.sql", len(connect)), [connect])
    tables = _write_dump(writer, folder, shape, seed)
    files = 0
    for name, content in _files(shape, seed):
        writer.add(_file(name, content.size), content.chunks())
        files += 1
    archive = writer.close()
    return Backup(folder, tuple(part.name for part in archive.parts), shape, tables, files)


def _stored() -> Deflater:
    return zlib.compressobj(0, zlib.DEFLATED, -15)


def _file(name: str, size: int) -> Entry:
    return Entry(name.encode(), FILE, size, 0o644, int(_MOMENT.timestamp()))


def _files(shape: Shape, seed: int) -> Iterator[tuple[str, Noise | Literal]]:
    """Program files that compress, then uploads that do not, of sizes that differ widely."""
    random = Random(seed)
    phrases = Phrases(random, _SENTENCES)
    code = int(shape.files * _CODE_SHARE) if shape.file_size < _LARGE_FILES else 0
    left = shape.files - code
    for number in itertools.count():
        if code <= 0:
            break
        content = Literal(phrases.text(_CODE_SIZE // 180).encode())
        code -= content.size
        yield f"bitrix/modules/bench/lib/{number // 200:03}/unit{number:05}.php", content
    for number in itertools.count():
        if left <= 0:
            break
        size = max(1, min(left, int(random.lognormvariate(0, 1) * shape.file_size / 1.65)))
        left -= size
        yield f"upload/bench/{number // 100:03}/photo{number:06}.jpg", Noise(f"{seed} {number}", size)


def _write_dump(writer: ArchiveWriter, folder: Path, shape: Shape, seed: int) -> int:
    """Write the dump through a temporary file into the archive; returns the number of tables."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".dump-") as place:

        def deliver(path: Path) -> None:
            writer.add_path(_file(f"bitrix/backup/{path.name}", path.stat().st_size), path)
            path.unlink()

        dump = DumpWriter(Path(place), f"{BASE}.sql", VENDOR_FILE_LIMIT, "utf8mb4", deliver)
        dump.start(_MOMENT)
        count = 0
        for table, rows in _tables(shape, Random(seed)):
            counter, made = rows
            dump.table(table, table.ddl(collation=COLLATION, auto_increment=counter), counter, made)
            count += 1
        dump.finish(_MOMENT + timedelta(minutes=1))
    return count


def _tables(shape: Shape, random: Random) -> Iterator[tuple[Table, tuple[int, Iterator[Row]]]]:
    phrases = Phrases(random, _SENTENCES)
    for number in range(shape.small_tables):
        table = _table(f"bench_small_{number:03}", 1)
        count = random.randrange(_SMALL_ROWS)
        yield table, (count + 1, _rows(count, random, phrases.line))
    if shape.wide:
        text = phrases.text(_WIDE_TEXT // 110)
        count = shape.sql // (len(text.encode()) + 250)
        yield _table("bench_wide", 0), (count + 1, _rows(count, random, lambda: text))
        return
    row = 350
    for name, share, keys in _LARGE:
        count = int(shape.sql * share / row)
        yield _table(name, keys), (count + 1, _rows(count, random, phrases.line))


def _table(name: str, keys: int) -> Table:
    lines = [
        "  `ID` int(11) NOT NULL AUTO_INCREMENT",
        "  `OWNER_TYPE_ID` int(11) NOT NULL",
        "  `OWNER_ID` int(11) NOT NULL",
        "  `AUTHOR_ID` int(11) NOT NULL",
        "  `STATUS` char(1) NOT NULL DEFAULT 'N'",
        "  `CREATED` datetime NOT NULL",
        "  `HASH` char(32) NOT NULL",
        "  `ORIGIN_ID` varchar(50) DEFAULT NULL",
        "  `SUBJECT` varchar(255) DEFAULT NULL",
        "  `BODY` mediumtext DEFAULT NULL",
        "  PRIMARY KEY (`ID`)",
        *(f"  {key}" for key in _KEYS[:keys]),
    ]
    return read_tables(f"CREATE TABLE `{name}` (\n" + ",\n".join(lines) + "\n) ENGINE=InnoDB")[name]


def _rows(count: int, random: Random, body: Callable[[], str]) -> Iterator[Row]:
    draw: Any = random.random
    for number in range(1, count + 1):
        bits = random.getrandbits(128)
        minute, hour, day = bits % 60, bits // 60 % 24, bits // 1440 % 28 + 1
        yield (
            number,
            int(draw() * 5) + 1,
            int(draw() * 90_000) + 1,
            int(draw() * 400) + 1,
            "YN"[bits & 1],
            f"2026-{bits // 64 % 12 + 1:02}-{day:02} {hour:02}:{minute:02}:00",
            f"{bits:032x}",
            f"origin-{bits % 1_000_000}" if bits & 6 else None,
            f"{number} {body()}"[:200],
            body(),
        )
