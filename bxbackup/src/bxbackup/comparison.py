"""What the database says of the uploads (`b_file`, `b_file_hash`) against what lies in the folder.

The format carries no hashes, but the portal keeps some: the size of every upload, and the MD5 of most
(backup_format 7.6, 8). They are the only evidence of a file's content that comes from before the backup.
A row with a HANDLER_ID lies in a bucket of the cloud unless the file has come along (backup_format 7.6).
Files that the portal makes anew (`tmp`, `resize_cache`, backup_format 2.15) are not looked at.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import hashlib
import io
import itertools
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal

from bxbackup.depth import Depth
from bxbackup.durable import read_json, room_for, write_json
from bxbackup.errors import AbsentError, BackupError, DamagedError, RefusedError
from bxbackup.pathset import PathSet
from bxbackup.report import amount
from bxbackup.server import Row as SqlRow
from bxbackup.server import Session, SessionLostError, patiently, read_account, telling
from bxbackup.state import now
from bxbackup.unpack import safe_path, shown_name

REPORT = "uploads-compared.csv"
SUMMARY = "uploads-compared.json"
UPLOAD = "upload"
"""The folder of uploads, unless the portal's own setting says otherwise."""

PATIENCE = 120.0
"""Seconds that the server may be away."""

_CHECKPOINT = "compare.json"
_FORMAT = 1
_AT_ONCE = 4
_PAGE, _SLICE, _GROUP = 2000, 128, 8
_EVERY = 2.0
_STALE = 86_400
_NAMED = 5
_MD5 = re.compile(r"\A[0-9a-f]{32}\Z")
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})
_ROWS = (
    "SELECT ID, SUBDIR, FILE_NAME, FILE_SIZE, HANDLER_ID, NULL FROM b_file WHERE ID > %s ORDER BY ID LIMIT %s"
)
_ROWS_WITH_MD5 = (
    "SELECT b_file.ID, b_file.SUBDIR, b_file.FILE_NAME, b_file.FILE_SIZE, b_file.HANDLER_ID,"
    " LOWER(b_file_hash.FILE_HASH)"
    " FROM b_file LEFT JOIN b_file_hash ON b_file_hash.FILE_ID = b_file.ID"
    " WHERE b_file.ID > %s ORDER BY b_file.ID LIMIT %s"
)
_BYTES_WITH_MD5 = (
    "SELECT COALESCE(SUM(b_file.FILE_SIZE), 0)"
    " FROM b_file JOIN b_file_hash ON b_file_hash.FILE_ID = b_file.ID"
)
_COLUMNS = (
    "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s"
)
_NEEDED = frozenset({"ID", "SUBDIR", "FILE_NAME", "FILE_SIZE", "HANDLER_ID"})
_NEEDED_HASH = frozenset({"FILE_ID", "FILE_HASH"})
_NEEDED_OPTION = frozenset({"MODULE_ID", "NAME", "VALUE"})
_FIELDS = ("kind", "id", "path", "size", "found_size", "md5", "found_md5", "bucket")
_MADE_ANEW = frozenset({"tmp", "resize_cache"})

Kind = Literal["matching", "missing", "in bucket", "other size", "other content"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of `b_file`.

    :param path: below the upload folder.
    :param size: bytes; None where the row has none.
    :param bucket: the bucket that the file is said to lie in; empty for a local one.
    :param md5: of the content, where the portal has it.
    """

    id: int
    path: str
    size: int | None
    bucket: str
    md5: str | None


@dataclass(slots=True)
class Comparison:
    """What was found: pieces and bytes.

    :param rows: in `b_file`; `done` of them are compared.
    :param hashed: files that have their MD5.
    :param in_bucket: not here, but said to lie in a bucket of the cloud.
    :param without_row: files on disk that no row names.
    :param bytes: read so far for MD5s, of `bytes_total`, at `rate` bytes per second.
    """

    rows: int = 0
    done: int = 0
    matching: int = 0
    hashed: int = 0
    missing: int = 0
    in_bucket: int = 0
    other_size: int = 0
    other_content: int = 0
    without_row: int = 0
    without_row_bytes: int = 0
    bytes: int = 0
    bytes_total: int = 0
    rate: float = 0.0
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def remaining(self) -> float | None:
        """Seconds to the end; None while that is not known."""
        return (self.bytes_total - self.bytes) / self.rate if self.rate else None

    @property
    def damaged(self) -> int:
        """Files that are there and are not what the database says."""
        return self.other_size + self.other_content

    @property
    def absent(self) -> int:
        """Files that are not there."""
        return self.missing + self.in_bucket

    def count(self, row: Row, kind: Kind, *, hashed: bool) -> None:
        """Enter what was found of a row."""
        self.done += 1
        self.hashed += hashed and kind == "matching"
        self.bytes += (row.size or 0) if row.md5 is not None else 0
        name = kind.replace(" ", "_")
        setattr(self, name, getattr(self, name) + 1)
        if kind != "matching" and len(named := self.examples.setdefault(kind, [])) < _NAMED:
            named.append(shown_name(os.fsencode(row.path)))

    def remarks(self, report: Path) -> list[str]:
        """What a person should know, a line each; nothing where the database knows of no file."""
        if not self.rows:
            return []
        same = f"{self.matching:,} of {self.rows:,}"
        found = [f"uploads: {same} are as the database says, {self.hashed:,} by MD5"]
        for count, text in (
            (self.missing, "missing"),
            (self.in_bucket, "only in a bucket of the cloud"),
            (self.other_size, "of another size"),
            (self.other_content, "of another content than their MD5 says"),
        ):
            if count:
                found.append(f"uploads {text}: {count:,}; all in {report}")
        if self.without_row:
            size = amount(self.without_row_bytes)
            found.append(f"uploads that no row names: {self.without_row:,} files, {size}")
        return found

    def verdict(self, report: Path) -> BackupError | None:
        """The error that says what is wrong; damaged wins over absent."""
        if self.damaged:
            return DamagedError(
                f"uploads that are not what the database says: {self.damaged:,} of {self.rows:,}",
                cause=self._named(("other content", "other size"), report),
                advice="take them from the source or from another backup; a file that the portal itself has "
                "changed since its row was written looks the same",
            )
        if self.absent:
            return AbsentError(
                f"uploads that are not in the folder: {self.absent:,} of {self.rows:,}",
                cause=self._named(("missing", "in bucket"), report),
                advice="fetch them while the cloud portal lives: later nobody has them",
            )
        return None

    def suspect(self, report: Path) -> DamagedError | None:
        """The error for files whose size is right and whose content is not: damage that the format hides."""
        if not self.other_content:
            return None
        return DamagedError(
            f"uploads of another content than the database's MD5 says: {self.other_content:,}",
            cause=self._named(("other content",), report),
            advice="parts of equal size may have changed places, or bytes where the format has no checksum: "
            "fetch the backup anew, or take these files from the source; --allow-suspect-files ends without",
            kept="everything is restored",
        )

    def _named(self, kinds: tuple[str, ...], report: Path) -> str:
        shown = [f"{kind}: {path}" for kind in kinds for path in self.examples.get(kind, [])]
        return f"{'; '.join(shown[:_NAMED])}; all in {report}"


@dataclass
class _Work:
    """One comparison on its way."""

    upload: Path
    connect: Callable[[], Session]
    session: Session
    depth: Depth
    state: Path
    identity: dict[str, str]
    progress: Callable[[Comparison], None]
    found: Comparison = field(default_factory=Comparison)
    after: int = -1

    def run(self) -> Comparison:
        """Compare all."""
        hashes = self.depth is Depth.HASHES and _columns(self.session, "b_file_hash") >= _NEEDED_HASH
        with room_for(self.state), (self.state / REPORT).open("ab") as report:
            self._go_on(report)
            self.found.rows, self.found.bytes_total = self._sums(hashes=hashes)
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                said = began = time.monotonic()
                begun_with = self.found.bytes
                for rows in self._slices(hashes=hashes):
                    groups = (rows[start : start + _GROUP] for start in range(0, len(rows), _GROUP))
                    for row, kind, line in itertools.chain.from_iterable(pool.map(self._look_at, groups)):
                        self.found.count(row, kind, hashed=row.md5 is not None)
                        report.write(line)
                    self.after = rows[-1].id
                    spent = max(time.monotonic() - began, 1e-3)
                    self.found.rate = round((self.found.bytes - begun_with) / spent)
                    self.progress(self.found)
                    if time.monotonic() - said > _EVERY:
                        self._keep(report)
                        said = time.monotonic()
            self._count_strangers()
            self._keep(report)
        write_json(self.state / SUMMARY, {"at": now(), **self.identity, **asdict(self.found)})
        (self.state / _CHECKPOINT).unlink()
        self.progress(self.found)
        return self.found

    def _ask(self, sql: str, values: tuple[object, ...] = ()) -> list[SqlRow]:
        """Ask the server; once more in a new session where the first one was lost."""
        try:
            return self.session.rows(sql, values)
        except SessionLostError:
            self.session.close()
            self.session = self.connect()
            return self.session.rows(sql, values)

    def _sums(self, *, hashes: bool) -> tuple[int, int]:
        rows = int(self._ask("SELECT COUNT(*) FROM b_file")[0][0])
        return rows, int(self._ask(_BYTES_WITH_MD5)[0][0]) if hashes else 0

    def _slices(self, *, hashes: bool) -> Iterator[list[Row]]:
        """All rows behind `after` by their ID, some at a time."""
        last = self.after
        while page := self._page(last, hashes=hashes):
            last = page[-1].id
            yield from (page[start : start + _SLICE] for start in range(0, len(page), _SLICE))

    def _page(self, after: int, *, hashes: bool) -> list[Row]:
        found = self._ask(_ROWS_WITH_MD5 if hashes else _ROWS, (after, _PAGE))
        return [
            Row(
                id=int(number),
                path="/".join(str(piece).strip("/") for piece in (folder, name) if piece),
                size=None if size is None else int(size),
                bucket=str(bucket or ""),
                md5=str(digest) if digest is not None and _MD5.match(str(digest)) else None,
            )
            for number, folder, name, size, bucket, digest in found
        ]

    def _look_at(self, rows: list[Row]) -> list[tuple[Row, Kind, bytes]]:
        return [self._look(row) for row in rows]

    def _look(self, row: Row) -> tuple[Row, Kind, bytes]:
        """Compare one file. Returns the report's line too, empty where nothing is to be said."""
        size, md5 = None, None
        kind: Kind = "matching"
        try:
            path = self.upload.joinpath(*map(os.fsdecode, safe_path(os.fsencode(row.path))))
            figures = path.stat()
            size = figures.st_size
            if not stat.S_ISREG(figures.st_mode):
                kind = "missing"
            elif row.size is not None and size != row.size:
                kind = "other size"
            elif row.md5 is not None:
                with path.open("rb") as file:
                    md5 = hashlib.file_digest(file, _md5).hexdigest()
                kind = "matching" if md5 == row.md5 else "other content"
        except RefusedError:
            kind = "missing"
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise
            kind = "missing"
        if kind == "missing" and row.bucket:
            kind = "in bucket"
        if kind == "matching":
            return row, kind, b""
        return row, kind, _line(kind, row.id, row.path, row.size, size, row.md5, md5, row.bucket)

    def _count_strangers(self) -> None:
        """Count the files that no row names."""
        known = PathSet()
        last = -1
        while page := self._page(last, hashes=False):
            for row in page:
                known.add((UPLOAD, os.fsencode(row.path)))
            last = page[-1].id
        self.found.without_row = self.found.without_row_bytes = 0
        for path, size in _files(self.upload):
            if (UPLOAD, os.fsencode(path)) not in known:
                self.found.without_row += 1
                self.found.without_row_bytes += size

    def _go_on(self, report: BinaryIO) -> None:
        """Go on after the checkpoint of an interrupted comparison; without one, or an old one, begin anew."""
        kept = read_json(self.state / _CHECKPOINT)
        if kept is not None and kept["identity"] == self.identity and time.time() - kept["at"] < _STALE:
            self.found, self.after = Comparison(**kept["found"]), kept["after"]
            report.seek(0, os.SEEK_END)
            if report.tell() >= kept["report"]:
                report.truncate(kept["report"])
                report.seek(0, os.SEEK_END)
                return
            self.found, self.after = Comparison(), -1
        report.truncate(0)
        report.write(_line(*_FIELDS))
        self._keep(report)

    def _keep(self, report: BinaryIO) -> None:
        report.flush()
        os.fsync(report.fileno())
        kept: dict[str, Any] = {
            "format": _FORMAT,
            "identity": self.identity,
            "at": time.time(),
            "after": self.after,
            "report": report.tell(),
            "found": asdict(self.found),
        }
        write_json(self.state / _CHECKPOINT, kept)


def compare_uploads(
    site: Path,
    state: Path,
    *,
    database: str,
    defaults_file: Path | None,
    depth: Depth = Depth.HASHES,
    progress: Callable[[Comparison], None],
) -> Comparison:
    """Compare every row of `b_file` with its file. Changes nothing.

    :param site: the folder that holds the portal.
    :param state: folder for `uploads-compared.csv`, the summary and the checkpoint.
    :returns: without rows where the database has no such table.
    :raises DatabaseError: the server cannot be asked.
    """
    if depth is Depth.NOTHING:
        return Comparison()
    connect = partial(patiently, read_account(defaults_file), PATIENCE, database=database)
    with telling("tell of the uploads"):
        session = connect()
        if not _columns(session, "b_file") >= _NEEDED:
            session.close()
            return Comparison()
        upload = site / _upload_folder(session)
        identity = {"upload": str(upload.resolve()), "database": database, "depth": depth.value}
        work = _Work(upload, connect, session, depth, state, identity, progress)
        try:
            return work.run()
        finally:
            work.session.close()


def _columns(session: Session, table: str) -> set[str]:
    return {str(name) for (name,) in session.rows(_COLUMNS, (table,))}


def _upload_folder(session: Session) -> str:
    """The name of the upload folder: the portal's own setting (backup_format 2.15), `upload` without one."""
    found = _columns(session, "b_option") >= _NEEDED_OPTION and session.rows(
        "SELECT VALUE FROM b_option WHERE MODULE_ID = 'main' AND NAME = 'upload_dir'"
    )
    name = str(found[0][0] or "").strip("/") if found else ""
    return name if name and ".." not in name.split("/") else UPLOAD


def _files(upload: Path) -> Iterator[tuple[str, int]]:
    """Path below the folder and bytes of every regular file, without what the portal makes anew."""
    for folder, folders, names in os.walk(upload):
        below = os.path.relpath(folder, upload)
        if below == ".":
            folders[:] = [name for name in folders if name not in _MADE_ANEW]
        for name in names:
            path = Path(folder, name)
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and not path.is_symlink():
                    yield name if below == "." else f"{below}/{name}", path.stat().st_size


def _line(*values: object) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue().encode("utf-8", "surrogateescape")


def _md5() -> Any:
    return hashlib.md5(usedforsecurity=False)
