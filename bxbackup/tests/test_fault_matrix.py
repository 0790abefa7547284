"""The fault matrix: every fault of the contract has its test, and docs/faults.md says what they say.

Here are the whole rows that no other test proves: a restore that meets a fault at its source, on a line that
stays bad, in its database or by its clock ends complete, or with the code, the place and the next step; and
when the fault is gone the same command ends like an undisturbed one.
"""

from __future__ import annotations

import itertools
import random
import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import pytest
from archive_builder import DUMP, DUMP_NAME, Form, empty_member, encrypted, entry, small_site, write
from backup_samples import M1, Outcome, Run, tree
from database_server import DatabaseServer
from fake_database import FakeDatabase
from faults import DOCUMENT, FAULTS, document, fault, proofs
from faulty_server import Answer, FaultyServer, Request
from loading import write_dump

from bxbackup import state, status, transfer

Restore = Callable[..., Outcome]


def test_every_fault_of_the_contract_has_its_test() -> None:
    proved = {(proof.row.name, proof.row.place) for proof in proofs()}
    assert {(name, place) for name, places in FAULTS.items() for place in places} <= proved


def test_the_document_says_what_the_tests_say() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "write it anew: make faults"


@pytest.fixture
def restored(run: Run, fake_database: FakeDatabase, cloud: FaultyServer, tmp_path: Path) -> Restore:
    """Restore sample M1 from the cloud."""

    def call(*more: object) -> Outcome:
        return run(
            *("restore", cloud.url(M1.names[0]), "--to", tmp_path / "out", "--database", "portal_box"),
            *("--state", tmp_path / "state", *more),
        )

    return call


def cut(data: bytes) -> bytes:
    return data[: int(len(data) * 0.38)]


def cut_before_last_member(data: bytes) -> bytes:
    return data[: data.rindex(b"\x1f\x8b\x08")]


def empty(data: bytes) -> bytes:
    return b""


KEPT = (
    "told after at most two fetches; all else is kept, and with a sound part the same command ends complete"
)


@pytest.mark.parametrize("etag", ["md5", None], ids=["ETag", "no ETag"])
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(
            cut,
            id="truncated",
            marks=fault(
                *("truncation at 38 %", "at the source", 3, KEPT),
                *("is damaged at the source … has no end", "a member without an end"),
            ),
        ),
        pytest.param(
            cut_before_last_member,
            id="truncated between members",
            marks=fault(
                *("truncation on a member boundary", "at the source", 3, KEPT),
                *("is damaged at the source … its size mark says … gzip members hold", "size mark BX"),
            ),
        ),
        pytest.param(
            empty,
            id="empty",
            marks=fault("part empty", "at the source", 3, KEPT, "is damaged at the source", "size"),
        ),
    ],
)
def test_a_part_that_is_spoiled_at_the_source(
    restored: Restore,
    cloud: FaultyServer,
    fake_database: FakeDatabase,
    tmp_path: Path,
    spoil: Callable[[bytes], bytes],
    etag: str | None,
) -> None:
    path = cloud.folder / M1.names[2]
    sound = path.read_bytes()
    path.write_bytes(spoil(sound))
    cloud.rules.append(lambda seen: Answer(etag=etag))
    outcome = restored()
    assert outcome.code == 3
    assert M1.names[2] in outcome.err
    assert "next: bxbackup restore" in outcome.err
    assert cloud.count(M1.names[2]) <= 3
    path.write_bytes(sound)
    outcome = restored()
    assert outcome.code == 0, outcome.err
    assert tree(tmp_path / "out") == M1.expected(dump=False)
    assert fake_database.loaded


def lasting(name: str, ends: str, says: str, code: int = 4) -> pytest.MarkDecorator:
    return fault(name, "lasting", code, ends, says)


GIVEN_UP = "given up after ten minutes without a byte; the others are kept, the same command goes on"
LENGTHS = itertools.count(1)


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(
            lambda seen: Answer(cut=0),
            id="reset",
            marks=lasting("reset", GIVEN_UP, "the connection ended before all bytes had come"),
        ),
        pytest.param(
            lambda seen: Answer(hang=0) if seen.count else None,
            id="hang",
            marks=lasting("hang", GIVEN_UP, "the server fell silent"),
        ),
        pytest.param(
            lambda seen: Answer(etag=f"{next(LENGTHS):032x}"),
            id="ETag changes",
            marks=lasting("ETag changed", GIVEN_UP, "changed at the source"),
        ),
        *(
            pytest.param(
                lambda seen, status=status: Answer(status=status) if seen.count else None,
                id=str(status),
                marks=lasting(str(status), GIVEN_UP, f"the server answered {status}"),
            )
            for status in (416, 429, 500, 503)
        ),
        pytest.param(
            lambda seen: Answer(status=404),
            id="404",
            marks=lasting(
                "404", "the part is said to be absent; the others are kept", "the server answered 404"
            ),
        ),
    ],
)
def test_a_part_that_does_not_come(
    restored: Restore,
    cloud: FaultyServer,
    fake_database: FakeDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rule: Callable[[Request], Answer | None],
) -> None:
    monkeypatch.setattr(transfer, "SILENCE", 0.3)
    name = M1.names[2]
    cloud.rules.append(lambda seen: rule(seen) if seen.name == name else None)
    outcome = restored("--patience", "0.5")
    assert outcome.code == 4, outcome.err
    assert name in outcome.err
    assert "next: bxbackup restore" in outcome.err
    cloud.rules.clear()
    before = {other: cloud.count(other) for other in M1.names}
    outcome = restored()
    assert outcome.code == 0, outcome.err
    assert tree(tmp_path / "out") == M1.expected(dump=False)
    assert fake_database.loaded
    # of the first one two bytes, to see that it is the same backup
    assert [cloud.count(other) - before[other] for other in M1.names if other != name] == [1, 0, 0, 0]


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(
            403,
            marks=fault(
                *("403", "passing", 0, "asked for again at the end; complete"),
                "the server answered 403; asked again for what was missing",
            ),
        ),
        pytest.param(
            404,
            marks=fault(
                *("404", "passing", 4, "not asked for again; the same command goes on and ends complete"),
                "the server answered 404",
            ),
        ),
    ],
)
def test_a_refusal_that_passes(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path, status: int
) -> None:
    name = M1.names[2]
    cloud.rules.append(lambda seen: Answer(status=status) if seen.name == name and seen.count == 1 else None)
    outcome = restored()
    assert name in outcome.err
    assert restored().code == 0
    assert tree(tmp_path / "out") == M1.expected(dump=False)


@fault(
    "wrong Content-Length",
    "lasting",
    0,
    "each answer counts by its range and its bytes; complete",
    "restored:",
)
@pytest.mark.parametrize("length", [1000, 999_999], ids=["short", "long"])
def test_lengths_that_are_always_wrong(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path, length: int
) -> None:
    cloud.rules.append(lambda seen: Answer(headers={"Content-Length": str(length)}) if seen.count else None)
    outcome = restored()
    assert outcome.code == 0, outcome.err
    assert tree(tmp_path / "out") == M1.expected(dump=False)


@fault("Range ignored", "passing", 0, "what came already is not asked for twice; complete", "restored:")
def test_a_range_that_is_ignored_midway(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    cloud.rules.append(lambda seen: Answer(cut=20_000) if seen.count == 1 else Answer(ranges=seen.count != 2))
    assert restored().code == 0
    assert tree(tmp_path / "out") == M1.expected(dump=False)


@fault(
    *("wrong LN", "too many, at the source", 4, "all parts that are there are fetched and unpacked"),
    *("is not at the source … the server answered 404", "mark LN"),
)
def test_marks_that_speak_of_more_parts_than_the_source_has(
    run: Run, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    first = write(cloud.folder, small_site(entry("big.bin", random.Random(1).randbytes(30_000))))
    sound = first.read_bytes()
    first.write_bytes(empty_member(11, 4096) + sound[37:])
    command = (
        *("restore", cloud.url(first.name), "--to", tmp_path / "out", "--database", "d"),
        *("--state", tmp_path / "state"),
    )
    outcome = run(*command)
    assert outcome.code == 4, outcome.err
    assert "is not at the source" in outcome.err


HOSTILE = [
    entry("../outside.txt", b"x"),
    entry("/tmp/outside.txt", b"x"),
    entry("link", flag=b"2"),
    entry("hard", flag=b"1"),
]


@fault(
    *("entry that leaves the folder, is absolute or a link", "restore", 6),
    *("refused; nothing is written outside, nothing is loaded", "the product's own writer never makes this"),
    "form of the entry",
)
@pytest.mark.parametrize("hostile", HOSTILE, ids=["climb", "absolute", "symlink", "hard link"])
def test_a_restore_refuses_hostile_entries(
    run: Run, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path, hostile: bytes
) -> None:
    first = write(cloud.folder, entry("index.php", b"x") + hostile + small_site())
    outcome = run(
        *("restore", cloud.url(first.name), "--to", tmp_path / "to" / "out", "--database", "d"),
        *("--state", tmp_path / "state"),
    )
    assert outcome.code == 6
    assert not list(tmp_path.rglob("outside.txt"))
    assert not fake_database.loaded


# with a database


@pytest.fixture
def portal(server: DatabaseServer) -> Iterator[str]:
    """The name of a database that is not there yet."""
    name = f"portal_{uuid.uuid4().hex[:8]}"
    yield name
    server.rows(f"DROP DATABASE IF EXISTS `{name}`")


@fault(
    *(
        "part duplicated",
        "at the source",
        3,
        "where entries begin: the files are named, all else is restored",
    ),
    *("are suspect · part … get a sound part, or a new backup, and restore that into new folders", "headers"),
)
def test_a_part_in_anothers_place_at_the_source(
    run: Run, server: DatabaseServer, cloud: FaultyServer, tmp_path: Path, portal: str
) -> None:
    name = M1.names[3]
    shutil.copy(cloud.folder / M1.names[2], cloud.folder / name)
    outcome = run(
        *("restore", cloud.url(M1.names[0]), "--to", tmp_path / "out", "--database", portal),
        *("--state", tmp_path / "state", "--defaults-file", server.defaults_file),
    )
    assert outcome.code == 3
    assert name in outcome.err
    outcome = run("verify", tmp_path / "state" / "parts" / M1.names[0], "--json")
    assert outcome.code == 3
    assert outcome.json["parts"][3]["status"] == "duplicate"


@fault(
    *("dump cut before its last line", "restore", 3),
    *("what came is there, the database marked as unfinished", "is cut short: its end mark is missing"),
    "end line of the dump",
)
def test_a_restore_of_a_cut_dump_is_never_taken_for_a_whole_one(
    run: Run, server: DatabaseServer, tmp_path: Path, portal: str
) -> None:
    cut_dump = DUMP[: DUMP.rindex(b"-- Finished")]
    archive = write(tmp_path / "in", entry(DUMP_NAME, cut_dump) + entry("index.php", b"x"))
    outcome = run(
        *("restore", archive, "--to", tmp_path / "out", "--database", portal),
        *("--state", tmp_path / "state", "--defaults-file", server.defaults_file),
    )
    assert outcome.code == 3
    assert "bxbackup_load" in server.tables(portal)
    assert (tmp_path / "out" / "index.php").exists()


@fault(
    *("database not ours", "restore", 6, "refused before the first byte; nothing is touched"),
    *("is not empty and was not made by this state folder … nothing was changed", "mark in the database"),
)
def test_a_restore_leaves_other_databases_alone(
    run: Run, server: DatabaseServer, cloud: FaultyServer, tmp_path: Path, portal: str
) -> None:
    server.rows(f"CREATE DATABASE {portal}")
    server.rows(f"CREATE TABLE {portal}.theirs SELECT 7 AS n")
    outcome = run(
        *("restore", cloud.url(M1.names[0]), "--to", tmp_path / "out", "--database", portal),
        *("--state", tmp_path / "state", "--defaults-file", server.defaults_file),
    )
    assert outcome.code == 6
    assert cloud.requests == []
    assert not (tmp_path / "out").exists()
    assert server.tables(portal) == {"theirs"}
    assert server.rows(f"SELECT n FROM {portal}.theirs") == [(7,)]


@pytest.fixture
def small_server(tmp_path: Path) -> Iterator[DatabaseServer]:
    """A server with room for a few rows."""
    found = DatabaseServer(tmp_path / "server")
    found.start(*room(16))
    yield found
    found.end()


def room(mib: int) -> tuple[str, str]:
    """Options of a server whose tables have so much room."""
    return f"--innodb-data-file-path=ibdata1:12M:autoextend:max:{mib}M", "--innodb-file-per-table=0"


@fault(
    *("disk full", "database", 4, "stops; with room made there, the same command goes on and ends complete"),
    "the database server's disk is full … make room there … next: bxbackup load",
)
def test_a_database_without_room_is_told_and_gone_on_with(
    run: Run, small_server: DatabaseServer, tmp_path: Path
) -> None:
    table = b"CREATE TABLE `t` (\n  `A` int NOT NULL,\n  `B` text,\n  PRIMARY KEY (`A`)\n) ENGINE=InnoDB"
    rows = (
        b",\n".join(b"(%d, '%s')" % (at + n, b"x" * 4000) for n in range(50)) for at in range(0, 4000, 50)
    )
    folder = write_dump(tmp_path / "dump", table, *(b"INSERT INTO `t` VALUES\n" + some for some in rows))
    command = ("load", folder, "--database", "portal", "--defaults-file", small_server.defaults_file)
    assert run(*command).code == 4
    ((standing,),) = small_server.rows("SELECT COUNT(*) FROM portal.t")
    assert 0 < standing < 4000
    small_server.end()
    small_server.start(*room(200))
    outcome = run(*command)
    assert outcome.code == 0, outcome.err
    total = "SELECT COUNT(*), SUM(A), MIN(LENGTH(B)) FROM portal.t"
    assert small_server.rows(total) == [(4000, 4000 * 3999 // 2, 4000)]


# what cannot be seen, and the clock


@fault(
    *("bit flip", "no gzip around it", 0, "in a file's data: not seen; `verify` says how little it knows"),
    *("evidence: structure", "none but an ETag or an MD5 of `b_file_hash`"),
)
@pytest.mark.parametrize("password", [None, "Ключ 7"], ids=["tar", "enc"])
def test_a_flip_without_gzip_is_not_seen_and_verify_says_so(
    run: Run, tmp_path: Path, password: str | None
) -> None:
    stream = small_site(entry("upload/a.bin", random.Random(2).randbytes(20_000)))
    options: tuple[object, ...] = ()
    if password is not None:
        stream = encrypted(stream, password)
        (tmp_path / "password").write_text(password)
        options = ("--password-file", tmp_path / "password")
    first = write(tmp_path / "in", stream, Form(gzipped=False), "a.tar" if password is None else "a.enc")
    inner = first.with_name(f"{first.name}.3")
    data = bytearray(inner.read_bytes())
    data[1000] ^= 1
    inner.write_bytes(data)
    outcome = run("verify", first, *options)
    assert outcome.code == 0, outcome.out
    assert outcome.out.startswith("sound: ")
    assert "; evidence: structure\n" in outcome.out


class JumpingClock(datetime):
    """A wall clock that is set to another year each time somebody looks."""

    dice = random.Random(11)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> JumpingClock:
        return cls(cls.dice.randrange(1980, 2100), 1, 1, cls.dice.randrange(24), tzinfo=tz)


@fault("clock jumps", "restore", 0, "no decision rests on the wall clock; complete", "restored:")
def test_a_clock_that_jumps_changes_nothing(
    restored: Restore,
    cloud: FaultyServer,
    fake_database: FakeDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (state, status, transfer):
        monkeypatch.setattr(module, "datetime", JumpingClock)
    monkeypatch.setattr("time.time", lambda: JumpingClock.now(UTC).timestamp())
    monkeypatch.setattr(transfer, "nap", _no_nap)
    # the server lives in this process, and its own clock is not to jump
    clock = {"Date": "Fri, 20 Nov 2026 10:00:00 GMT", "Retry-After": "Fri, 20 Nov 2026 10:00:00 GMT"}
    busy = Answer(status=503, headers=clock)
    cloud.rules.append(lambda seen: busy if seen.count == 1 else None)
    (cloud.folder / M1.names[3]).rename(tmp_path / "away")
    assert restored("--between", "20:00-07:00").code == 4
    (tmp_path / "away").rename(cloud.folder / M1.names[3])
    outcome = restored("--between", "20:00-07:00")
    assert outcome.code == 0, outcome.err
    assert tree(tmp_path / "out") == M1.expected(dump=False)
    assert fake_database.loaded


async def _no_nap(_: float) -> None:
    pass


@pytest.mark.parametrize(
    ("option", "value"), [("--collation", "utf8mb4_nonsense_ci"), ("--time-zone", "Nowhere/Nothing")]
)
def test_what_the_server_does_not_know_is_a_usage_error_of_a_restore_too(
    run: Run, server: DatabaseServer, tmp_path: Path, portal: str, option: str, value: str
) -> None:
    command = [
        *("restore", M1.first, "--to", tmp_path / "out", "--database", portal, "--state", tmp_path / "state"),
        *("--defaults-file", server.defaults_file),
    ]
    outcome = run(*command, option, value)
    assert outcome.code == 2, outcome.err
    assert value in outcome.err
    assert run(*command).code == 0
