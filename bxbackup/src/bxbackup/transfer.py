"""Parts over HTTP: several connections, ranges, resume; each part checked when its last byte has come.

Bytes are fetched in archive order, so that the rooms behind can work meanwhile. What was fetched is entered
in a small file beside each part only after it is on the disk; `kill -9` costs a few MiB, a bad part costs
itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from bxbackup.connections import FIRST, MOST, Connections
from bxbackup.durable import disk_full, read_json, room_for, sync_folder, write_failure, write_json
from bxbackup.errors import AbsentError, BackupError, DamagedError, PasswordError, RefusedError
from bxbackup.evidence import Finding, check
from bxbackup.measures import PartFetch
from bxbackup.pace import Cap, Meter, Window
from bxbackup.remote import (
    OK,
    PARTIAL,
    SILENCE,
    UNSATISFIABLE,
    ChangedError,
    DeniedError,
    GoneError,
    Object,
    Remote,
    RetryError,
    content_range,
    pause,
    strong_etag,
)
from bxbackup.source import Part, Source
from bxbackup.state import now
from bxbackup.volume import MARKS_LENGTH, Marks, are_slices, read_marks

HEAD = 1 << 14
_LOOK = 2
# Per connection; a connection waits when twice as much is not yet on the disk.
SAVE_EVERY = 3 << 19
_SAVE_SECONDS = 3.0
_SEGMENT_SECONDS = 8.0
SMALLEST_SEGMENT, LARGEST_SEGMENT = 1 << 20, 32 << 20
_SMALLEST_TAIL = 1 << 16
_FETCHES = 3
_CHANGES = 3
_IDLE = 0.5
_LONGEST_NAP = 15.0
DRIP_SECONDS = 20.0
STALL_SECONDS = 8.0
_DRIP_RATE = 1024.0
_DRIP_SHARE = 0.05


class Events(Protocol):
    """What the transfer tells. Called in the transfer's thread."""

    def head(self, first: Part, data: bytes) -> None:
        """The first volume's first bytes have come; may raise to stop before anything else is fetched."""

    def planned(self, total: int, size: int) -> None:
        """How many parts there are and their bytes."""

    def ready(self, part: Part, path: Path) -> None:
        """A part is whole, checked and durable."""

    def failed(self, part: Part, error: BackupError) -> None:
        """A part will not come in this run; others go on."""

    def repaired(self, what: str, part: str) -> None:
        """Something went wrong and was put right."""

    def waiting(self, seconds: float) -> None:
        """Nothing is fetched for so long, by the time window; 0: it goes on."""


def local_time() -> datetime:
    """The machine's own clock, which a time window goes by."""
    return datetime.now()


async def nap(seconds: float) -> None:
    """Wait for a time window."""
    await asyncio.sleep(seconds)


class _WriteError(Exception):
    """A write failed: not to be mistaken for the network's OSErrors.

    :param error: what the system said.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


@dataclass
class Segment:
    """A piece of a part that one connection fetches: bytes `at` to `end`.

    :param response: what is read from now; `reading_since`: when that began, None while it is not waited for.
    """

    at: int
    end: int
    refusals: int = 0
    response: aiohttp.ClientResponse | None = None
    reading_since: float | None = None


@dataclass
class Progress:
    """One part's own state. All but `running`, `file` and counters is in its file on the disk."""

    part: Part
    size: int | None = None
    etag: str | None = None
    modified: str | None = None
    ranges: bool = True
    done: list[tuple[int, int]] = field(default_factory=list)
    ready: bool = False
    evidence: str = ""
    sha256: str = ""
    seen: list[str] = field(default_factory=list)
    sliced: bool = False
    condemned: dict[str, Any] | None = None
    changes: int = 0
    fetches: int = 0
    generation: int = 0
    arrived: int = 0
    began: tuple[str, float] | None = None
    repairs: int = 0
    told: set[str] = field(default_factory=set)
    running: list[Segment] = field(default_factory=list)
    todo: deque[Segment] = field(default_factory=deque)
    planned: bool = False
    whole_stream: bool = False
    checking: bool = False
    given_up: bool = False
    descriptor: int | None = None
    unsaved: int = 0
    saved: float = field(default_factory=time.monotonic)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def as_json(self) -> dict[str, Any]:
        """What is kept on the disk. No URL."""
        return {
            "size": self.size,
            "etag": self.etag,
            "modified": self.modified,
            "ranges": self.ranges,
            "done": merged(self.done),
            "ready": self.ready,
            "evidence": self.evidence,
            "sha256": self.sha256,
            "seen": self.seen,
            "sliced": self.sliced,
            "condemned": self.condemned,
        }

    @property
    def have(self) -> int:
        """Bytes fetched."""
        return sum(end - start for start, end in merged(self.done))

    def is_other(self, found: Object) -> bool:
        """Whether what the source has now is another object. Its date tells only where it has no ETag."""
        if (self.size, self.etag) != (found.size, found.etag):
            return True
        return self.etag is None and self.modified != found.modified

    def forget(self) -> None:
        """Begin this part anew; what still runs for the old bytes must stop."""
        self.generation += 1
        self.done, self.todo, self.planned, self.whole_stream = [], deque(), False, False


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, touching ones joined."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(tuple(span) for span in spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def gaps(spans: Iterable[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """What of `size` bytes the spans do not cover."""
    found: list[tuple[int, int]] = []
    at = 0
    for start, end in merged(spans):
        if start > at:
            found.append((at, start))
        at = max(at, end)
    if at < size:
        found.append((at, size))
    return found


def discard(folder: Path, name: str) -> None:
    """Forget a fetched part whose file has gone bad since; the next run fetches it again."""
    (folder / f"{name}.json").unlink(missing_ok=True)
    (folder / name).unlink(missing_ok=True)
    sync_folder(folder)


def _at_the_source(name: str, offset: int | None, cause: str) -> DamagedError:
    return DamagedError(
        f"{name} is damaged at the source",
        part=name,
        offset=offset,
        cause=cause,
        advice="fetching it again cannot help: ask for this part, or for a new backup",
        kept="all other parts are kept; give a source with a sound part and the restore goes on",
    )


class Transfer:
    """Fetches all parts of a source into a folder.

    :param connections: how many at once; None: as many as measurably help.
    :param patience: seconds without a single byte after which a part is given up for this run.
    :param silence: seconds without a byte after which a connection is cut and made anew.
    """

    def __init__(
        self,
        source: Source,
        folder: Path,
        events: Events,
        *,
        connections: int | None = None,
        cap: Cap | None = None,
        window: Window | None = None,
        patience: float = 600.0,
        silence: float | None = None,
    ) -> None:
        self._source = source
        self._folder = folder
        self._events = events
        self._fixed = connections
        self._connections = Connections(lambda: self._meter.total, connections)
        self._cap = cap or Cap(None)
        self._window = window
        self._patience = patience
        self._parts: list[Progress] = []
        self._remote = Remote(silence or SILENCE)
        self._work = asyncio.Event()
        self._stop_asked = False
        self._settling = threading.Lock()
        self._meter = Meter()
        self._marks = Marks(None, None)
        self._etags_are_md5 = False
        self._active = 0
        self._group: asyncio.TaskGroup | None = None

    @property
    def fetched(self) -> int:
        """Bytes that are there, those of earlier runs included."""
        return sum(progress.have for progress in self._parts)

    @property
    def arrived(self) -> int:
        """Bytes that came over the line in this run, useful or not."""
        return self._meter.total

    @property
    def rate(self) -> float:
        """Bytes per second now."""
        return self._meter.rate

    def measure(self, number: int) -> PartFetch | None:
        """What a part that is ready has cost in this run; None if it was there before."""
        progress = self._parts[number]
        if progress.began is None:
            return None
        started, began = progress.began
        seconds = time.monotonic() - began
        return PartFetch(
            progress.part.name, progress.size or 0, progress.arrived, started, seconds, progress.repairs
        )

    def stop(self) -> None:
        """End as soon as possible; may be called from another thread."""
        self._stop_asked = True

    async def run(self) -> None:
        """Fetch what is not there yet. Parts that cannot be had are told to the events; the others come.

        :raises BackupError: what the events raise, or what stops everything.
        """
        async with self._remote:
            try:
                await self._plan()
                async with asyncio.TaskGroup() as group:
                    self._group = group
                    count = self._fixed or MOST
                    workers = [group.create_task(self._worker(number)) for number in range(count)]
                    watching = [
                        group.create_task(self._connections.tune(self._work.set)),
                        group.create_task(self._watch()),
                    ]
                    await asyncio.wait(workers)
                    for task in watching:
                        task.cancel()
            except ExceptionGroup as errors:
                raise _first(errors) from errors
            finally:
                self._save_all()

    # plan

    async def _plan(self) -> None:
        """Learn what parts there are, their sizes and ETags; take up what an earlier run has fetched."""
        first = self._load(self._source.part(0))
        head: bytes
        if first.ready:
            with self._final(first).open("rb") as file:
                head = file.read(HEAD)
        else:
            head = await self._look_or_absent(first, HEAD)
        await self._tell_head(first, head)
        self._marks = read_marks(head)
        self._parts = [first]
        total = self._source.complete_list or self._marked_total(head)
        if total is not None:
            rest = [self._load(self._source.part(number)) for number in range(1, total)]
            self._parts += rest
            await self._look_all([progress for progress in rest if not progress.ready])
        else:
            await self._discover()
        if first.ready and not all(progress.ready for progress in self._parts):
            await self._demand_same(first)
        await self._tell_slices(head)
        known = [progress.size or 0 for progress in self._parts]
        self._events.planned(len(self._parts), sum(known))
        self._check_room()
        for progress in self._parts:
            if progress.ready:
                self._events.ready(progress.part, self._final(progress))

    async def _demand_same(self, first: Progress) -> None:
        """Look whether the source still has the backup that was begun: nothing in the parts would show it.

        Equal bytes may have another date and another ETag at another place, but no other size.

        :raises RefusedError: it has another one of the same name.
        """
        if first.part.url is None:
            return
        await self._open_window()
        try:
            there, _ = await self._remote.look(first.part.url, _LOOK)
        except (GoneError, DeniedError, RetryError, AbsentError):
            return  # this part is not needed any more
        if there.size in (None, first.size):
            return
        raise RefusedError(
            f"the source has another {first.part.name} than the one that was fetched",
            part=first.part.name,
            cause=f"{first.size:,} bytes were fetched, {there.size:,} are there now",
            advice="give a link to the backup that was begun; for the new one take a new folder, a new"
            " database and a new --state",
            kept="nothing was changed",
        )

    async def _tell_head(self, first: Progress, head: bytes) -> None:
        """Hand on the first bytes. No checksum covers them: a password is wrong only after a second look."""
        try:
            self._events.head(first.part, head)
        except PasswordError:
            if first.ready or (again := await self._look_or_absent(first, HEAD)) == head:
                raise
            self._repaired(first, "its first bytes came altered; asked again")
            self._events.head(first.part, again)

    async def _tell_slices(self, head: bytes) -> None:
        """Find out whether the parts are slices of one gzip stream: such a part cannot be checked alone."""
        if self._marks.size is not None or len(self._parts) == 1 or self._parts[1].given_up:
            return
        second = self._parts[1]
        start = b""
        if not second.ready:
            start = await self._look_or_absent(second, _LOOK)
        if second.sliced or are_slices(head, start):
            for progress in self._parts:
                progress.sliced = True

    @staticmethod
    def _marked_total(head: bytes) -> int | None:
        """How many parts the first one says there are (backup_format 1.7)."""
        marks = read_marks(head)
        if marks.last is not None:
            return marks.last + 1
        return 1 if marks.size is not None else None

    async def _discover(self) -> None:
        """Without a mark the set ends where the next name is not there."""
        while True:
            progress = self._load(self._source.part(len(self._parts)))
            if not progress.ready:
                try:
                    await self._look(progress, _LOOK)
                except (GoneError, DeniedError) as error:
                    await self._judge_end(progress, error)
                    return
                except DamagedError as error:
                    self._give_up(progress, error)
            self._parts.append(progress)

    async def _judge_end(self, progress: Progress, error: GoneError | DeniedError) -> None:
        """A refusal is the end of the set only if the part before can still be had: a link may have expired.

        :raises AbsentError: it is not the end.
        """
        if progress.size is None:
            try:
                await self._look(Progress(self._parts[-1].part), _LOOK)
            except (GoneError, DeniedError):
                pass
            else:
                return
        if isinstance(error, DeniedError):
            raise self._denied(progress.part, str(error)) from error
        raise self._gone(progress.part, str(error)) from error

    async def _look_all(self, parts: list[Progress]) -> None:
        gate = asyncio.Semaphore(self._fixed or FIRST * 2)

        async def one(progress: Progress) -> None:
            async with gate:
                try:
                    await self._look_or_absent(progress, _LOOK)
                except (AbsentError, DamagedError) as error:
                    self._give_up(progress, error)

        await asyncio.gather(*(one(progress) for progress in parts))

    async def _look_or_absent(self, progress: Progress, length: int) -> bytes:
        part = progress.part
        try:
            return await self._look(progress, length)
        except DeniedError as error:
            raise self._denied(part, str(error)) from error
        except GoneError as error:
            raise self._gone(part, str(error)) from error

    async def _look(self, progress: Progress, length: int) -> bytes:
        """Ask what a part is; forget bytes of another object under the same name.

        :raises DeniedError, GoneError: the server's last word.
        :raises AbsentError: it cannot be reached.
        :raises DamagedError: it is still the object that an earlier run has proved damaged.
        """
        part = progress.part
        if part.url is None:
            raise AbsentError(f"{part.name} is not in the list of parts", part=part.name)
        failures, since, why = 0, time.monotonic(), ""
        while True:
            if await self._open_window():
                since = time.monotonic()
            try:
                found, head = await self._remote.look(part.url, length)
            except RetryError as error:
                failures += 1
                why = str(error)
                if time.monotonic() - since + (error.after or 0) > self._patience:
                    raise self._unreachable(part, str(error)) from error
                await asyncio.sleep(error.after if error.after is not None else pause(failures))
            else:
                break
        if failures:
            self._repaired_once(progress, f"{why}; asked again")
        self._adopt(progress, found)
        return head

    def _adopt(self, progress: Progress, found: Object) -> None:
        if progress.is_other(found) and progress.done and not progress.planned:
            # Fetched by an earlier run; what changes during this one is for `_changed` to judge.
            progress.forget()
            self._repaired(progress, "is another object at the source than before; fetched anew")
        if progress.condemned is not None:
            if not progress.is_other(found) and (found.etag or found.modified):
                raise _at_the_source(progress.part.name, **progress.condemned)
            progress.condemned = None
        progress.size, progress.etag = found.size, found.etag
        progress.modified, progress.ranges = found.modified, found.ranges

    def _check_room(self) -> None:
        needed = sum((progress.size or 0) - progress.have for progress in self._parts if not progress.ready)
        figures = os.statvfs(self._folder)
        if needed > figures.f_bavail * figures.f_frsize:
            raise disk_full(self._folder, needed)

    # files

    def _final(self, progress: Progress) -> Path:
        return self._folder / progress.part.name

    def _partial(self, progress: Progress) -> Path:
        return self._folder / f"{progress.part.name}.partial"

    def _notes(self, progress: Progress) -> Path:
        return self._folder / f"{progress.part.name}.json"

    def _load(self, part: Part) -> Progress:
        progress = Progress(part)
        found = read_json(self._notes(progress))
        if found is None:
            return progress
        progress.size, progress.etag, progress.ranges = found["size"], found["etag"], found["ranges"]
        progress.modified = found.get("modified")
        progress.seen = found["seen"]
        progress.sliced = found.get("sliced", False)
        progress.condemned = found.get("condemned")
        final = self._final(progress)
        if found["ready"]:
            if final.is_file() and final.stat().st_size == progress.size:
                progress.ready, progress.evidence = True, found["evidence"]
                progress.sha256, progress.done = found["sha256"], [(0, progress.size or 0)]
            return progress
        if final.is_file():
            # Stopped between the two steps that finish a part: take it up as one that is not checked yet.
            final.rename(self._partial(progress))
        if self._partial(progress).is_file():
            progress.done = merged((start, end) for start, end in found["done"])
        return progress

    async def _save(self, progress: Progress) -> None:
        """Bytes to the disk first, then the note that says so."""
        async with progress.lock:
            progress.unsaved, progress.saved = 0, time.monotonic()
            progress.done = merged(progress.done)
            await asyncio.to_thread(self._settle, progress, progress.as_json())

    def _settle(self, progress: Progress, snapshot: dict[str, Any]) -> None:
        # A cancelled wait for this leaves its thread running: two must not write one note.
        with self._settling, room_for(self._folder):
            if progress.descriptor is not None:
                os.fdatasync(progress.descriptor)
                write_json(self._notes(progress), snapshot)

    def _save_all(self) -> None:
        for progress in self._parts:
            if progress.descriptor is not None:
                if not progress.ready:
                    with contextlib.suppress(AbsentError):
                        self._settle(progress, progress.as_json())
                with self._settling:
                    os.close(progress.descriptor)
                    progress.descriptor = None

    def _open(self, progress: Progress) -> int:
        if progress.descriptor is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            progress.descriptor = os.open(self._partial(progress), flags, 0o600)
        return progress.descriptor

    # workers

    def _next(self) -> tuple[Progress, Segment] | None:
        """The first piece that nobody fetches yet, in archive order; at the end half of another's piece."""
        for progress in self._parts:
            if progress.ready or progress.checking or progress.given_up or progress.whole_stream:
                continue
            if not progress.planned:
                self._lay_out(progress)
            if progress.todo:
                return progress, self._bite(progress)
        return self._share()

    @staticmethod
    def _lay_out(progress: Progress) -> None:
        progress.planned = True
        if progress.size is None or not progress.ranges:
            progress.todo = deque([Segment(0, progress.size or 0)])
            return
        progress.todo = deque(Segment(start, end) for start, end in gaps(progress.done, progress.size))

    def _bite(self, progress: Progress) -> Segment:
        """The beginning of the first gap: so long that requests cost little, so short that all connections
        work on the same part and end at the same time."""
        gap = progress.todo[0]
        if progress.size is None or not progress.ranges:
            return progress.todo.popleft()
        allowed = self._connections.allowed
        length = min(LARGEST_SEGMENT, self._connection_rate() * _SEGMENT_SECONDS, progress.size / allowed)
        length = max(SMALLEST_SEGMENT, length)
        length = int(max(_SMALLEST_TAIL, min(length, self._left() / (2 * allowed))))
        if gap.end - gap.at < length + length // 4:
            return progress.todo.popleft()
        start = gap.at
        gap.at += length
        return Segment(start, gap.at)

    def _connection_rate(self) -> float:
        return self._meter.rate / max(1, self._active)

    def _left(self) -> int:
        """Bytes still to come."""
        return max(0, sum(progress.size or 0 for progress in self._parts) - self.fetched)

    def _share(self) -> tuple[Progress, Segment] | None:
        """Take over the second half of the longest piece that another connection works on."""
        longest: tuple[Progress, Segment] | None = None
        for progress in self._parts:
            if progress.ready or progress.whole_stream or progress.given_up or progress.size is None:
                continue
            for segment in progress.running:
                if longest is None or segment.end - segment.at > longest[1].end - longest[1].at:
                    longest = progress, segment
        if longest is None:
            return None
        progress, segment = longest
        left = segment.end - segment.at
        if left < max(2 * _SMALLEST_TAIL, 2 * self._connection_rate()):
            return None
        half = Segment(segment.end - left // 2, segment.end)
        segment.end = half.at
        return progress, half

    def _unfinished(self) -> bool:
        return not self._stop_asked and any(
            not (progress.ready or progress.given_up) for progress in self._parts
        )

    async def _worker(self, number: int) -> None:
        while self._unfinished():
            found = self._next() if number < self._connections.allowed else None
            if found is None:
                self._check_idle()
                self._work.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_IDLE):
                        await self._work.wait()
                continue
            progress, segment = found
            self._active += 1
            progress.running.append(segment)
            try:
                await self._segment(progress, segment)
            except _WriteError as error:
                raise write_failure(self._folder, error.error) from error
            except BackupError as error:
                self._give_up(progress, error)
            finally:
                self._active -= 1
                progress.running.remove(segment)
                self._work.set()
            self._check_if_complete(progress)
        self._work.set()

    def _check_idle(self) -> None:
        """Parts of which an earlier run had fetched the last byte, but that were not checked."""
        for progress in self._parts:
            self._check_if_complete(progress)

    async def _segment(self, progress: Progress, segment: Segment) -> None:
        """Fetch one piece, however often it takes.

        :raises BackupError: this part is not to be had in this run.
        """
        failures, last_byte, why = 0, time.monotonic(), ""
        generation = progress.generation
        while not (progress.given_up or self._stop_asked) and progress.generation == generation:
            if await self._open_window():
                last_byte = time.monotonic()
            before = progress.arrived
            trouble = await self._try(progress, segment, generation)
            if trouble is None:
                if why:
                    self._repaired_once(progress, f"{why}; asked again for what was missing")
                return
            if self._stopped(progress, generation):
                # Its end was our own doing: the time window has closed, or the part is begun anew.
                continue
            if progress.arrived > before:
                failures, last_byte = 0, time.monotonic()
            failures += 1
            why, after = str(trouble), trouble.after
            if time.monotonic() - last_byte + (after or 0) > self._patience:
                raise self._unreachable(progress.part, why)
            await asyncio.sleep(after if after is not None else pause(failures))

    async def _try(self, progress: Progress, segment: Segment, generation: int) -> RetryError | None:
        """One request. Returns why another is needed; None if the piece is complete or no longer wanted.

        :raises BackupError: this part is not to be had in this run.
        """
        try:
            if not await self._request(progress, segment, generation):
                return RetryError("the answer ended early")
        except RetryError as error:
            if error.busy:
                self._connections.busy()
            return error
        except ChangedError:
            if progress.generation == generation and not await self._changed(progress):
                return RetryError("the server's answer did not fit the object")
        except DeniedError as error:
            segment.refusals += 1
            if segment.refusals > 1:
                raise self._denied(progress.part, str(error)) from error
            return RetryError(str(error))
        except GoneError as error:
            raise self._gone(progress.part, str(error)) from error
        return None

    async def _request(self, progress: Progress, segment: Segment, generation: int) -> bool:
        """One request for the rest of a piece. Returns whether the piece is complete."""
        url = progress.part.url or ""
        wanted = segment.end if progress.size is not None else None
        async with self._remote.request(url, segment.at, wanted, progress.etag) as response:
            if progress.generation != generation:
                return False
            if response.status == UNSATISFIABLE:
                raise ChangedError
            if response.status == PARTIAL:
                span = content_range(response)
                if span is None or span[0] != segment.at:
                    raise RetryError("the server answered with another range than the one asked for")
                if span[2] != progress.size or self._is_changed(progress, response):
                    raise ChangedError
                await self._receive(progress, segment, response, generation)
                return segment.at >= segment.end
            if response.status == OK:
                sizes = (None, progress.size)
                if self._is_changed(progress, response) or response.content_length not in sizes:
                    raise ChangedError
                return await self._receive_all(progress, response, generation)
        return False

    @staticmethod
    def _is_changed(progress: Progress, response: aiohttp.ClientResponse) -> bool:
        etag, modified = strong_etag(response.headers), response.headers.get("Last-Modified")
        if etag is not None and progress.etag is not None:
            return etag != progress.etag
        return modified is not None and progress.modified is not None and modified != progress.modified

    async def _receive(
        self, progress: Progress, segment: Segment, response: aiohttp.ClientResponse, generation: int
    ) -> None:
        since, before = time.monotonic(), segment.at
        segment.response, segment.reading_since = response, since
        async for data in response.content.iter_any():
            if progress.generation != generation:
                response.close()  # bytes of the old object must not come among the new one's
                return
            segment.reading_since = None
            left = max(0, segment.end - segment.at)
            piece = data if len(data) <= left else data[:left]
            self._write(progress, piece, segment.at)
            segment.at += len(piece)
            await self._took(progress, len(piece))
            if time.monotonic() - since > DRIP_SECONDS:
                if self._drips((segment.at - before) / (time.monotonic() - since)):
                    response.close()
                    raise RetryError("the connection was far slower than the others")
                since, before = time.monotonic(), segment.at
            if segment.at >= segment.end or self._stopped(progress, generation):
                response.close()
                return
            segment.reading_since = time.monotonic()

    async def _watch(self) -> None:
        """Cut connections that have fallen silent while others bring bytes; a silent line is waited for."""
        while True:
            before = self._meter.total
            await asyncio.sleep(STALL_SECONDS / 4)
            if self._meter.total == before and not self._stop_asked:
                continue
            latest = time.monotonic() - (0 if self._stop_asked else STALL_SECONDS)
            for progress in self._parts:
                for segment in progress.running:
                    if segment.response is not None and (segment.reading_since or latest) < latest:
                        segment.response.close()

    def _drips(self, rate: float) -> bool:
        """Whether a connection is so slow that a new one should take its place."""
        floor = _DRIP_RATE if self._cap.rate is None else 0.0
        return rate < max(floor, _DRIP_SHARE * self._connection_rate())

    async def _receive_all(
        self, progress: Progress, response: aiohttp.ClientResponse, generation: int
    ) -> bool:
        """The server sends the whole object whatever was asked for: take it as one stream."""
        progress.whole_stream = True
        progress.todo.clear()
        at = 0
        async for piece in response.content.iter_any():
            if progress.generation != generation:
                response.close()
                return False
            self._write(progress, piece, at)
            at += len(piece)
            await self._took(progress, len(piece))
            if self._stopped(progress, generation):
                response.close()
                return False
        if progress.size is None:
            os.ftruncate(self._open(progress), at)
            progress.size = at
        return at >= progress.size

    def _write(self, progress: Progress, piece: bytes, at: int) -> None:
        descriptor = self._open(progress)
        view = memoryview(piece)
        start = at
        while view:
            try:
                count = os.pwrite(descriptor, view, at)
            except OSError as error:
                raise _WriteError(error) from error
            view, at = view[count:], at + count
        progress.done.append((start, at))

    async def _took(self, progress: Progress, count: int) -> None:
        self._meter.add(count)
        progress.began = progress.began or (now(), time.monotonic())
        progress.arrived += count
        progress.unsaved += count
        enough = SAVE_EVERY * max(1, len(progress.running))
        due = progress.unsaved >= enough or time.monotonic() - progress.saved > _SAVE_SECONDS
        if due and (progress.unsaved >= 2 * enough or not progress.lock.locked()):
            await self._save(progress)
        await self._cap.spend(count)

    def _stopped(self, progress: Progress, generation: int) -> bool:
        closed = self._window is not None and self._window.opens_in(local_time()) > 0
        old = progress.given_up or progress.generation != generation
        return old or closed or self._stop_asked

    async def _open_window(self) -> bool:
        """Wait until the time window is open. Returns whether that was needed."""
        waited = False
        while self._window is not None:
            seconds = self._window.opens_in(local_time())
            if seconds <= 0:
                break
            waited = True
            self._events.waiting(seconds)
            await nap(min(seconds, _LONGEST_NAP))
        if waited:
            self._events.waiting(0)
        return waited

    async def _changed(self, progress: Progress) -> bool:
        """An answer does not fit what was begun. If the object is another one, begin this part anew."""
        generation = progress.generation
        before = Object(progress.size, progress.etag, progress.modified, progress.ranges)
        await self._look_or_absent(progress, _LOOK)
        if progress.generation != generation:
            return True
        if not progress.is_other(before):
            return False
        if progress.changes >= _CHANGES:
            raise AbsentError(
                f"{progress.part.name} keeps changing at the source",
                part=progress.part.name,
                advice="wait until the source has written it, then start the same command again",
            )
        progress.changes += 1
        self._begin_anew(progress)
        self._repaired(progress, "changed at the source while it was fetched; begun anew")
        return True

    def _begin_anew(self, progress: Progress) -> None:
        progress.forget()
        os.ftruncate(self._open(progress), 0)

    # completion

    def _check_if_complete(self, progress: Progress) -> None:
        if progress.ready or progress.checking or progress.given_up or progress.running or progress.todo:
            return
        if progress.size is None or gaps(progress.done, progress.size):
            progress.planned = progress.whole_stream = False
            return
        if self._group is not None:
            progress.checking = True
            self._group.create_task(self._judge(progress))

    async def _judge(self, progress: Progress) -> None:
        """All bytes of a part are there: check it, then believe it, fetch it again, or give it up."""
        try:
            descriptor = self._open(progress)
            await self._save(progress)
            finding = await asyncio.to_thread(
                check,
                self._partial(progress),
                progress.part.name,
                progress.size,
                progress.etag,
                sliced=progress.sliced,
            )
            progress.fetches += 1
            trouble = self._trouble(progress, finding)
            if trouble is None:
                self._compare_marks(progress)
                progress.evidence, progress.sha256, progress.ready = finding.evidence, finding.sha256, True
                progress.descriptor = None
                os.close(descriptor)
                await asyncio.to_thread(self._finish, progress)
                self._events.ready(progress.part, self._final(progress))
                return
            self._begin_anew(progress)
            if isinstance(trouble, BackupError):
                await self._save(progress)
                self._give_up(progress, trouble)
            else:
                self._repaired(progress, trouble)
        finally:
            progress.checking = False
            self._work.set()

    def _compare_marks(self, progress: Progress) -> None:
        """The set was planned by bytes that no checksum covers; this is their second coming.

        :raises AbsentError: they differ.
        """
        if progress.part.number != 0 or self._source.complete_list is not None:
            return
        with self._partial(progress).open("rb") as file:
            found = read_marks(file.read(MARKS_LENGTH))
        if found != self._marks:
            raise AbsentError(
                f"{progress.part.name} came with another number of parts than before",
                part=progress.part.name,
                cause="its first bytes differ in two answers: something on the network path alters data",
                advice="start the same command again: this part is asked for once more",
                kept=self._kept(),
            )

    def _finish(self, progress: Progress) -> None:
        with self._settling, room_for(self._folder):
            self._partial(progress).rename(self._final(progress))
            sync_folder(self._folder)
            write_json(self._notes(progress), progress.as_json())

    def _trouble(self, progress: Progress, finding: Finding) -> BackupError | str | None:
        """None: the part is good. Text: fetch it again, for this reason. An error: give it up."""
        name = progress.part.name
        twice = finding.sha256 in progress.seen
        self._etags_are_md5 |= finding.etag_equal is True
        if finding.error is None:
            return self._compare_etag(progress, finding, twice=twice)
        error = finding.error
        progress.seen.append(finding.sha256)
        count = progress.fetches
        if finding.etag_equal or twice:
            proof = "two fetches gave the same bytes"
            if finding.etag_equal:
                proof = "our copy equals the server's ETag"
            progress.condemned = {"offset": error.offset, "cause": f"{error.cause}; {proof}"}
            return _at_the_source(name, **progress.condemned)
        if count >= _FETCHES:
            return DamagedError(
                f"{name} arrives damaged",
                part=name,
                offset=error.offset,
                cause=f"{count} of {count} fetches were damaged, each in another way; last: {error.cause}",
                advice="something on the network path alters data: try from another network",
                kept="all other parts are kept; start the same command again",
            )
        return f"arrived damaged ({error.cause}); fetched again"

    def _compare_etag(self, progress: Progress, finding: Finding, *, twice: bool) -> BackupError | str | None:
        """Judge a part in which nothing is wrong, but that may differ from what the server's ETag says.

        Many servers' ETags only look like an MD5: a difference counts where another part's was one.
        """
        if finding.etag_equal is not False or (finding.evidence != "structure" and not self._etags_are_md5):
            return None
        if not twice:
            progress.seen.append(finding.sha256)
            return "differs from the server's ETag; fetched again to compare"
        if finding.evidence != "structure" or not self._etags_are_md5:
            return None
        return DamagedError(
            f"{progress.part.name} arrives damaged",
            part=progress.part.name,
            cause="two fetches gave the same bytes, and not those of the server's ETag, which is a true MD5",
            advice="something on the way from the storage alters it: try from another network",
            kept="all other parts are kept",
        )

    def _repaired_once(self, progress: Progress, what: str) -> None:
        """Tell of a fault that may come often: once for each part and kind."""
        if what not in progress.told:
            progress.told.add(what)
            self._repaired(progress, what)

    def _repaired(self, progress: Progress, what: str) -> None:
        progress.repairs += 1
        self._events.repaired(what, progress.part.name)

    def _give_up(self, progress: Progress, error: BackupError) -> None:
        progress.given_up = True
        progress.todo.clear()
        self._events.failed(progress.part, error)

    def _kept(self) -> str:
        ready = sum(progress.ready for progress in self._parts)
        return f"nothing is lost: {ready} of {len(self._parts)} parts are done, the rest goes on from there"

    def _denied(self, part: Part, why: str) -> AbsentError:
        return AbsentError(
            f"the source refuses {part.name}",
            part=part.name,
            cause=f"{why}: the link has expired or is not allowed to read this part",
            advice="get a fresh link and start the same command with it as SOURCE",
            kept=self._kept(),
        )

    def _gone(self, part: Part, why: str) -> AbsentError:
        return AbsentError(
            f"{part.name} is not at the source",
            part=part.name,
            cause=why,
            advice="check the source's list of parts, or ask for this part again",
            kept=self._kept(),
        )

    def _unreachable(self, part: Part, why: str) -> AbsentError:
        return AbsentError(
            f"{part.name} cannot be fetched",
            part=part.name,
            cause=f"{why}; it was tried for {self._patience:.0f} s without a byte",
            advice="when the source can be reached again, start the same command",
            kept=self._kept(),
        )
