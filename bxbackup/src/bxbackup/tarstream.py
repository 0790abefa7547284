"""The tar stream of a backup: v7 headers with GNU long names, ustar and GNU tar too (backup_format 2).

The parser is fed with pieces of any length and tells a sink what it finds. Its whole memory between two
pieces is a `Position`, so work can stop after any volume and go on in another process.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

BLOCK = 512
LONGEST_NAME = 1 << 16
_BLANK = b"\0 \t\r\n"
_V7_TAIL = bytes(BLOCK - 257)
_FILE_TYPES = frozenset(b"0\x007")
_NESTED = re.compile(rb"[05L]")
# A volume of another backup holds headers by right.
_VOLUME = re.compile(rb"\.(?:tar|enc)(?:\.\d+)?\Z")
_MAX_PROBLEMS = 1000
_NAMED = 3

Kind = Literal["file", "directory", "link", "special"]


@dataclass(frozen=True)
class Entry:
    """One entry of the archive.

    :param name: raw bytes of the path as archived, without a leading `./` and a trailing slash.
    :param size: bytes of data that follow.
    :param mtime: seconds since 1970.
    :param offset: byte offset of its header in the tar stream.
    """

    name: bytes
    kind: Kind
    size: int
    mode: int
    mtime: int
    offset: int


@dataclass(frozen=True)
class Problem:
    """Something in the stream that is not as it should be.

    :param offset: byte offset in the tar stream.
    :param length: bytes concerned; 0 where that has no meaning.
    :param name: the entry concerned, raw bytes; empty if none.
    """

    kind: Literal["skipped", "incomplete", "swallowed", "unsupported"]
    offset: int
    length: int
    name: bytes
    text: str


class Sink(Protocol):
    """What takes the entries. For each: `begin`, any number of `data`, then `end` or `broken`."""

    def begin(self, entry: Entry) -> None:
        """A header was read."""

    def data(self, piece: memoryview) -> None:
        """The next bytes of the entry; the view is valid during the call only."""

    def end(self) -> None:
        """All bytes of the entry were given."""

    def broken(self) -> None:
        """Bytes of the entry are lost; what was given is not the whole file."""

    def problem(self, problem: Problem) -> None:
        """Something is wrong in the stream; reading goes on at the next valid header."""

    def recover(self, entry: Entry, start: int, tail: bytes) -> Recovered | None:
        """The file that has just ended holds other entries from byte `start` of its data: take them.

        `tail` is what stands between its last byte and the next block.
        None where that cannot be. If the last one's data reach beyond the file, they come as `data`.
        """


@dataclass(frozen=True)
class Recovered:
    """What was taken out of a file that had swallowed other entries.

    :param at: the parser's state at the end of that file.
    :param count: how many files there were; others of the same name may stand in the archive as well.
    """

    at: Position
    count: int


@dataclass(frozen=True)
class Nested:
    """A chain of headers inside a file's data, each where the one before it ends.

    :param start: byte offset of the first in the tar stream; `end`: where the next one would be.
    :param names: of the first three.
    """

    start: int
    end: int
    count: int
    names: list[str]


@dataclass
class Position:
    """All that the parser remembers between two pieces. `as_json` and `from_json` are inverse."""

    offset: int = 0
    pending: bytes = b""
    long_name: bytes | None = None
    collecting: str = ""
    collected: bytes = b""
    overrides: dict[str, str] = field(default_factory=dict)
    entry: Entry | None = None
    remaining: int = 0
    padding: int = 0
    damaged: bool = False
    lost_since: int | None = None
    nested: Nested | None = None
    tail: bytes = b""
    suspect: Entry | None = None
    last_name: bytes = b""
    problems: int = 0

    def as_json(self) -> dict[str, Any]:
        """The position as JSON types; bytes as hex."""
        found: dict[str, Any] = {
            "offset": self.offset,
            "pending": self.pending.hex(),
            "long_name": None if self.long_name is None else self.long_name.hex(),
            "collecting": self.collecting,
            "collected": self.collected.hex(),
            "overrides": self.overrides,
            "entry": _entry_json(self.entry),
            "remaining": self.remaining,
            "padding": self.padding,
            "damaged": self.damaged,
            "lost_since": self.lost_since,
            "nested": None if self.nested is None else asdict(self.nested),
            "tail": self.tail.hex(),
            "suspect": _entry_json(self.suspect),
            "last_name": self.last_name.hex(),
            "problems": self.problems,
        }
        return found

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Position:
        """A position from what `as_json` gave."""
        values = dict(found)
        values["pending"] = bytes.fromhex(values["pending"])
        values["collected"] = bytes.fromhex(values["collected"])
        values["tail"] = bytes.fromhex(values.get("tail", ""))
        values["last_name"] = bytes.fromhex(values["last_name"])
        if values["long_name"] is not None:
            values["long_name"] = bytes.fromhex(values["long_name"])
        values["entry"], values["suspect"] = _json_entry(values["entry"]), _json_entry(values["suspect"])
        values["nested"] = None if values["nested"] is None else Nested(**values["nested"])
        return cls(**values)


def _entry_json(entry: Entry | None) -> dict[str, Any] | None:
    return None if entry is None else asdict(entry) | {"name": entry.name.hex()}


def _json_entry(found: dict[str, Any] | None) -> Entry | None:
    return None if found is None else Entry(**(found | {"name": bytes.fromhex(found["name"])}))


@dataclass(frozen=True)
class Header:
    """The fields of one header block that have a meaning here."""

    name: bytes
    mode: int
    size: int
    mtime: int
    flag: int


def number(text: bytes) -> int | None:
    """A numeric header field: octal, or GNU's base 256; None if it is neither."""
    if text[:1] == b"\x80":
        return int.from_bytes(text[1:], "big")
    digits = text.strip(b" \0")
    if not digits:
        return 0
    if not digits.isdigit():
        return None
    try:
        return int(digits, 8)
    except ValueError:
        return None


def read_header(block: bytes) -> Header | None:
    """The header in a block of 512 bytes, or None if this is not one (backup_format 2.5, 2.6)."""
    stored = number(block[148:156])
    if not stored or stored != sum(block) - sum(block[148:156]) + 8 * 32:
        return None
    size, mode, mtime = number(block[124:136]), number(block[100:108]), number(block[136:148])
    if size is None or mode is None or mtime is None:
        return None
    name = block[:100].rstrip(b"\0") if b"\0" not in block[:100] else block[: block.index(b"\0")]
    if block[257:263] == b"ustar\0":
        prefix = block[345:500].split(b"\0", 1)[0]
        if prefix:
            name = prefix + b"/" + name
    if not name:
        return None
    return Header(name, mode & 0o7777, size, mtime, block[156])


@dataclass
class TarParser:
    """Feeds a sink from a tar stream that arrives in pieces."""

    sink: Sink
    at: Position = field(default_factory=Position)
    _data: bytes = b""
    _start: int = 0
    _flags: dict[int, bytes] = field(default_factory=dict)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        at = self.at
        self._data, self._start, self._flags = data, at.offset + len(at.pending), {}
        view = memoryview(data)
        while view:
            if at.entry is not None:
                view = self._entry_data(view, at.entry)
            elif at.pending or len(view) < BLOCK:
                taken = view[: BLOCK - len(at.pending)]
                at.pending += bytes(taken)
                view = view[len(taken) :]
                if len(at.pending) == BLOCK:
                    block, at.pending = at.pending, b""
                    self._block(block)
            else:
                block, view = bytes(view[:BLOCK]), view[BLOCK:]
                self._block(block)

    def lost(self, length: int | None) -> None:
        """Bytes of the stream are missing here: `length` of them, or None where nobody knows how many."""
        at = self.at
        self._drop_pending()
        at.nested, at.suspect, at.last_name = None, None, b""
        if at.entry is not None and length is not None and length <= at.remaining + at.padding:
            at.damaged = True
            at.offset += length
            over = max(0, length - at.remaining)
            at.remaining = max(0, at.remaining - length)
            at.padding -= over
            self._close_if_done(at.entry)
            return
        if at.entry is not None:
            at.damaged = True
            self._close(at.entry)
        at.offset += length or 0
        if at.lost_since is None:
            at.lost_since = at.offset

    def close(self) -> bool:
        """The stream is at its end. Returns whether it ended between two entries."""
        at = self.at
        whole = at.entry is None and not at.pending and not at.collecting and at.long_name is None
        self._drop_pending()
        if at.entry is not None:
            at.damaged = True
            self._close(at.entry)
        if at.lost_since is not None:
            self._found_again(at.lost_since)
        return whole

    def _drop_pending(self) -> None:
        self.at.offset += len(self.at.pending)
        self.at.pending = b""
        self.at.collecting, self.at.collected, self.at.long_name, self.at.overrides = "", b"", None, {}

    def _block(self, block: bytes) -> None:
        at = self.at
        start = at.offset
        at.offset += BLOCK
        if at.collecting:
            self._collect(block)
            return
        header = read_header(block)
        if at.suspect is not None and self._judge_overrun(block, header is not None):
            return
        if header is None:
            if at.lost_since is None and block.strip(_BLANK):
                at.lost_since = start
                at.long_name, at.overrides = None, {}
            return
        if at.lost_since is not None:
            at.offset = start
            self._found_again(at.lost_since)
            at.offset = start + BLOCK
        self._header(header, start)

    def _header(self, header: Header, start: int) -> None:
        at = self.at
        flag = chr(header.flag)
        if flag in "LKxg":
            if header.size > LONGEST_NAME:
                self._problem("unsupported", start, header.size, header.name, "a name record beyond 64 KiB")
                at.lost_since = at.offset
                return
            at.collecting, at.collected, at.remaining = flag, b"", header.size
            if header.size == 0:
                self._collected()
            return
        name = header.name if at.long_name is None else at.long_name
        size = header.size
        if "path" in at.overrides:
            name = bytes.fromhex(at.overrides["path"])
        if "size" in at.overrides:
            size = int(at.overrides["size"])
        at.long_name, at.overrides = None, {}
        kind: Kind = "special"
        if flag == "5" or (header.flag in _FILE_TYPES and name.endswith(b"/")):
            kind = "directory"
        elif header.flag in _FILE_TYPES:
            kind = "file"
        elif flag in "12":
            kind = "link"
        if kind in ("directory", "link"):
            size = 0
        at.entry = Entry(_clean(name), kind, size, header.mode, header.mtime, start)
        at.remaining, at.padding, at.damaged, at.nested = size, -size % BLOCK, False, None
        at.tail = b""
        self.sink.begin(at.entry)
        self._close_if_done(at.entry)

    def _collect(self, block: bytes) -> None:
        at = self.at
        take = min(BLOCK, at.remaining)
        at.collected += block[:take]
        at.remaining -= take
        if at.remaining == 0:
            self._collected()

    def _collected(self) -> None:
        at = self.at
        text, kind = at.collected, at.collecting
        at.collecting, at.collected, at.remaining = "", b"", 0
        if kind == "L":
            at.long_name = text.split(b"\0", 1)[0] or None
        elif kind == "x":
            at.overrides = _pax(text)

    def _entry_data(self, view: memoryview, entry: Entry) -> memoryview:
        at = self.at
        if at.remaining:
            piece = view[: at.remaining]
            if not at.damaged:
                if entry.kind == "file":
                    # With the padding: a swallowed header may reach into what should be that.
                    self._watch(min(len(view), at.remaining + at.padding), entry)
                self.sink.data(piece)
            at.remaining -= len(piece)
            at.offset += len(piece)
            view = view[len(piece) :]
        if not at.remaining and at.padding:
            skipped = min(at.padding, len(view))
            if at.nested is not None:
                at.tail += bytes(view[:skipped])
            at.padding -= skipped
            at.offset += skipped
            view = view[skipped:]
        self._close_if_done(entry)
        return view

    def _close_if_done(self, entry: Entry) -> None:
        if not self.at.remaining and not self.at.padding:
            self._close(entry)

    def _close(self, entry: Entry) -> None:
        at = self.at
        at.entry, at.remaining, at.padding = None, 0, 0
        if at.damaged:
            self.sink.broken()
            self._problem(
                "incomplete", entry.offset, entry.size, entry.name, "bytes of this file are missing"
            )
            at.damaged = False
        else:
            self.sink.end()
        at.last_name = entry.name
        if at.nested is not None:
            self._judge_nested(entry, at.nested)

    def _watch(self, length: int, entry: Entry) -> None:
        """Note blocks of a file's data that look like headers of the same writer: a file that shrank while
        it was archived swallows the entries that follow it (backup_format 2.17)."""
        first = self.at.offset - self._start
        if first < 0:
            return
        # The flags of all blocks at once, for all the small files in them.
        phase = (entry.offset - self._start) % BLOCK
        flags = self._flags.get(phase)
        if flags is None:
            flags = self._flags[phase] = self._data[phase + 156 :: BLOCK]
        for match in _NESTED.finditer(flags, -((phase - first) // BLOCK), (first + length - phase) // BLOCK):
            where = phase + match.start() * BLOCK
            block = self._data[where : where + BLOCK]
            if block[257:] != _V7_TAIL:
                continue
            header = read_header(block)
            if header is not None:
                self._chain(header, self._start + where)

    def _chain(self, header: Header, start: int) -> None:
        """Put a header found inside data behind the chain of those before it."""
        at = self.at
        chain = at.nested
        if chain is not None and start < chain.end:
            return
        if chain is None or start > chain.end:
            chain = Nested(start, start, 0, [])
        name = header.name.decode("utf-8", "replace")
        names, count = chain.names, chain.count
        if header.flag != ord("L"):
            names, count = [*names, name] if count < _NAMED else names, count + 1
        data = 0 if header.flag == ord("5") else header.size + -header.size % BLOCK
        at.nested = Nested(chain.start, start + BLOCK + data, count, names)

    def _judge_nested(self, entry: Entry, chain: Nested) -> None:
        """Entries inside a file's data matter only if they run without a gap to its end or beyond it."""
        data_end = entry.offset + BLOCK + entry.size + -entry.size % BLOCK
        if _VOLUME.search(entry.name) is None:
            if chain.end == data_end:
                self._swallowed(entry, chain)
            elif chain.end > data_end:
                self.at.suspect = entry
                return
        self.at.nested = None

    def _judge_overrun(self, block: bytes, header_follows: bool) -> bool:
        """A swallowed entry that is longer than the file leaves its rest where a header should stand.

        Returns whether the block was that, and has been given to the entry.
        """
        at = self.at
        entry, chain = at.suspect, at.nested
        at.suspect = at.nested = None
        if header_follows or entry is None or chain is None:
            return False
        found = self._swallowed(entry, chain)
        if found is None or found.at.entry is None:
            return False
        at.entry, at.remaining, at.padding = found.at.entry, found.at.remaining, found.at.padding
        at.offset -= BLOCK
        self._entry_data(memoryview(block), at.entry)
        return True

    def _swallowed(self, entry: Entry, chain: Nested) -> Recovered | None:
        start = chain.start - entry.offset - BLOCK
        found = self.sink.recover(entry, start, self.at.tail)
        names = ", ".join(chain.names) + (" …" if chain.count > _NAMED else "")
        data_end = entry.offset + BLOCK + entry.size + -entry.size % BLOCK
        text = f"other entries ({names}) stand at its end: it shrank while the backup was written"
        if found is not None:
            text += f"; {found.count} of them recovered; at most its first {start:,} bytes are its own"
        self._problem("swallowed", chain.start, data_end - chain.start, entry.name, text)
        return found

    def _found_again(self, since: int) -> None:
        self.at.lost_since = None
        text = "bytes that belong to no entry; reading went on at the next valid header"
        if self.at.last_name:
            text += "; if this file grew while the backup was written, its copy is cut at its former size"
        if self.at.offset > since:
            self._problem("skipped", since, self.at.offset - since, self.at.last_name, text)

    def _problem(
        self,
        kind: Literal["skipped", "incomplete", "swallowed", "unsupported"],
        offset: int,
        length: int,
        name: bytes,
        text: str,
    ) -> None:
        self.at.problems += 1
        if self.at.problems <= _MAX_PROBLEMS:
            self.sink.problem(Problem(kind, offset, length, name, text))


def _clean(name: bytes) -> bytes:
    while name.startswith(b"./"):
        name = name[2:].lstrip(b"/")
    return name.rstrip(b"/") or b"."


def _pax(text: bytes) -> dict[str, str]:
    """`path` (as hex) and `size` from a POSIX extended header; other records have no meaning here."""
    found: dict[str, str] = {}
    while text:
        length, _, rest = text.partition(b" ")
        if not length.isdigit() or int(length) <= len(length) + 1:
            break
        record, text = rest[: int(length) - len(length) - 1], text[int(length) :]
        key, _, value = record.removesuffix(b"\n").partition(b"=")
        if key == b"path":
            found["path"] = value.hex()
        elif key == b"size" and value.isdigit():
            found["size"] = value.decode("ascii")
    return found
