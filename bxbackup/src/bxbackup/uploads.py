"""Uploads that a cloud backup only lists: fetched from the mirrors, checked by size (backup_format 6)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import os
import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from bxbackup.durable import read_json, room_for, sync_filesystem, write_failure, write_json
from bxbackup.errors import AbsentError, BackupError, DamagedError, RefusedError
from bxbackup.evidence import is_md5
from bxbackup.ownership import Ownership
from bxbackup.pace import Cap, Window
from bxbackup.pathset import PathSet
from bxbackup.remote import (
    PARTIAL,
    SILENCE,
    UNSATISFIABLE,
    DeniedError,
    GoneError,
    Remote,
    RetryError,
    content_range,
    pause,
    strong_etag,
)
from bxbackup.reuse import Earlier, link, md5, same_rights
from bxbackup.unpack import Folders, safe_path, shown_name

LISTS = ("restore_cloud.txt", "restore_cloud.php")
MISSING = "uploads-missing.json"
DONE = "uploads-done.jsonl"
MIRRORS = (
    "https://cdn.bitrix24.ru",
    "https://cdn.bitrix24.com",
    "https://cdn.bitrix24.de",
    "https://cdn-ru.bitrix24.ru",
    "https://cdn-ru.bitrix24.de",
)
_LINE = re.compile(r"\A\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +(?P<size>\d{1,15}) +(?P<key>\S.*)\Z")
_PIECE = 1 << 17
_BATCH = 500
_ROUNDS = 3
_AT_ONCE = 16
_NAMED = 3
_WRITE = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Upload:
    """One listed file.

    :param key: as in the list; its first component names the portal.
    :param path: below the upload folder.
    :param size: bytes.
    """

    key: str
    path: str
    size: int


@dataclass(frozen=True)
class Missing:
    """A listed file that could not be had."""

    key: str
    path: str
    size: int
    reason: str


@dataclass
class UploadCounts:
    """How far the uploads are: pieces and bytes; `reused` are an earlier release's, and count as fetched."""

    total: int = 0
    there: int = 0
    size: int = 0
    fetched: int = 0
    missing: int = 0
    reused: int = 0
    reused_size: int = 0

    def beside(self, had: dict[str, int] | None) -> UploadCounts:
        """All uploads, if these are only those that were missing of what an earlier run had."""
        if had is None:
            return self
        return UploadCounts(
            had["total"],
            had["there"] + self.there,
            had["size"],
            had["fetched"] + self.fetched,
            had["missing"] - self.there,
            had["reused"] + self.reused,
            had["reused_size"] + self.reused_size,
        )


def find_list(folder: Path) -> Path | None:
    """The list of uploads among the files that were put aside, if the backup has one."""
    return next((folder / name for name in LISTS if (folder / name).is_file()), None)


def missing_before(state: Path) -> frozenset[str]:
    """The paths that an earlier run could not have.

    :raises RefusedError: its report is not readable.
    """
    report = state / MISSING
    found = read_json(report)
    try:
        return frozenset(str(one["path"]) for one in found["missing"]) if found else frozenset()
    except (KeyError, TypeError) as error:
        raise RefusedError(f"{report} is not readable as our report", cause=repr(error)) from error


def read_list(path: Path) -> Iterator[Upload]:
    """The files that the list names and that belong into the upload folder.

    :raises DamagedError: a line is none.
    :raises RefusedError: a key leaves the upload folder.
    """
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        for number, raw in enumerate(lines, 1):
            line = raw.rstrip("\r\n")
            if not line or (number == 1 and line.startswith("<?php")):
                continue
            match = _LINE.match(line)
            if match is None:
                raise DamagedError(
                    f"line {number} of {path.name} names no upload",
                    cause="a line has date, time, size and name",
                    advice="the list of uploads in the backup is damaged: ask for a new backup",
                )
            _, _, below = match["key"].partition("/")
            top = below.split("/", 1)[0] if "/" in below else ""
            if not below or below == "test.txt" or below.endswith("/") or top.endswith(("cache", "tmp")):
                continue
            safe_path(os.fsencode(below))
            yield Upload(match["key"], below, int(match["size"]))


def url_of(mirror: str, key: str) -> str:
    """Where a mirror has a file."""
    return f"{mirror.rstrip('/')}/{quote(os.fsencode(key), safe='/-._~')}"


@dataclass
class Uploads:
    """Fetches all files of a list into a folder.

    :param listing: the list; `folder`: where they go; `state`: where it is kept what is durable.
    :param mirrors: base URLs, tried one after the other.
    :param unpacked: whether a path below the folder came with the archive.
    :param only: paths below the folder; others are left alone. None: all that are listed.
    :param patience: seconds after which a file is given up that no mirror gives.
    """

    listing: Path
    folder: Path
    state: Path
    mirrors: tuple[str, ...]
    unpacked: Callable[[str], bool]
    repaired: Callable[[str, str], None]
    connections: int | None = None
    cap: Cap = field(default_factory=lambda: Cap(None))
    window: Window | None = None
    patience: float = 600.0
    stopped: Callable[[], bool] = lambda: False
    ownership: Ownership = field(default_factory=Ownership)
    earlier: Earlier | None = None
    only: Collection[str] | None = None
    counts: UploadCounts = field(default_factory=UploadCounts)
    _missing: list[Missing] = field(default_factory=list)
    _done: PathSet = field(default_factory=PathSet)
    _busy: dict[str, asyncio.Event] = field(default_factory=dict)
    _batch: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Fetch what is not there yet; the report of what is missing is written in any case.

        :raises AbsentError: some files are missing at every mirror.
        """
        for upload in self._wanted():
            self.counts.total += 1
            self.counts.size += upload.size
        self._read_done()
        self.folder.mkdir(exist_ok=True)
        root = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        folders = Folders(root, self.ownership)
        self.ownership.take_folder(root)
        waiting = self._wanted()
        try:
            async with Remote(SILENCE) as remote, asyncio.TaskGroup() as group:
                for _ in range(self.connections or _AT_ONCE):
                    group.create_task(self._worker(waiting, remote, folders))
        except ExceptionGroup as errors:
            first: BaseException = errors
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            raise first from errors
        finally:
            self._settle(root)
            folders.close()
            os.close(root)
        write_json(self.state / MISSING, {"missing": [asdict(found) for found in self._missing]})
        if self._missing:
            raise self._absent()

    def _wanted(self) -> Iterator[Upload]:
        return (upload for upload in read_list(self.listing) if self.only is None or upload.path in self.only)

    def _absent(self) -> AbsentError:
        names = ", ".join(shown_name(os.fsencode(found.path)) for found in self._missing[:_NAMED])
        return AbsentError(
            f"{len(self._missing)} of {self.counts.total} uploads are missing at every mirror",
            cause=f"{names}{' …' if len(self._missing) > _NAMED else ''}; all: {self.state / MISSING}",
            advice="start the same command again to try these again, or go on with --allow-missing-uploads",
            kept="everything else is restored",
        )

    async def _worker(self, waiting: Iterator[Upload], remote: Remote, folders: Folders) -> None:
        for upload in waiting:
            if self.stopped():
                return
            # A list may name a file twice: then the other one is being fetched now.
            while (other := self._busy.get(upload.path)) is not None:
                await other.wait()
            mine = self._busy[upload.path] = asyncio.Event()
            try:
                await self._take(upload, remote, folders)
            finally:
                del self._busy[upload.path]
                mine.set()

    async def _take(self, upload: Upload, remote: Remote, folders: Folders) -> None:
        components = tuple(os.fsencode(upload.path).split(b"/"))
        if self._is_there(upload, components, folders):
            self.counts.there += 1
            self.counts.fetched += upload.size
            return
        reason = None
        if not await self._reuse(upload, components, remote, folders):
            reason = await self._fetch(upload, components, remote, folders)
        if reason is None:
            self.counts.there += 1
            self._done.add(("done", os.fsencode(upload.path)))
            self._batch.append(upload.path)
            if len(self._batch) >= _BATCH:
                await asyncio.to_thread(self._settle, folders.root)
        else:
            self._drop_partial(components, folders)
            self.counts.missing += 1
            self._missing.append(Missing(upload.key, upload.path, upload.size, reason))

    def _is_there(self, upload: Upload, components: tuple[bytes, ...], folders: Folders) -> bool:
        if ("done", os.fsencode(upload.path)) not in self._done and not self.unpacked(upload.path):
            return False
        try:
            folder = folders.descriptor(components[:-1])
            return os.stat(components[-1], dir_fd=folder, follow_symlinks=False).st_size == upload.size
        except FileNotFoundError:
            return False

    async def _reuse(
        self, upload: Upload, components: tuple[bytes, ...], remote: Remote, folders: Folders
    ) -> bool:
        """Take an earlier release's file, if a mirror's ETag proves that it is the listed one."""
        if self.earlier is None:
            return False
        found = self.earlier.open((os.fsencode(self.folder.name), *components), upload.size)
        if found is None:
            return False
        try:
            digest = await asyncio.to_thread(md5, found)
            for mirror in self.mirrors:
                await self._open_window()
                try:
                    thing, _ = await remote.look(url_of(mirror, upload.key), 1)
                except (GoneError, DeniedError, RetryError, AbsentError):
                    continue
                if thing.size != upload.size or thing.etag != digest:
                    return False
                if not await asyncio.to_thread(self._take_over, found, digest, components, folders):
                    return False
                self.counts.reused += 1
                self.counts.reused_size += upload.size
                self.counts.fetched += upload.size
                return True
            return False
        finally:
            os.close(found)

    def _take_over(self, found: int, digest: str, components: tuple[bytes, ...], folders: Folders) -> bool:
        """Link to an earlier release's file, or copy it where that cannot be."""
        folder = os.dup(folders.descriptor(components[:-1]))
        name, partial = components[-1], _partial_name(components)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(partial, dir_fd=folder)
            descriptor = self.ownership.create_file(partial, folder, _WRITE | os.O_EXCL)
            try:
                one, other = os.fstat(descriptor), os.fstat(found)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
                if one.st_dev == other.st_dev and same_rights(one, other) and link(found, name, folder):
                    os.unlink(partial, dir_fd=folder)
                    return True
                at = 0
                while piece := os.pread(found, _PIECE, at):
                    at = self._write(descriptor, piece, at)
                if md5(descriptor) != digest:
                    return False
            finally:
                os.close(descriptor)
            os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            os.close(folder)
        return True

    async def _fetch(
        self, upload: Upload, components: tuple[bytes, ...], remote: Remote, folders: Folders
    ) -> str | None:
        """Try the mirrors in turn. Returns why the file is missing, None if it is there now."""
        gone: set[str] = set()
        reason, failures, since = "", 0, time.monotonic()
        for mirror in itertools.cycle(self.mirrors):
            if len(gone) == len(self.mirrors) or self.stopped():
                return reason
            if mirror in gone:
                continue
            await self._open_window()
            try:
                await self._fetch_from(mirror, upload, components, remote, folders)
            except (GoneError, DeniedError) as error:
                gone.add(mirror)
                reason = str(error)
            except RetryError as error:
                failures += 1
                reason = str(error)
                if failures >= _ROUNDS * len(self.mirrors) and time.monotonic() - since > self.patience:
                    return reason
                if failures % len(self.mirrors) == 0:
                    rounds = failures // len(self.mirrors)
                    await asyncio.sleep(error.after if error.after is not None else pause(rounds))
            except BackupError as error:
                if isinstance(error, AbsentError) and error.part is None:
                    gone.add(mirror)
                    reason = error.what
                else:
                    raise
            else:
                return None
        return reason

    async def _fetch_from(
        self, mirror: str, upload: Upload, components: tuple[bytes, ...], remote: Remote, folders: Folders
    ) -> None:
        folder = os.dup(folders.descriptor(components[:-1]))
        partial = _partial_name(components)
        try:
            descriptor = self.ownership.create_file(partial, folder, _WRITE)
            try:
                await self._receive(mirror, upload, remote, descriptor)
            finally:
                os.close(descriptor)
            os.rename(partial, components[-1], src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            os.close(folder)

    def _drop_partial(self, components: tuple[bytes, ...], folders: Folders) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_partial_name(components), dir_fd=folders.descriptor(components[:-1]))

    async def _receive(self, mirror: str, upload: Upload, remote: Remote, descriptor: int) -> None:
        """One request; a file that an earlier one left unfinished is gone on with.

        :raises RetryError: what came is not the listed file.
        """
        start = os.fstat(descriptor).st_size
        if start >= upload.size:
            os.ftruncate(descriptor, 0)
            start = 0
        async with remote.request(url_of(mirror, upload.key), start, None) as response:
            if response.status == UNSATISFIABLE and upload.size:
                raise RetryError("the mirror has a shorter file than listed")
            if response.status == PARTIAL:
                span = content_range(response)
                if span is None or span[0] != start:
                    raise RetryError("the mirror answered with another range than the one asked for")
                if span[2] != upload.size:
                    raise RetryError(f"the mirror has {span[2]:,} bytes, listed are {upload.size:,}")
            elif response.status != UNSATISFIABLE:
                start = 0
                os.ftruncate(descriptor, 0)
            at = start
            if response.status != UNSATISFIABLE:
                async for piece in response.content.iter_chunked(_PIECE):
                    at = self._write(descriptor, piece, at)
                    self.counts.fetched += len(piece)
                    await self.cap.spend(len(piece))
            etag = strong_etag(response.headers)
        if at != upload.size:
            os.ftruncate(descriptor, 0)
            self.counts.fetched -= at
            raise RetryError(f"{at:,} bytes came, listed are {upload.size:,}")
        if etag is not None and is_md5(etag) and await asyncio.to_thread(md5, descriptor) != etag:
            os.ftruncate(descriptor, 0)
            self.counts.fetched -= at
            self.repaired("differs from the mirror's ETag; fetched again", upload.path)
            raise RetryError("what came differs from the mirror's ETag")

    def _write(self, descriptor: int, piece: bytes, at: int) -> int:
        view = memoryview(piece)
        while view:
            try:
                count = os.pwrite(descriptor, view, at)
            except OSError as error:
                failure = write_failure(self.folder, error)
                failure.part = "uploads"
                raise failure from error
            view, at = view[count:], at + count
        return at

    async def _open_window(self) -> None:
        while self.window is not None and not self.stopped():
            seconds = self.window.opens_in(datetime.now())
            if seconds <= 0:
                return
            await asyncio.sleep(min(seconds, 15.0))

    def _read_done(self) -> None:
        path = self.state / DONE
        if path.is_file():
            for line in path.read_bytes().split(b"\n")[:-1]:
                self._done.add(("done", os.fsencode(json.loads(line))))

    def _settle(self, descriptor: int) -> None:
        """Make what was fetched durable, then remember that it is."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        with room_for(self.folder):
            sync_filesystem(descriptor)
            with (self.state / DONE).open("ab") as done:
                done.write(b"".join(json.dumps(path).encode() + b"\n" for path in batch))
                done.flush()
                os.fsync(done.fileno())


def _partial_name(components: tuple[bytes, ...]) -> bytes:
    return b".bxbackup-" + hashlib.blake2b(components[-1], digest_size=12).hexdigest().encode()
