"""Entries of the archive to files: safely, resumable, special files under side names (backup_format 2, 6)."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any, Literal

from bxbackup.durable import disk_full, room_for, sync_filesystem
from bxbackup.errors import RefusedError
from bxbackup.feed import Piece
from bxbackup.ownership import Ownership
from bxbackup.pathset import PathSet
from bxbackup.report import amount
from bxbackup.reuse import Earlier, discard_link, own_copy, replace, same_bytes, same_rights
from bxbackup.tarstream import Entry, Problem, Recovered, TarParser

Room = Literal["site", "dump", "list", "ignored"]

_DUMP = re.compile(rb"\Abitrix/backup/[^/]+\.sql(\.\d+)?\Z|\Amysql_dump_[^/]+\.sql\Z", re.DOTALL)
_DUMP_FOLDERS = frozenset({b"bitrix", b"bitrix/backup"})
_APART = {
    b"bitrix/backup/sites": "bitrix/backup/sites holds the folders of further sites: move each to where its "
    "site is to be",
    b"bitrix/backup/clouds": "bitrix/backup/clouds holds the content of cloud buckets, a folder for each "
    "bucket's ID: move it below the uploads, and let b_file name it there",
    b"bitrix/restore_cloud.txt": "bitrix/restore_cloud.txt lists uploads that are not in the backup: "
    "bxbackup restore fetches them",
    b"bitrix/restore_cloud.php": "bitrix/restore_cloud.php lists uploads that are not in the backup: "
    "bxbackup restore fetches them",
}
_UPLOAD_LISTS = frozenset({b"bitrix/restore_cloud.txt", b"bitrix/restore_cloud.php"})
_SIDE_NAMES = {
    b".htaccess": b".htaccess.restore",
    b".htsecure": b".htsecure.restore",
    b"bitrix/.settings.php": b"bitrix/.settings.restore.php",
    # the portal takes it before bitrix/.settings.php (portal_runtime C1)
    b"local/.settings.php": b"local/.settings.restore.php",
    b"bitrix/php_interface/dbconn.php": b"bitrix/php_interface/dbconn.restore.php",
}
_SECRET = frozenset(
    {
        b"bitrix/.settings.restore.php",
        b"local/.settings.restore.php",
        b"bitrix/php_interface/dbconn.restore.php",
        b"bitrix/license_key.php",
    }
)
_FOLDERS_KEPT_OPEN = 256
_LONGEST_COMPONENT, _LONGEST_PATH = 255, 4095
_LARGE = 16 << 20
_PIECE = 1 << 20
_PROBE = ".bxbackup-Case"
_OPEN = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Placement:
    """Where an entry goes: a room and the path in it."""

    room: Room
    path: bytes


def folded(path: bytes) -> bytes:
    """A path as a file system sees it that tells neither case nor forms of one character apart."""
    if path.isascii():
        return path.lower()
    text = unicodedata.normalize("NFKC", path.decode("utf-8", "surrogateescape")).casefold()
    return unicodedata.normalize("NFKC", text).encode("utf-8", "surrogateescape")


def placement(path: bytes) -> Placement:
    """Room and path of an archived path: dumps and side names as the vendor's reader has them (6, step 2).

    A special file keeps its side name in whatever case it is written: where case does not count, another
    spelling would otherwise take the place of the file itself.
    """
    if _DUMP.match(path):
        return Placement("dump", path)
    if path in _UPLOAD_LISTS:
        return Placement("list", path)
    plain = folded(path)
    if plain == b"restore.php":
        return Placement("ignored", path)
    if plain in _SIDE_NAMES:
        side = _SIDE_NAMES[plain] if plain == path else _side_name(path)
        return Placement("site", side)
    return Placement("site", path)


def _side_name(path: bytes) -> bytes:
    stem, dot, ending = path.rpartition(b".")
    if folded(ending) == b"php":
        return stem + b".restore" + dot + ending
    return path + b".restore"


def is_secret(path: bytes) -> bool:
    """Whether a placed path of the site holds credentials."""
    return path in _SECRET or folded(path) in _SECRET


def shown_name(name: bytes) -> str:
    """A name as it may be printed: control characters, which a terminal would obey, are written out."""
    text = name.decode("utf-8", "replace")
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def safe_path(name: bytes) -> tuple[bytes, ...]:
    """The components of a path that stays inside its folder.

    :raises RefusedError: the path is absolute, climbs, or would do so on a file system that folds Unicode.
    """
    components = tuple(name.split(b"/"))
    if b"" in components or b"." in components:
        components = tuple(part for part in components if part not in (b"", b"."))
    if name.startswith(b"/"):
        raise RefusedError(f"the archive holds an absolute path: {shown_name(name)}", advice=_HOSTILE)
    if b"\0" in name:
        raise RefusedError(f"the archive holds an impossible name: {shown_name(name)}", advice=_HOSTILE)
    alike = components
    if not name.isascii():
        alike = tuple(part for component in components for part in _normal(component).split(b"/"))
    if b".." in alike or b"." in alike or len(alike) != len(components):
        raise RefusedError(
            f"the archive holds a path that leaves its folder: {shown_name(name)}", advice=_HOSTILE
        )
    return components


def _normal(component: bytes) -> bytes:
    text = component.decode("utf-8", "surrogateescape")
    return unicodedata.normalize("NFKC", text).encode("utf-8", "surrogateescape")


_HOSTILE = "the product's own writer never makes this; find out who made the archive"
_TAKEN = "two entries of the archive want one name, or the folder was changed meanwhile"


def check_kind(entry: Entry, name: bytes) -> None:
    """Only files and folders are unpacked; the writer makes nothing else (backup_format 2.3).

    :raises RefusedError: the entry is a link, a device or the like.
    """
    if entry.kind in ("link", "special"):
        what = "link" if entry.kind == "link" else "device or special file"
        raise RefusedError(f"the archive holds a {what}: {shown_name(name)}", advice=_HOSTILE)


@dataclass
class Names:
    """Turns archived names to UTF-8. The first name beyond ASCII decides (backup_format 2.11)."""

    encoding: str | None = None

    def utf8(self, name: bytes) -> bytes:
        """The name in UTF-8; bytes that fit neither UTF-8 nor cp1251 stay as they are."""
        if name.isascii():
            return name
        if self.encoding is None:
            try:
                name.decode("utf-8")
                self.encoding = "utf-8"
            except UnicodeDecodeError:
                self.encoding = "cp1251"
        if self.encoding == "cp1251":
            with contextlib.suppress(UnicodeDecodeError):
                return name.decode("cp1251").encode()
        return name


@dataclass
class Folders:
    """Folders below one root, opened without following any link. The root's descriptor stays open."""

    root: int
    ownership: Ownership = field(default_factory=Ownership)
    _open: OrderedDict[tuple[bytes, ...], int] = field(default_factory=OrderedDict)

    def descriptor(self, components: tuple[bytes, ...]) -> int:
        """A descriptor of the folder, made if it is not there; owned by this object.

        :raises RefusedError: something that is no folder stands in the way.
        """
        if not components:
            return self.root
        found = self._open.get(components)
        if found is not None:
            self._open.move_to_end(components)
            return found
        depth = len(components) - 1
        while depth > 0 and components[:depth] not in self._open:
            depth -= 1
        opened = self.root
        if depth:
            opened = self._open[components[:depth]]
            self._open.move_to_end(components[:depth])
        for end in range(depth + 1, len(components) + 1):
            opened = self._enter(opened, components[:end])
        return opened

    def _enter(self, parent: int, components: tuple[bytes, ...]) -> int:
        """Open a folder in its parent, which is open."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            try:
                opened = os.open(components[-1], flags, dir_fd=parent)
            except FileNotFoundError:
                self.ownership.create_folder(components[-1], parent)
                opened = os.open(components[-1], flags, dir_fd=parent)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise RefusedError(
                    f"something that is no folder stands at {_shown(components)}",
                    advice=_TAKEN,
                ) from error
            raise
        self.ownership.take_folder(opened)
        self._open[components] = opened
        if len(self._open) > _FOLDERS_KEPT_OPEN:
            _, oldest = self._open.popitem(last=False)
            os.close(oldest)
        return opened

    def close(self) -> None:
        """Close all but the root."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()


def _shown(components: tuple[bytes, ...]) -> str:
    return shown_name(b"/".join(components))


@dataclass
class _OpenFile:
    descriptor: int
    components: tuple[bytes, ...]
    room: Room
    written: int = 0


@dataclass
class Counts:
    """How much was unpacked: pieces and bytes; `linked` of it are files of an earlier release."""

    files: int = 0
    folders: int = 0
    bytes: int = 0
    duplicates: int = 0
    linked: int = 0
    linked_bytes: int = 0


class Unpacker:
    """A sink that writes entries below folders. A full disk is an OSError here: see `durable.room_for`.

    :param rooms: folder for each room; a room without a folder goes to `site`, keeping its whole path, except
        `ignored`, which goes nowhere.
    :param listing: file that gets one JSON line per entry written; needed to go on after a stop.
    :param ownership: of what goes to `site`; the other rooms are this process's own.
    :param earlier: release whose uploads are linked to where they are the same.
    """

    def __init__(
        self,
        rooms: dict[Room, Path],
        listing: Path,
        ownership: Ownership | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        self.counts = Counts()
        self.problems: list[dict[str, Any]] = []
        self.apart: set[bytes] = set()
        self._rooms = rooms
        self._earlier = earlier
        self._dumps: dict[bytes, Piece] = {}
        self._dump_seen = False
        self.dump_passed = False
        self._names = Names()
        self._seen = PathSet()
        self._tops: set[bytes] = set()
        self._folds = False
        self._file: _OpenFile | None = None
        self._entry: Entry | None = None
        self._folders: dict[Room, Folders] = {}
        for room, path in rooms.items():
            asked = ownership if room == "site" and ownership is not None else Ownership()
            self._folders[room] = Folders(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), asked)
            asked.take_folder(self._folders[room].root)
        discard_link(self._folders["site"].root)
        self._folds = _folds_case(self._folders["site"].root)
        self._listing = listing.open("ab")

    def remarks(self) -> list[str]:
        """What a person should know of the archive though nothing is wrong with it."""
        found = [_APART[place] for place in sorted(self.apart)]
        if self.counts.duplicates:
            found.append(f"{self.counts.duplicates} entries occur more than once; the last one counts")
        if self.counts.linked:
            size = amount(self.counts.linked_bytes)
            found.append(f"{self.counts.linked} uploads, {size}, are hard links to the earlier release's")
        return found

    # sink

    def begin(self, entry: Entry) -> None:
        """Open what the entry asks for.

        :raises RefusedError: the entry is a link, a device, or leaves the folder.
        """
        name = self._names.utf8(entry.name)
        components = safe_path(name)
        check_kind(entry, name)
        if len(name) > _LONGEST_COMPONENT and _too_long(name, components):
            text = f"its name is too long for this file system ({len(name)} bytes); it is left out"
            self.problem(Problem("unsupported", entry.offset, entry.size, entry.name, text))
            return
        placed = placement(b"/".join(components))
        if placed.path.startswith(b"bitrix/backup/"):
            self.apart.update(place for place in _APART if placed.path.startswith(place + b"/"))
        if placed.room == "list" and "list" not in self._folders:
            self.apart.add(placed.path)
        if placed.room == "dump":
            self._dump_seen = self._dump_seen or not placed.path.endswith(b"_after_connect.sql")
        elif entry.kind == "file" or placed.path not in _DUMP_FOLDERS:
            self.dump_ends()
        self._entry = entry
        if entry.kind == "directory":
            self._folder(components)
        elif placed.room != "ignored":
            if entry.size > _LARGE:
                self._check_room(entry)
            self._open(placed)

    def _check_room(self, entry: Entry) -> None:
        """A large file says its size before its bytes come: a full disk is told before it is full."""
        figures = os.fstatvfs(self._folders["site"].root)
        if entry.size > figures.f_bavail * figures.f_frsize:
            raise disk_full(self._rooms["site"], entry.size)

    def dump_ends(self) -> None:
        """No more files of the dump will come, if any have."""
        if self._dump_seen and not self.dump_passed:
            self.dump_passed = True

    def dumps(self) -> list[Piece]:
        """The dump's files as far as they are written."""
        found = dict(self._dumps)
        if self._file is not None and self._file.room == "dump":
            name = self._file.components[-1]
            found[name] = found[name].grown(self._file.written, whole=False)
        return list(found.values())

    def _begin_dump(self, name: bytes) -> None:
        before = self._dumps.get(name)
        self._dumps[name] = Piece(
            os.fsdecode(name), 0, whole=False, opened=before.opened + 1 if before else 1
        )

    def data(self, piece: memoryview) -> None:
        """Write the next bytes."""
        if self._file is None:
            return
        while piece:
            count = os.write(self._file.descriptor, piece)
            self._file.written += count
            piece = piece[count:]

    def end(self) -> None:
        """Close the file and enter it in the list."""
        file, entry = self._file, self._entry
        self._file = self._entry = None
        if file is None or entry is None:
            return
        os.utime(file.descriptor, (entry.mtime, entry.mtime))
        os.close(file.descriptor)
        self._reuse(file)
        self.counts.files += 1
        self.counts.bytes += file.written
        if file.room == "dump":
            name = file.components[-1]
            self._dumps[name] = self._dumps[name].grown(file.written, whole=True)
        self._note(file.components, file.room, file.written)

    def _reuse(self, file: _OpenFile) -> None:
        """Put the earlier release's file in place of the one just written, if every byte is the same."""
        if self._earlier is None or file.room != "site":
            return
        found = self._earlier.open(file.components, file.written)
        if found is None:
            return
        folders = self._folders["site"]
        folder, name = folders.descriptor(file.components[:-1]), file.components[-1]
        written = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            one, other = os.fstat(written), os.fstat(found)
            if one.st_dev != other.st_dev or not same_rights(one, other) or not same_bytes(written, found):
                return
            if replace(found, name, folder, folders.root):
                self.counts.linked += 1
                self.counts.linked_bytes += file.written
        finally:
            os.close(written)
            os.close(found)

    def broken(self) -> None:
        """Remove a file of which bytes are missing: half a file must not pass for a whole one."""
        file = self._file
        self._file = self._entry = None
        if file is None:
            return
        os.close(file.descriptor)
        if file.room == "dump":
            self._dumps.pop(file.components[-1], None)
        folder = self._folders[file.room].descriptor(file.components[:-1])
        os.unlink(file.components[-1], dir_fd=folder)

    def problem(self, problem: Problem) -> None:
        """Keep a problem for the report."""
        self.problems.append(
            {
                "kind": problem.kind,
                "offset": problem.offset,
                "length": problem.length,
                "path": shown_name(self._names.utf8(problem.name)),
                "text": problem.text,
            }
        )

    def recover(self, entry: Entry, start: int, tail: bytes) -> Recovered | None:
        """Take the entries out of a file that swallowed them; see `Sink`. That file stays as it is.

        Only what the archive does not hold otherwise is taken; a later entry of the same name wins.
        """
        placed = placement(b"/".join(safe_path(self._names.utf8(entry.name))))
        if placed.room == "ignored":
            return None
        room, components = self._where(placed)
        folder = self._folders[room].descriptor(components[:-1])
        sink = _Recovery(self)
        parser = TarParser(sink)
        file = os.open(components[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            while piece := os.pread(file, _PIECE, start):
                parser.feed(piece)
                start += len(piece)
        finally:
            os.close(file)
        parser.feed(tail)
        return Recovered(parser.at, sink.count)

    def take_over(self, entry: Entry) -> bool:
        """Begin a recovered entry, unless the archive has it already or it is unsafe."""
        try:
            components = safe_path(self._names.utf8(entry.name))
            placed = placement(b"/".join(components))
            if (self._where(placed)[0], placed.path) in self._seen:
                return False
            self.begin(entry)
        except RefusedError:
            return False
        return True

    def gone(self) -> bytes | None:
        """A file or folder at the top that earlier runs have made and that is no longer there."""
        for name in sorted(self._tops):
            try:
                os.stat(name, dir_fd=self._folders["site"].root, follow_symlinks=False)
            except FileNotFoundError:
                return name
        return None

    def wrote(self, path: bytes) -> bool:
        """Whether a path of the site came with the archive."""
        return ("site", path) in self._seen

    # state

    def sync(self) -> Callable[[], None]:
        """What makes all that was written until now durable; may be called in another thread."""
        with room_for(self._rooms["site"]):
            self._listing.flush()
        devices = {os.fstat(folders.root).st_dev: folders.root for folders in self._folders.values()}

        def make_durable() -> None:
            with room_for(self._rooms["site"]):
                for descriptor in devices.values():
                    sync_filesystem(descriptor)
                os.fsync(self._listing.fileno())

        return make_durable

    def as_json(self) -> dict[str, Any]:
        """What is needed to go on from here, as JSON types."""
        self._listing.flush()
        return {
            "encoding": self._names.encoding,
            "counts": vars(self.counts).copy(),
            "problems": list(self.problems),
            "apart": sorted(place.decode() for place in self.apart),
            "dump_seen": self._dump_seen,
            "dump_passed": self.dump_passed,
            "listing": self._listing.tell(),
            "open": None
            if self._file is None
            else {
                "path": b"/".join(self._file.components).hex(),
                "room": self._file.room,
                "written": self._file.written,
            },
        }

    def go_on(self, found: dict[str, Any], entry: Entry | None) -> None:
        """Go on from what `as_json` gave in an earlier process.

        :param entry: the entry that was open, from the parser's position.
        :raises RefusedError: the folder was changed since; only starting the unpacking anew helps.
        """
        if os.fstat(self._listing.fileno()).st_size < found["listing"]:
            raise RefusedError("the list of unpacked files was changed since the last run")
        self._listing.truncate(found["listing"])
        self._listing.seek(0, os.SEEK_END)
        self._names.encoding = found["encoding"]
        self.counts = Counts(**found["counts"])
        self.problems = list(found["problems"])
        self.apart = {place.encode() for place in found["apart"]}
        self._dump_seen = found["dump_seen"]
        self.dump_passed = found["dump_passed"]
        with Path(self._listing.name).open("rb") as listing:
            for line in listing:
                noted = json.loads(line)
                if noted["room"] == "dump":
                    name = os.fsencode(noted["path"])
                    self._begin_dump(name)
                    self._dumps[name] = self._dumps[name].grown(noted["size"], whole=True)
                elif noted["room"] in ("site", "folder"):
                    top, _, below = noted["path"].partition("/")
                    if below or not top.endswith(".restore"):  # these are for a person to move away
                        self._tops.add(os.fsencode(top))
                self._remember(noted["room"], os.fsencode(noted["path"]))
        self._entry = entry
        if found["open"] is not None:
            self._reopen(found["open"])

    def _reopen(self, found: dict[str, Any]) -> None:
        components = tuple(bytes.fromhex(found["path"]).split(b"/"))
        room: Room = found["room"]
        folder = self._folders[room].descriptor(components[:-1])
        try:
            own_copy(components[-1], folder, found["written"])
            descriptor = os.open(components[-1], _OPEN, dir_fd=folder)
        except OSError as error:
            raise RefusedError(f"{_shown(components)} was changed since the last run") from error
        self._file = _OpenFile(descriptor, components, room, found["written"])
        if room == "dump":
            self._begin_dump(components[-1])
        if os.fstat(descriptor).st_size < found["written"]:
            raise RefusedError(f"{_shown(components)} was changed since the last run")
        os.truncate(descriptor, found["written"])
        os.lseek(descriptor, 0, os.SEEK_END)

    def close(self) -> None:
        """Give back all descriptors."""
        if self._file is not None:
            os.close(self._file.descriptor)
            self._file = None
        for folders in self._folders.values():
            folders.close()
            os.close(folders.root)
        self._folders.clear()
        self._listing.close()

    # work

    def _folder(self, components: tuple[bytes, ...]) -> None:
        if not components:
            return
        self._folders["site"].descriptor(components)
        if self._remember("folder", b"/".join(components)):
            self.counts.folders += 1
            self._note(components, "folder", 0)

    def _where(self, placed: Placement) -> tuple[Room, tuple[bytes, ...]]:
        room: Room = placed.room if placed.room in self._folders else "site"
        components = tuple(placed.path.split(b"/"))
        return room, components if room == "site" else components[-1:]

    def _open(self, placed: Placement) -> None:
        room, components = self._where(placed)
        folders = self._folders[room]
        folder = folders.descriptor(components[:-1])
        create = partial(
            folders.ownership.create_file,
            components[-1],
            folder,
            _OPEN | os.O_EXCL,
            secret=placed.room != "site" or is_secret(placed.path),
        )
        try:
            descriptor = create()
        except FileExistsError:
            # Never written through: the name may be a hard link to a file of another release.
            self._remove(components, folder)
            descriptor = create()
        if not self._remember(room, b"/".join(components)):
            self.counts.duplicates += 1
            self.counts.files -= 1
        self._file = _OpenFile(descriptor, components, room)
        if room == "dump":
            self._begin_dump(components[-1])

    def _remember(self, room: str, path: bytes) -> bool:
        """Enter what was written. Returns whether it was new.

        :raises RefusedError: the file system takes two names of the archive for one.
        """
        new = self._seen.add((room, path))
        if new and self._folds and not self._seen.add((f"{room} folded", folded(path))):
            raise RefusedError(
                f"two names of the archive are one on this file system: {shown_name(path)}",
                cause="it does not tell upper from lower case, or forms of a character apart",
                advice="unpack to a file system that does, as ext4 and XFS do by default",
            )
        return new

    def _remove(self, components: tuple[bytes, ...], folder: int) -> None:
        found = os.stat(components[-1], dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            raise RefusedError(
                f"the archive wants a file where a folder stands: {_shown(components)}",
                advice=_TAKEN,
            )
        os.unlink(components[-1], dir_fd=folder)

    def _note(self, components: tuple[bytes, ...], room: str, size: int) -> None:
        path = encode_basestring_ascii(os.fsdecode(b"/".join(components)))
        self._listing.write(f'{{"path": {path}, "room": "{room}", "size": {size}}}\n'.encode("ascii"))


@dataclass
class _Recovery:
    """A sink for the entries inside a file: hands on those that are to be taken."""

    unpacker: Unpacker
    count: int = 0
    _taken: bool = False

    def begin(self, entry: Entry) -> None:
        """Ask whether to take it."""
        self._taken = self.unpacker.take_over(entry)
        self.count += self._taken and entry.kind == "file"

    def data(self, piece: memoryview) -> None:
        """Hand on."""
        if self._taken:
            self.unpacker.data(piece)

    def end(self) -> None:
        """Hand on."""
        if self._taken:
            self.unpacker.end()

    def broken(self) -> None:
        """Hand on."""
        if self._taken:
            self.unpacker.broken()

    def problem(self, problem: Problem) -> None:
        """The file itself is reported."""

    def recover(self, entry: Entry, start: int, tail: bytes) -> None:
        """Only one level deep."""


def _too_long(name: bytes, components: tuple[bytes, ...]) -> bool:
    return len(name) > _LONGEST_PATH or max(map(len, components)) > _LONGEST_COMPONENT


def _folds_case(folder: int) -> bool:
    """Whether names that differ in case only are one name there."""
    _drop_probe(folder)
    os.close(os.open(_PROBE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder))
    try:
        os.stat(_PROBE.lower(), dir_fd=folder)
    except FileNotFoundError:
        return False
    else:
        return True
    finally:
        _drop_probe(folder)


def _drop_probe(folder: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_PROBE, dir_fd=folder)
