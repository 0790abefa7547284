"""The transfer alone: what a line, a server or a link may do, and what it costs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from archive_builder import Form, volumes
from faulty_server import Answer, FaultyServer, Request
from multidict import CIMultiDict

from bxbackup import transfer
from bxbackup.connections import MOST, Connections
from bxbackup.errors import AbsentError, BackupError, DamagedError, PasswordError
from bxbackup.pace import Window, parse_window
from bxbackup.remote import retry_after
from bxbackup.source import Part, open_source
from bxbackup.transfer import Transfer

NAME = "big.tar.gz"
SOURCES = Path(__file__).parents[1] / "src"


@dataclass
class Told:
    """Remembers what a transfer tells."""

    heads: list[bytes] = field(default_factory=list)
    total: int = 0
    ready_parts: list[str] = field(default_factory=list)
    errors: list[BackupError] = field(default_factory=list)
    repairs: list[tuple[str, str]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    wrong_heads: int = 0

    def head(self, first: Part, data: bytes) -> None:
        self.heads.append(data)
        if self.wrong_heads:
            self.wrong_heads -= 1
            raise PasswordError("the password does not open this backup")

    def planned(self, total: int, size: int) -> None:
        self.total = total

    def ready(self, part: Part, path: Path) -> None:
        self.ready_parts.append(part.name)

    def failed(self, part: Part, error: BackupError) -> None:
        self.errors.append(error)

    def repaired(self, what: str, part: str) -> None:
        self.repairs.append((part, what))

    def waiting(self, seconds: float) -> None:
        self.waits.append(seconds)


class Store:
    """A served backup of several parts and a folder to fetch them to."""

    def __init__(self, cloud: FaultyServer, folder: Path) -> None:
        self.cloud = cloud
        self.folder = folder
        folder.mkdir()
        self.parts: dict[str, bytes] = {}

    def serve(self, size: int, limit: int, **form: Any) -> None:
        """Serve random bytes, cut into parts of `limit` bytes."""
        for number, data in enumerate(
            volumes(random.Random(size).randbytes(size), Form(limit=limit, **form))
        ):
            name = f"{NAME}.{number}" if number else NAME
            (self.cloud.folder / name).write_bytes(data)
            self.parts[name] = data

    @property
    def size(self) -> int:
        return sum(len(data) for data in self.parts.values())

    def fetch(self, source: str | None = None, told: Told | None = None, **options: Any) -> Told:
        """One run of the transfer."""
        told = told or Told()
        fetching = Transfer(
            open_source(source or self.cloud.url(NAME)), self.folder, told, **{"patience": 2.0} | options
        )
        asyncio.run(fetching.run())
        return told

    def assert_complete(self) -> None:
        for name, data in self.parts.items():
            assert (self.folder / name).read_bytes() == data, name


@pytest.fixture
def store(cloud: FaultyServer, tmp_path: Path) -> Store:
    return Store(cloud, tmp_path / "parts")


def on(name: str, answer: Answer, *, first: int = 0, last: int = 10**9) -> Callable[[Request], Answer | None]:
    return lambda seen: answer if seen.name == name and first <= seen.count <= last else None


def on_all(answer: Answer) -> Callable[[Request], Answer | None]:
    return lambda seen: answer


@pytest.mark.parametrize(
    ("answer", "said", "first"),
    [
        (Answer(cut=20_000), "ended before all bytes had come", 1),
        (Answer(status=503), "the server answered 503", 0),
        (Answer(status=503), "the server answered 503", 1),
        (Answer(cut=0), "ended before all bytes had come", 0),
        (Answer(cut=0), "ended before all bytes had come", 1),
    ],
    ids=["cut", "503 when asked for", "503", "reset when asked for", "reset"],
)
def test_what_was_put_right_is_told(store: Store, answer: Answer, said: str, first: int) -> None:
    store.serve(300_000, 102_400)
    name = f"{NAME}.1"
    store.cloud.rules.append(on(name, answer, first=first, last=first))
    told = store.fetch()
    store.assert_complete()
    assert [part for part, _ in told.repairs] == [name]
    assert said in told.repairs[0][1]


def test_a_fault_that_comes_often_is_told_once_for_each_part(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "SMALLEST_SEGMENT", 10_000)
    monkeypatch.setattr(transfer, "LARGEST_SEGMENT", 10_000)
    store.serve(300_000, 102_400)
    store.cloud.rules.append(lambda seen: Answer(cut=5_000) if seen.count % 2 else None)
    told = store.fetch(connections=2)
    store.assert_complete()
    assert len(told.repairs) == len(set(told.repairs)) <= 4 * 2


def test_a_first_look_that_came_altered_makes_no_password_wrong(store: Store) -> None:
    store.serve(300_000, 102_400)
    data = bytearray(store.parts[NAME])
    data[60] ^= 1
    store.cloud.rules.append(on(NAME, Answer(body=bytes(data)), last=0))
    told = store.fetch(told=Told(wrong_heads=1))
    store.assert_complete()
    assert told.heads[0] != told.heads[1]
    assert [part for part, _ in told.repairs] == [NAME]
    with pytest.raises(PasswordError):
        store.fetch(told=Told(wrong_heads=2))


def test_a_number_of_parts_that_came_altered_is_not_believed(store: Store) -> None:
    store.serve(300_000, 102_400)
    data = bytearray(store.parts[NAME])
    assert data[12:14] == b"LN"
    data[14] = 1
    store.cloud.rules.append(on(NAME, Answer(body=bytes(data), etag=None), last=0))
    with pytest.raises(AbsentError, match="number of parts"):
        store.fetch()
    assert store.fetch().errors == []
    store.assert_complete()


def test_without_marks_an_expired_link_is_not_the_end_of_the_set(store: Store) -> None:
    store.serve(300_000, 51_200, marks=False)
    store.cloud.rules.append(lambda seen: Answer(status=403) if seen.name.endswith((".4", ".5")) else None)
    assert store.fetch().total == 4
    store.cloud.rules.clear()
    (store.folder / f"{NAME}.2").unlink()
    for refusal in (Answer(status=403), Answer(status=404)):
        store.cloud.rules[:] = [on_all(refusal)]
        with pytest.raises(AbsentError):
            store.fetch()
    store.cloud.rules.clear()
    assert store.fetch().total == 6
    store.assert_complete()


def test_a_dated_object_without_an_etag_that_changes_midway_is_begun_anew(store: Store) -> None:
    store.serve(307_200, 102_400, gzipped=False)
    name = f"{NAME}.1"
    old = bytes(len(store.parts[name]))
    before, after = ({"Last-Modified": formatdate(moment, usegmt=True)} for moment in (1e9, 2e9))
    store.cloud.rules += [
        on(name, Answer(body=old, etag=None, cut=50_000, headers=before), last=1),
        lambda seen: Answer(etag=None, headers=after),
    ]
    told = store.fetch(connections=1)
    store.assert_complete()
    assert (name, "changed at the source while it was fetched; begun anew") in told.repairs


NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": formatdate(NOW + 90, usegmt=True), "Date": formatdate(NOW, usegmt=True)}, 90),
        ({"Retry-After": formatdate(NOW - 90, usegmt=True), "Date": formatdate(NOW, usegmt=True)}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "Wed, 99 Foo 99999999999 99:99:99 GMT"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    found = retry_after(CIMultiDict(headers))
    if seconds is None:
        assert found is None
    else:
        assert found is not None
        assert seconds <= found <= seconds + min(1, seconds / 10)


def test_a_date_without_the_servers_clock_is_counted_from_ours() -> None:
    found = retry_after(CIMultiDict({"Retry-After": formatdate(time.time() + 50, usegmt=True)}))
    assert found is not None
    assert 45 < found < 52


def test_a_window_survives_a_clock_that_jumps(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.serve(300_000, 102_400)
    day = [datetime(2026, 11, 20, hour, 0) for hour in (12, 19, 3, 12, 21)]
    clock = iter(day[:4])
    monkeypatch.setattr(transfer, "local_time", lambda: next(clock, day[4]))
    waited: list[float] = []

    async def nap(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(transfer, "nap", nap)
    told = store.fetch(window=parse_window("20:00-07:00"), connections=1)
    store.assert_complete()
    assert waited
    assert told.waits[-1] == 0
    assert told.repairs == []


def test_a_night_of_waiting_is_no_night_without_a_byte(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was waited for a time window does not count as patience."""
    store.serve(300_000, 102_400)
    jumps = [0.0]
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + jumps[0])
    opened = iter([3600.0, 3600.0])
    monkeypatch.setattr(Window, "opens_in", lambda self, moment: next(opened, 0.0))

    async def nap(seconds: float) -> None:
        jumps[0] += 3600

    monkeypatch.setattr(transfer, "nap", nap)
    store.cloud.rules.append(on(NAME, Answer(status=500), last=0))
    told = store.fetch(window=parse_window("20:00-07:00"))
    assert told.errors == []
    store.assert_complete()


def test_a_damaged_part_costs_its_own_transfer_and_no_more(store: Store) -> None:
    store.serve(2_000_000, 102_400)
    name = f"{NAME}.7"
    data = bytearray(store.parts[name])
    data[50_000] ^= 1
    store.cloud.rules.append(
        on(name, Answer(body=bytes(data), etag=store.cloud.etag(store.parts[name])), first=1, last=1)
    )
    told = store.fetch(connections=4)
    store.assert_complete()
    assert [part for part, _ in told.repairs] == [name]
    heads = transfer.HEAD + 2 * len(store.parts)
    assert store.cloud.sent <= store.size + len(data) + heads
    # The others do not wait for it: it is ready later than parts behind it.
    assert len(told.ready_parts) == len(set(told.ready_parts)) == len(store.parts)


def test_where_the_etag_proves_our_copy_a_damaged_part_is_not_fetched_again(store: Store) -> None:
    store.serve(300_000, 102_400)
    name = f"{NAME}.1"
    data = bytearray(store.parts[name])
    data[50_000] ^= 1
    (store.cloud.folder / name).write_bytes(data)
    before = store.cloud.sent
    told = store.fetch()
    assert [(type(error), error.part) for error in told.errors] == [(DamagedError, name)]
    assert "at the source" in told.errors[0].what
    assert store.cloud.sent - before <= store.size + transfer.HEAD + 2 * len(store.parts)
    assert set(told.ready_parts) == set(store.parts) - {name}


@pytest.mark.parametrize("marks", [True, False], ids=["known number", "unknown number"])
@pytest.mark.parametrize("etag", ["md5", None], ids=["by its ETag", "by two fetches"])
def test_a_part_once_proved_damaged_at_the_source_is_never_fetched_again(
    store: Store, etag: str | None, marks: bool
) -> None:
    store.serve(307_200, 102_400, marks=marks)
    name = f"{NAME}.1"
    data = bytearray(store.parts[name])
    data[50_000] ^= 1
    (store.cloud.folder / name).write_bytes(data)
    dated = Answer(etag=etag, headers={"Last-Modified": formatdate(1e9, usegmt=True)})
    store.cloud.rules.append(on_all(dated))
    first = store.fetch().errors[0]
    before = store.cloud.sent
    for _ in range(2):
        told = store.fetch()
        assert [(type(error), error.headline()) for error in told.errors] == [
            (DamagedError, first.headline())
        ]
        assert set(told.ready_parts) == set(store.parts) - {name}
    assert store.cloud.sent - before < 1000
    (store.cloud.folder / name).write_bytes(store.parts[name])
    store.cloud.rules[:] = [on_all(Answer(etag=etag))]
    assert store.fetch().errors == []
    store.assert_complete()


def test_what_differs_from_a_true_md5_is_not_believed_though_its_form_is_right(store: Store) -> None:
    """A .tar shows no flipped bit; the server's ETag does, once another part's has proved to be an MD5."""
    store.serve(307_200, 102_400, gzipped=False)
    name = f"{NAME}.1"
    true = store.cloud.etag(store.parts[name])
    altered = bytearray(store.parts[name])
    altered[50_000] ^= 1
    store.cloud.rules.append(on(name, Answer(body=bytes(altered), etag=true), first=1))
    told = store.fetch(connections=1)
    assert [(type(error), error.part) for error in told.errors] == [(DamagedError, name)]
    assert "true MD5" in (told.errors[0].cause or "")
    store.cloud.rules.clear()
    assert store.fetch().errors == []
    store.assert_complete()


def test_an_etag_that_only_looks_like_an_md5_is_no_reason_to_refuse(store: Store) -> None:
    store.serve(307_200, 102_400, gzipped=False)
    store.cloud.rules.append(lambda seen: Answer(etag=f"{len(seen.name):032x}"))
    assert store.fetch().errors == []
    store.assert_complete()


def test_a_slow_connection_shares_its_piece_with_those_that_have_none(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_SMALLEST_TAIL", 20_000)
    store.serve(400_000, 409_600)
    store.cloud.rules.append(on(NAME, Answer(rate=20_000), first=1, last=1))
    store.fetch(connections=4)
    store.assert_complete()
    asked = [(seen.start, seen.end) for seen in store.cloud.requests[1:]]
    assert any(asked[0][0] < start < asked[0][1] for start, _ in asked[1:])


def test_a_connection_that_falls_silent_while_others_work_is_cut_soon(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Well before the time after which a silent line is given up, which here is never."""
    monkeypatch.setattr(transfer, "SILENCE", 600.0)
    monkeypatch.setattr(transfer, "STALL_SECONDS", 0.3)
    store.serve(400_000, 102_400)
    store.cloud.rules += [
        on(f"{NAME}.1", Answer(hang=20_000), first=1, last=1),
        lambda seen: Answer(rate=100_000) if seen.count else None,
    ]
    told = store.fetch(connections=3)
    store.assert_complete()
    assert [part for part, _ in told.repairs] == [f"{NAME}.1"]


def test_a_poor_line_costs_little_more_than_the_backup(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred parts, one comes damaged, a connection in thirty is reset in the middle of a piece."""
    monkeypatch.setattr(transfer, "SMALLEST_SEGMENT", 1 << 18)
    store.serve(30_000_000, 300_032, members=1)
    name = f"{NAME}.40"
    data = bytearray(store.parts[name])
    data[100_000] ^= 1
    etag = store.cloud.etag(store.parts[name])
    calls = itertools.count()
    store.cloud.rules += [
        on(name, Answer(body=bytes(data), etag=etag), first=1, last=1),
        lambda seen: Answer(cut=120_000) if seen.count and next(calls) % 30 == 7 else None,
    ]
    told = store.fetch(connections=4)
    store.assert_complete()
    assert name in {part for part, _ in told.repairs}
    assert store.size / store.cloud.sent >= 0.95


def test_an_undisturbed_transfer_costs_the_backup(store: Store) -> None:
    store.serve(20_000_000, 2_000_384, members=1)
    assert store.fetch(connections=4).repairs == []
    assert store.size / store.cloud.sent >= 0.98


FETCH = """
import asyncio, sys
from pathlib import Path
from bxbackup.source import open_source
from bxbackup.transfer import Transfer

class Told:
    def __getattr__(self, name): return lambda *_: None

asyncio.run(Transfer(open_source(sys.argv[1]), Path(sys.argv[2]), Told(), connections=4).run())
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_costs_a_few_mib_for_each_connection(store: Store, seed: int) -> None:
    store.serve(28_000_000, 14_000_128)
    store.cloud.rules.append(lambda seen: Answer(rate=3_000_000) if seen.count else None)
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    process = subprocess.Popen(
        [sys.executable, "-c", FETCH, store.cloud.url(NAME), str(store.folder)],
        env=environment | {"PYTHONPATH": str(SOURCES)},
    )
    deadline = time.monotonic() + 20
    goal = random.Random(seed).randrange(6_000_000, 22_000_000)
    while store.cloud.sent < goal and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    store.cloud.rules.clear()
    first = store.cloud.sent
    store.fetch(connections=4)
    store.assert_complete()
    again = store.cloud.sent - store.size
    assert first > 5_000_000
    assert again <= 4 * (4 << 20), f"{again:,} bytes again"


class Line:
    """A line on a clock of its own: so many bytes a second for so many connections."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rate: Callable[[int], float]) -> None:
        self.clock, self.bytes = 1000.0, 0.0
        self.rate = rate
        self.connections = Connections(lambda: int(self.bytes))
        self.seen: list[int] = []
        monkeypatch.setattr(time, "monotonic", lambda: self.clock)
        monkeypatch.setattr(asyncio, "sleep", self.pass_time)

    async def pass_time(self, seconds: float) -> None:
        if seconds >= 300:
            raise asyncio.CancelledError
        self.clock += seconds
        self.bytes += seconds * self.rate(self.connections.allowed)

    def run(self) -> int:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self.connections.tune(lambda: self.seen.append(self.connections.allowed)))
        return self.connections.allowed


@pytest.mark.parametrize(
    ("rate", "number"),
    [
        (lambda n: 800_000 * n, MOST),
        (lambda n: 800_000 * min(n, 8), 8),
        (lambda n: 800_000 * min(n, 4), 4),
        (lambda n: 800_000, 1),
        (lambda n: 500_000 * min(n, 2), 2),
        (lambda n: 1e6 / n, 1),
    ],
    ids=[
        "capped each",
        "eight fill it",
        "four fill it",
        "one fills it",
        "two fill it",
        "they hinder each other",
    ],
)
def test_as_many_connections_as_help(
    monkeypatch: pytest.MonkeyPatch, rate: Callable[[int], float], number: int
) -> None:
    assert Line(monkeypatch, rate).run() == number


def test_a_server_that_is_asked_too_much_is_asked_less(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(monkeypatch, lambda n: 800_000 * n)
    found = line.connections
    found.allowed = 16
    for _ in range(8):
        found.busy()
    assert found.allowed == 16
    found.busy()
    assert found.allowed == 8
    assert line.run() == 8
    line.clock += 60
    found.busy()
    assert found.allowed == 8
