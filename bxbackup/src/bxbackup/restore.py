"""The whole way from SOURCE to folder and database: all rooms at once, each going on where it stopped."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bxbackup.baseline import write_baseline
from bxbackup.cipher import Decryption
from bxbackup.comparison import REPORT, Comparison, compare_uploads
from bxbackup.crew import LoadProgress
from bxbackup.depth import Depth
from bxbackup.durable import disk_full, read_json, write_failure
from bxbackup.errors import AbsentError, BackupError, DamagedError, PasswordError, RefusedError
from bxbackup.feed import Feed
from bxbackup.load import LoadOptions, check_target, load_feed
from bxbackup.measures import Line, Measures, PartUnpack
from bxbackup.ownership import Ownership
from bxbackup.pace import Cap, Window
from bxbackup.remaining import Remaining
from bxbackup.reuse import Earlier
from bxbackup.source import Part, Source
from bxbackup.state import State, now
from bxbackup.status import Status
from bxbackup.target import Target
from bxbackup.transfer import Transfer, discard
from bxbackup.unpacking import Unpacking, checkpoint_exists, open_cipher, suspect_files
from bxbackup.uploads import MIRRORS, UploadCounts, Uploads, find_list, missing_before
from bxbackup.volume import peek, peek_bytes, read_marks

_TICK = 1.0
_ORDER = (1, 6, 5, 2, 3, 4, 7)


@dataclass(frozen=True)
class Options:
    """What the user asked for.

    :param password: of the backup; None if none was given.
    :param connections: None: as many as measurably help.
    """

    source: Source
    to: Path
    database: str
    state: State
    password: str | None = None
    defaults_file: Path | None = None
    collation: str | None = None
    time_zone: str = "+00:00"
    connections: int | None = None
    cap: Cap = field(default_factory=lambda: Cap(None))
    window: Window | None = None
    patience: float = 600.0
    mirrors: tuple[str, ...] = MIRRORS
    allow_missing_uploads: bool = False
    allow_suspect_files: bool = False
    ownership: Ownership = field(default_factory=Ownership)
    depth: Depth = Depth.HASHES
    earlier: Earlier | None = None


class Shelf:
    """Where checked parts wait for the unpacking."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ready: dict[int, Path] = {}
        self._missing: dict[int, BackupError] = {}
        self._total: int | None = None
        self._stopped: BackupError | None = None
        self._decryption: Decryption | None = None
        self._opened = False

    def opened(self, decryption: Decryption | None) -> None:
        """The first bytes are known: how to decrypt the archive, if it is encrypted."""
        with self._changed:
            self._decryption, self._opened = decryption, True
            self._changed.notify_all()

    def planned(self, total: int) -> None:
        """How many parts there are."""
        with self._changed:
            self._total = total
            self._changed.notify_all()

    def put(self, number: int, path: Path) -> None:
        """A part is there."""
        with self._changed:
            self._ready[number] = path
            self._changed.notify_all()

    def missing(self, number: int, error: BackupError) -> None:
        """A part will not come."""
        with self._changed:
            self._missing[number] = error
            self._changed.notify_all()

    def stop(self, error: BackupError) -> None:
        """Nothing more will come."""
        with self._changed:
            self._stopped = self._stopped or error
            self._changed.notify_all()

    def decryption(self) -> Decryption | None:
        """Wait for the first bytes.

        :raises BackupError: they will not come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._opened or self._stopped is not None)
            if not self._opened and self._stopped is not None:
                raise self._stopped
            return self._decryption

    def take(self, number: int) -> Path | None:
        """Wait for a part. None: the set has no such part, all were taken.

        :raises BackupError: it will not come.
        """

        def known() -> bool:
            return (
                number in self._ready
                or number in self._missing
                or (self._total is not None and number >= self._total)
                or self._stopped is not None
            )

        with self._changed:
            self._changed.wait_for(known)
            if number in self._ready:
                return self._ready[number]
            if number in self._missing:
                raise self._missing[number]
            if self._total is not None and number >= self._total:
                return None
            if self._stopped is not None:
                raise self._stopped
            raise AssertionError


class Restore:
    """One run of `restore`."""

    def __init__(self, options: Options, say: Callable[[Status], None]) -> None:
        self._options = options
        self._state = options.state
        self._say = say
        self._status = Status()
        self._shelf = Shelf()
        self.done_before = False
        self._errors: list[BackupError] = []
        self._crash: Exception | None = None
        self._lock = threading.Lock()
        self._feed = Feed(options.state.dump)
        self._unpacked = threading.Event()
        self._abandoned = threading.Event()
        self._uploads: Uploads | None = None
        self._had: dict[str, int] | None = None
        self._transfer: Transfer | None = None
        self._measures = Measures(options.state.measures)
        self._line: Line | None = None
        self._unpacking: Unpacking | None = None
        self._compared: Comparison | None = None
        self._remaining = Remaining()
        self._volume_size: int | None = None

    @property
    def came_late(self) -> int | None:
        """How many uploads came that an earlier run had left missing; None if it was not about them."""
        return self._uploads.counts.there if self._had is not None and self._uploads is not None else None

    @property
    def status(self) -> Status:
        """The figures of this run."""
        return self._status

    def run(self) -> None:
        """Restore. Everything that could be done is done before an error is raised.

        :raises BackupError: the one that matters most; damaged wins over absent.
        """
        options, state = self._options, self._state
        self._refuse_others()
        state.check(options.to)
        database = check_target(
            options.database, options.defaults_file, state.load, options.collation, options.time_zone
        )
        state.claim(options.to)
        state.note(backup=options.source.first, database=options.database)
        for folder in (state.parts, state.dump, state.load):
            folder.mkdir(mode=0o700, exist_ok=True)
        finished = bool(state.mark().get("finished"))
        stands = database is Target.OURS and next(options.to.iterdir(), None) is not None
        self._go_on_from_status(finished=finished and stands)
        if finished and stands:
            self._already_done()
            return
        if finished:
            # Someone has dropped what was restored, and wants it once more.
            state.note(finished=None)
        self._work(
            transfer=self._fetch, unpack=self._unpack, load=self._load_dump, uploads=self._fetch_uploads
        )
        if not self._errors and self._crash is None:
            self._work(compare=self._compare)
        self._end()

    def _work(self, **rooms: Callable[[], None]) -> None:
        """Let rooms work, all at once, until each has ended."""
        threads = [
            threading.Thread(target=self._guard, args=(room,), name=name, daemon=True)
            for name, room in rooms.items()
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(_TICK / len(threads))
            self._tick()

    def stopped(self, code: int) -> None:
        """The run was interrupted by a signal: say so in the status."""

        def change(status: Status) -> None:
            status.state, status.exit = "failed", code
            status.error = {"exit": code, "what": "stopped from outside", "kept": "start it again to go on"}

        self._status.change(change)
        self._status.write(self._state.status)

    # before and after

    def _refuse_others(self) -> None:
        mark = self._state.mark()
        for key, value, what in (
            ("backup", self._options.source.first, "backup"),
            ("database", self._options.database, "database"),
        ):
            if mark.get(key) not in (None, value):
                raise RefusedError(
                    f"the state folder {self._state.folder} belongs to the {what} {mark[key]}",
                    advice=f"give another --state for {value}",
                )

    def _go_on_from_status(self, *, finished: bool) -> None:
        """Take over what the last run has written for whoever watches; none of our own work rests on it."""
        try:
            found = read_json(self._state.status)
            if found is not None:
                self._status.go_on_from(found, finished=finished)
        except (KeyError, TypeError, ValueError, RefusedError):
            logging.getLogger("bxbackup").debug("the last status is not readable", exc_info=True)

    def _already_done(self) -> None:
        """Nothing is to do, but for uploads that were allowed to be missing: there may be some by now."""
        missing, listing = missing_before(self._state.folder), find_list(self._state.dump)
        if missing and listing is not None:
            unknown = asdict(UploadCounts(total=len(missing), missing=len(missing)))
            self._had = self._status.extra.get("uploads", unknown)
            self._work(uploads=lambda: self._fetch_listed(listing, lambda _: True, missing))
            self._end()
            return
        self.done_before = True
        if not self._state.status.exists():
            self._status.state, self._status.exit = "done", 0
            self._status.write(self._state.status)

    def _end(self) -> None:
        if self._crash is not None:
            self._finish_status(1, None)
            raise self._crash
        if self._errors:
            error = min(self._errors, key=lambda found: _ORDER.index(found.exit_code))
            self._finish_status(error.exit_code, error)
            raise error
        self._finish_status(0, None)
        self._state.note(finished=now())

    def _finish_status(self, code: int, error: BackupError | None) -> None:
        def change(status: Status) -> None:
            status.state, status.exit = ("done" if code == 0 else "failed"), code
            status.remaining, status.part, status.table = None, None, None

        if error is not None:
            self._status.failed(error)
        self._tick()
        self._status.change(change)
        self._status.write(self._state.status)
        self._say(self._status)

    def _guard(self, room: Callable[[], None]) -> None:
        """Run one room. Its error does not stop the others, unless nothing they do could be of use."""
        try:
            room()
        except BackupError as error:
            self._note(error)
        except OSError as error:
            self._note(write_failure(self._state.folder, error))
            logging.getLogger("bxbackup").debug("in the %s", room.__name__.strip("_"), exc_info=True)
        except Exception as error:
            logging.getLogger("bxbackup").exception("a fault of bxbackup in the %s", room.__name__.strip("_"))
            self._crash = self._crash or error
            self._abandon(AbsentError("stopped by a fault elsewhere"))

    def _note(self, error: BackupError) -> None:
        with self._lock:
            if error not in self._errors:
                self._errors.append(error)
        self._status.failed(error)
        if isinstance(error, (RefusedError, PasswordError)):
            self._abandon(error)

    def _abandon(self, error: BackupError) -> None:
        self._abandoned.set()
        self._shelf.stop(error)
        self._feed.end(whole=False)
        self._unpacked.set()
        if self._transfer is not None:
            self._transfer.stop()

    # rooms

    def _fetch(self) -> None:
        source = self._options.source
        try:
            if source.remote:
                self._transfer = Transfer(
                    source,
                    self._state.parts,
                    self,
                    connections=self._options.connections,
                    cap=self._options.cap,
                    window=self._options.window,
                    patience=self._options.patience,
                )
                transfer = self._transfer
                self._line = Line(lambda: transfer.arrived, self._measures.add)
                asyncio.run(transfer.run())
            else:
                self._take_local(source.listed or [])
        except BackupError as error:
            self._shelf.stop(error)
            raise
        finally:
            if self._line is not None:
                self._line.end()
            self._shelf.stop(AbsentError("the transfer has ended"))

    def _take_local(self, parts: list[Part]) -> None:
        """Parts that lie on this machine are read where they are."""
        by_number = {part.number: part for part in parts}
        first = by_number.get(0)
        if first is None or first.path is None:
            raise AbsentError(f"the first part, {self._options.source.first}, is missing")
        with first.path.open("rb") as file:
            marks = read_marks(file.read(64))
        self._volume_size = marks.size
        self._shelf.opened(open_cipher(peek(first.path, 512), first.name, self._options.password))
        total = max(*by_number, marks.last or 0) + 1
        sizes = {
            number: part.path.stat().st_size for number, part in by_number.items() if part.path is not None
        }
        self.planned(total, sum(sizes.values()))
        for number in range(total):
            part = by_number.get(number)
            if part is None or part.path is None:
                lost = self._options.source.part(number)
                self.failed(
                    lost,
                    AbsentError(
                        f"{lost.name} is missing",
                        part=lost.name,
                        advice="put it beside the others and start again",
                    ),
                )
            else:
                self._status.fetched += sizes[number]
                self.ready(part, part.path)

    def _unpack(self) -> None:
        try:
            self._unpack_parts()
        finally:
            self._feed.end(whole=self._unpacking is not None and self._unpacking.finished)
            self._unpacked.set()

    def _unpack_parts(self) -> None:
        state = self._state
        work = Unpacking(
            state.folder,
            {"site": self._options.to, "dump": state.dump, "list": state.dump},
            self._options.source.first,
            self._shelf.decryption(),
            ownership=self._options.ownership,
            earlier=self._options.earlier,
        )
        self._unpacking = work
        try:
            self._follow(work)
            self._status.parts["unpacked"] = work.next
            while (path := self._shelf.take(work.next)) is not None:
                if self._abandoned.is_set():
                    return
                self._status.part = path.name
                self._take(work, path)
                self._follow(work)
                self._status.parts["unpacked"] = work.next
            if not work.finish():
                raise AbsentError(
                    "the archive ends in the middle of an entry",
                    advice="its last parts are missing at the source",
                    kept="nothing is lost: when they are there, start the same command again",
                )
            self._follow(work)
            self._remark(work.remarks())
        finally:
            self._status.files = work.counts.files
            work.close()
        if not work.dump_passed:
            raise AbsentError(
                "the backup holds no database dump",
                advice="ask for a backup with the database; for files alone use: bxbackup unpack",
                kept="all files are unpacked",
            )
        if work.problems:
            self._status.extra["suspect"] = work.problems
            if not self._options.allow_suspect_files:
                raise suspect_files(work.problems)

    def _follow(self, work: Unpacking) -> None:
        """Let the load have what is unpacked of the dump."""
        dumps = work.dumps()
        self._feed.grown(dumps, passed=work.dump_passed and bool(dumps))

    def _take(self, work: Unpacking, path: Path) -> None:
        started, began = now(), time.monotonic()
        try:
            size = work.take(path, path.name)
        except DamagedError as error:
            if self._options.source.remote:
                # It was whole when it came, so the disk has altered it.
                discard(self._state.parts, path.name)
                error.advice = "look at the disk; start the same command again and this part is fetched again"
            raise
        seconds = time.monotonic() - began
        self._remaining.unpacked(seconds)
        self._measures.add(PartUnpack(path.name, size, started, seconds))

    def _load_dump(self) -> None:
        """Load the dump while it is unpacked."""
        options = self._options
        loaded = load_feed(
            self._feed,
            LoadOptions(
                options.database,
                options.defaults_file,
                options.collation,
                options.time_zone,
                self._state.load,
                progress=self._loading,
                measured=self._measures.add,
            ),
        )
        if loaded is None:
            return  # what has stopped the rooms before is an error of theirs
        result = loaded

        def change(status: Status) -> None:
            status.tables_total = status.tables_loaded = result.tables
            status.rows = result.rows

        self._status.change(change)
        self._remark(loaded.remarks())
        write_baseline(
            self._state.baseline,
            load=loaded.identity,
            dump_dir=self._state.dump,
            database=options.database,
            defaults_file=options.defaults_file,
            time_zone=loaded.time_zone,
        )

    def _fetch_uploads(self) -> None:
        """Fetch the files that the backup only lists, once all that it holds is unpacked."""
        self._unpacked.wait()
        work, listing = self._unpacking, find_list(self._state.dump)
        if self._abandoned.is_set() or work is None or not work.finished or listing is None:
            return
        self._fetch_listed(listing, lambda path: work.wrote(b"upload/" + os.fsencode(path)))

    def _fetch_listed(
        self, listing: Path, unpacked: Callable[[str], bool], only: Collection[str] | None = None
    ) -> None:
        options = self._options
        self._uploads = Uploads(
            listing,
            options.to / "upload",
            self._state.folder,
            options.mirrors,
            unpacked=unpacked,
            repaired=self.repaired,
            connections=options.connections,
            cap=options.cap,
            window=options.window,
            patience=options.patience,
            stopped=self._abandoned.is_set,
            ownership=options.ownership,
            earlier=options.earlier,
            only=only,
        )
        try:
            asyncio.run(self._uploads.run())
        except AbsentError:
            if not (options.allow_missing_uploads and self._uploads.counts.missing):
                raise

    def _compare(self) -> None:
        """Compare the uploads with what the database says of them; a content that differs is damage."""
        options = self._options

        def compared(found: Comparison) -> None:
            self._compared = found
            if found.rows:
                self._status.extra["compared"] = asdict(found)

        found = compare_uploads(
            options.to,
            self._state.folder,
            database=options.database,
            defaults_file=options.defaults_file,
            depth=options.depth,
            progress=compared,
        )
        compared(found)
        report = self._state.folder / REPORT
        self._remark(found.remarks(report))
        suspect = found.suspect(report)
        if suspect is not None and not options.allow_suspect_files:
            raise suspect

    # events of the transfer

    def head(self, first: Part, data: bytes) -> None:
        """Check the password before anything else is fetched."""
        try:
            start = peek_bytes(data, first.name, 512)
        except DamagedError:
            # Judged when the whole part is there.
            start = b""
        self._volume_size = read_marks(data).size
        self._shelf.opened(open_cipher(start, first.name, self._options.password))

    def planned(self, total: int, size: int) -> None:
        """Know the whole; look whether there is room for it."""
        self._status.parts["total"] = total
        self._status.size = size
        self._check_room(total)
        self._shelf.planned(total)

    def _check_room(self, total: int) -> None:
        """Say before anything is fetched that the disk cannot hold it; the database comes on top of this."""
        if self._volume_size is None or checkpoint_exists(self._state.folder):
            return
        target = self._options.to
        figures = os.statvfs(target)
        needed = self._volume_size * total
        if self._options.source.remote and target.stat().st_dev == self._state.folder.stat().st_dev:
            needed += max(0, (self._status.size or 0) - (self._transfer.fetched if self._transfer else 0))
        earlier = self._options.earlier
        if earlier is not None and earlier.folder.stat().st_dev == target.stat().st_dev:
            needed -= earlier.size
        if total > 1 and needed > figures.f_bavail * figures.f_frsize:
            raise disk_full(target, needed)

    def ready(self, part: Part, path: Path) -> None:
        """Hand a part on."""
        for key in ("fetched", "verified"):
            self._status.parts[key] = (self._status.parts[key] or 0) + 1
        self._shelf.put(part.number, path)
        spent = self._transfer.measure(part.number) if self._transfer is not None else None
        if spent is not None:
            self._measures.add(spent)

    def failed(self, part: Part, error: BackupError) -> None:
        """Remember that a part will not come."""
        with self._lock:
            self._errors.append(error)
        self._status.failed(error)
        self._shelf.missing(part.number, error)

    def repaired(self, what: str, part: str) -> None:
        """Enter a repair."""
        self._status.repaired(what, part)

    def waiting(self, seconds: float) -> None:
        """Show that the time window is closed."""
        self._status.state = "waiting" if seconds else "running"

    # figures

    def _remark(self, remarks: Iterable[str]) -> None:
        def change(status: Status) -> None:
            status.extra["remarks"] = [*status.extra.get("remarks", []), *remarks]

        self._status.change(change)

    def _loading(self, progress: LoadProgress) -> None:
        self._remaining.loaded(progress)

        def change(status: Status) -> None:
            status.tables_total, status.tables_loaded = progress.tables, progress.loaded
            status.rows, status.table = progress.rows, progress.table

        self._status.change(change)

    def _tick(self) -> None:
        status = self._status
        if self._transfer is not None:
            status.rate, status.fetched = self._transfer.rate, self._transfer.fetched
        if self._line is not None:
            self._line.look(waiting=status.state == "waiting")
        if self._unpacking is not None:
            status.files = self._unpacking.counts.files
        if self._uploads is not None:
            status.extra["uploads"] = asdict(self._uploads.counts.beside(self._had))
        status.remaining = self._seconds_left()
        status.write(self._state.status)
        self._say(status)

    def _seconds_left(self) -> float | None:
        status = self._status
        left = self._remaining.seconds(
            missing=(status.size or 0) - status.fetched,
            rate=status.rate,
            volumes=(status.parts["total"] or 0) - (status.parts["unpacked"] or 0),
        )
        compared = self._compared.remaining if self._compared is not None else None
        return max((found for found in (left, compared) if found is not None), default=None)
