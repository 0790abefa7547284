"""Volumes to files: joins volume, cipher, tarstream and unpack; a durable checkpoint after each volume."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bxbackup.ahead import Ahead
from bxbackup.cipher import SERVICE_BLOCK, Decryption, password_needed, read_service_block, unlock
from bxbackup.durable import read_json, room_for, write_json
from bxbackup.errors import AbsentError, DamagedError, RefusedError
from bxbackup.evidence import fetch_note
from bxbackup.feed import Piece
from bxbackup.ownership import Ownership
from bxbackup.reuse import Earlier
from bxbackup.source import part_name, split_name
from bxbackup.tarstream import Position, TarParser
from bxbackup.unpack import Counts, Room, Unpacker, shown_name
from bxbackup.volume import MARKS_LENGTH, Slices, VolumeReader, are_slices

CHECKPOINT = "unpack.json"
LISTING = "files.jsonl"
_FORMAT = 1
_SHOWN = 5
_AHEAD = 4
_MOST_BEHIND = 3
_REST = 0.5


def checkpoint_exists(state: Path) -> bool:
    """Whether an unpacking has begun with this state folder."""
    return (state / CHECKPOINT).is_file()


def open_cipher(head: bytes, part: str, password: str | None) -> Decryption | None:
    """What decrypts the archive; None for a plain one.

    :param head: the first 512 uncompressed bytes of the first volume, whose name is `part`.
    :raises PasswordError: a password is needed and missing or wrong.
    """
    service = read_service_block(head)
    if service is None:
        return None
    if password is None:
        raise password_needed(part)
    return unlock(service, password)


def plain(blocks: Iterable[bytes], number: int, decryption: Decryption | None) -> Iterable[bytes]:
    """Bytes of the tar stream from the uncompressed bytes of volume `number`."""
    if decryption is None:
        yield from blocks
        return
    decrypt = decryption.decryptor()
    skip = SERVICE_BLOCK if number == 0 else 0
    for block in blocks:
        dropped, skip = block[skip:], max(0, skip - len(block))
        if dropped:
            yield decrypt(dropped)


def sliced(first: Path) -> bool:
    """Whether the first volume and the next are slices of one gzip stream.

    What the transfer has noted counts; without a note the next volume has to lie beside the first.
    """
    note = fetch_note(first)
    if note is not None:
        return bool(note.get("sliced"))
    second = first.with_name(part_name(split_name(first.name)[0], 1))
    if split_name(first.name)[1] or not second.is_file():
        return False
    with first.open("rb") as one, second.open("rb") as other:
        return are_slices(one.read(MARKS_LENGTH), other.read(MARKS_LENGTH))


@dataclass
class Unpacking:
    """Unpacks volume after volume and remembers durably how far it came.

    While a volume is made durable, the next ones are unpacked already: a disk that is slower than the rest
    does not hold it up. Volumes that take no time get one checkpoint for several. A stop loses at most these
    few.

    :param state: folder for the checkpoint and the list of files.
    :param rooms: see `Unpacker`.
    :param identity: what tells this backup from another; a checkpoint of another one is refused.
    :param ownership: of the unpacked files; None: this process's own.
    :param earlier: release whose uploads are linked to where they are the same.
    :param progress: told the compressed bytes taken so far in the volume in hand.
    """

    state: Path
    rooms: dict[Room, Path]
    identity: str
    decryption: Decryption | None
    ownership: Ownership | None = None
    earlier: Earlier | None = None
    progress: Callable[[int], None] | None = None
    next: int = 0
    finished: bool = False
    _unpacker: Unpacker = field(init=False)
    _parser: TarParser = field(init=False)
    _settler: ThreadPoolExecutor = field(init=False)
    _settling: Future[None] | None = None
    _behind: int = 0
    _begun: float = field(default_factory=time.monotonic)
    _waiting: tuple[Callable[[], None], dict[str, Any]] | None = None
    _sliced: bool = False
    _slices: Slices | None = None

    def __post_init__(self) -> None:
        self._settler = ThreadPoolExecutor(1, "durable")
        found = read_json(self.state / CHECKPOINT)
        if found is not None and found["identity"] != self.identity:
            raise RefusedError(
                f"{self.state} belongs to the backup {found['identity']}",
                advice="give another --state, or remove that folder together with what it restored",
            )
        if found is not None and self._emptied():
            found = None
        if found is None:
            (self.state / LISTING).unlink(missing_ok=True)
        self._unpacker = self._new_unpacker()
        position = Position()
        if found is not None:
            position = Position.from_json(found["position"])
            try:
                self._unpacker.go_on(found["unpacker"], position.entry)
            except RefusedError:
                self._unpacker.close()
                (self.state / LISTING).unlink(missing_ok=True)
                self._unpacker = self._new_unpacker()
                position = Position()
            else:
                self._demand_tops()
                self.next, self._sliced = found["next"], found.get("sliced", False)
        self._parser = TarParser(self._unpacker, position)

    def _emptied(self) -> bool:
        """Whether nothing is left of the files that were unpacked: someone wants them once more."""
        if next(self.rooms["site"].iterdir(), None) is not None or not (self.state / LISTING).is_file():
            return False
        with (self.state / LISTING).open("rb") as listing:
            return any(json.loads(line)["room"] in ("site", "folder") for line in listing)

    def _new_unpacker(self) -> Unpacker:
        return Unpacker(self.rooms, self.state / LISTING, self.ownership, self.earlier)

    def _demand_tops(self) -> None:
        """Look whether what was unpacked is there, roughly: going on must not pass off a part as the whole.

        :raises RefusedError: a file or folder at the top is gone.
        """
        gone = self._unpacker.gone()
        if gone is not None:
            self._unpacker.close()
            raise RefusedError(
                f"{shown_name(gone)} in {self.rooms['site']} was removed since the last run",
                advice="empty the folder and start the same command again: it is unpacked anew, and no part"
                " is fetched again",
                kept="nothing was changed",
            )

    @property
    def dump_passed(self) -> bool:
        """Whether every file of the dump has been written."""
        return self._unpacker.dump_passed

    def dumps(self) -> list[Piece]:
        """The dump's files. Between two volumes all that they hold comes from volumes that were whole.

        Of slices of one gzip stream only its end shows that: before it there are none.
        """
        return [] if self._sliced and not self.finished else self._unpacker.dumps()

    @property
    def counts(self) -> Counts:
        """How much was unpacked so far."""
        return self._unpacker.counts

    @property
    def problems(self) -> list[dict[str, Any]]:
        """What is suspect in the archive: kind, offset, length, path, text, the part where it was seen."""
        return self._unpacker.problems

    def remarks(self) -> list[str]:
        """What a person should know of the archive though nothing is wrong with it."""
        return self._unpacker.remarks()

    def wrote(self, path: bytes) -> bool:
        """Whether a path below the target came with the archive."""
        return self._unpacker.wrote(path)

    def take(self, path: Path, name: str) -> int:
        """Unpack the next volume from its file and begin to make it durable. Returns its uncompressed bytes.

        After an error this object is of no more use: a new one goes on after the last volume that was taken.

        :raises DamagedError: the volume is damaged.
        :raises RefusedError: an entry is unsafe.
        :raises AbsentError: the disk is full.
        """
        if self.next == 0:
            self._sliced = sliced(path)
        if self._sliced and self._slices is None:
            self._slices = self._reread(path)
        known = len(self.problems)
        with path.open("rb") as file, room_for(self.rooms["site"]):
            reader = VolumeReader(file, name, slices=self._slices)
            with Ahead(plain(reader.blocks(), self.next, self.decryption), _AHEAD) as blocks:
                for block in blocks:
                    self._parser.feed(block)
                    if self.progress is not None:
                        self.progress(reader.compressed)
        for problem in self.problems[known:]:
            problem["part"] = name
        self.next += 1
        self._behind += 1
        self._waiting = self._unpacker.sync(), self._snapshot()
        if self._behind > _MOST_BEHIND or self._is_due():
            self._checkpoint()
        return reader.uncompressed

    def _reread(self, path: Path) -> Slices:
        """Bring the decoder of one gzip stream to the part in hand: its state cannot be kept on the disk.

        :raises AbsentError: a part before is no longer there.
        """
        slices = Slices()
        first = split_name(path.name)[0]
        for number in range(self.next):
            before = path.with_name(part_name(first, number))
            if not before.is_file():
                raise AbsentError(
                    f"{before.name} is missing",
                    part=before.name,
                    cause="the parts are slices of one gzip stream: going on needs those before",
                )
            with before.open("rb") as file:
                for _ in VolumeReader(file, before.name, slices=slices).blocks():
                    pass
        return slices

    def finish(self) -> bool:
        """All volumes were taken and are durable. Returns whether the stream ended between two entries."""
        self._checkpoint()
        self._settled()
        self.finished = self._parser.close() and (self._slices is None or self._slices.whole)
        self._unpacker.dump_ends()
        return self.finished

    def close(self) -> None:
        """Give back all descriptors, when all volumes that were taken are durable."""
        # After `finish` nothing is left to do; before it, the error that led here is the one that counts.
        with contextlib.suppress(AbsentError, OSError):
            self._checkpoint()
            self._settled()
        self._settler.shutdown()
        self._unpacker.close()

    def _is_due(self) -> bool:
        """Whether enough was done since the last checkpoint, and the disk is done with that one."""
        rested = time.monotonic() - self._begun >= _REST
        return rested and (self._settling is None or self._settling.done())

    def _checkpoint(self) -> None:
        self._settled()
        self._behind, self._begun = 0, time.monotonic()
        if self._waiting is not None:
            self._settling = self._settler.submit(self._settle, *self._waiting)
            self._waiting = None

    def _settled(self) -> None:
        """Wait until what is being made durable is.

        :raises AbsentError: the disk is full.
        """
        if self._settling is not None:
            settling, self._settling = self._settling, None
            settling.result()

    def _settle(self, sync: Callable[[], None], snapshot: dict[str, Any]) -> None:
        sync()
        write_json(self.state / CHECKPOINT, snapshot)

    def _snapshot(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "identity": self.identity,
            "next": self.next,
            "sliced": self._sliced,
            "position": self._parser.at.as_json(),
            "unpacker": self._unpacker.as_json(),
        }


def suspect_files(problems: list[dict[str, Any]]) -> DamagedError:
    """The error for an archive whose bytes are all there, but whose content is not what was meant."""
    shown = "; ".join(
        f"{found['path'] or 'offset ' + str(found['offset'])}: {found['text']}" for found in problems[:_SHOWN]
    )
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return DamagedError(
        f"{len(problems)} places in the archive are suspect"
        if len(problems) > 1
        else "a place in the archive is suspect",
        part=problems[0].get("part"),
        cause=shown + more,
        advice="take these files from the source; or get a sound part, or a new backup, and restore that "
        "into new folders",
        kept="all else is unpacked",
    )
