"""The measures of a run: complete, appended, whole lines whatever happened to the file."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from archive_builder import small_site, write
from backup_samples import M1, Run
from fake_database import FakeDatabase
from faulty_server import Answer, FaultyServer, Request

from bxbackup.measures import Line, LineSlice, Measures, PartUnpack

UNPACKED = PartUnpack("a.tar.gz", 512, "2026-11-20T10:00:00+00:00", 0.25)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def of_kind(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in found if line["kind"] == kind]


@pytest.fixture
def command(cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path) -> list[object]:
    """A restore of sample M1 from the cloud."""
    return [
        *("restore", cloud.url(M1.names[0], "key=canary"), "--to", tmp_path / "out", "--database", "d"),
        *("--state", tmp_path / "state"),
    ]


def test_a_restore_measures_each_of_its_rooms(
    run: Run, command: list[object], cloud: FaultyServer, tmp_path: Path
) -> None:
    name = M1.names[2]
    good = (cloud.folder / name).read_bytes()
    bad = bytearray(good)
    bad[len(bad) // 2] ^= 4

    def rule(seen: Request) -> Answer | None:
        etag = cloud.etag(good)
        return Answer(body=bytes(bad), etag=etag) if (seen.name, seen.count) == (name, 1) else None

    cloud.rules.append(rule)
    assert run(*command).code == 0
    path = tmp_path / "state" / "measures.jsonl"
    assert path.stat().st_mode & 0o777 == 0o640
    assert "canary" not in path.read_text()
    found = read(path)
    sizes = {part["name"]: part["size"] for part in M1.manifest["parts"]}
    fetched = {part["name"]: part["fetched"] for part in of_kind(found, "part")}
    assert fetched == sizes | {name: 2 * sizes[name]}
    assert {part["name"]: part["bytes"] for part in of_kind(found, "part")} == sizes
    assert {part["name"]: part["repairs"] for part in of_kind(found, "part")} == dict.fromkeys(sizes, 0) | {
        name: 1
    }
    assert sum(line["bytes"] for line in of_kind(found, "line")) == sum(fetched.values())
    assert [(part["name"], part["bytes"]) for part in of_kind(found, "unpack")] == [
        (part["name"], part["uncompressed"]) for part in M1.manifest["parts"]
    ]
    assert {table["name"] for table in of_kind(found, "table")} == set(M1.manifest["tables"])
    for line in found:
        assert datetime.fromisoformat(line["started"]).tzinfo is not None
        assert line["seconds"] >= 0


def test_a_run_that_goes_on_appends_what_it_does(
    run: Run, command: list[object], cloud: FaultyServer, tmp_path: Path
) -> None:
    (cloud.folder / M1.names[2]).rename(cloud.folder / "away")
    assert run(*command).code == 4
    path = tmp_path / "state" / "measures.jsonl"
    before = path.read_bytes()
    (cloud.folder / "away").rename(cloud.folder / M1.names[2])
    assert run(*command).code == 0
    assert path.read_bytes().startswith(before)
    found = read(path)
    assert sorted(part["name"] for part in of_kind(found, "part")) == sorted(M1.names)
    assert {part["name"] for part in of_kind(found, "unpack")} == set(M1.names)


def test_parts_of_this_machine_have_no_line(run: Run, fake_database: FakeDatabase, tmp_path: Path) -> None:
    archive = write(tmp_path / "in", small_site())
    command = ("restore", archive, "--to", tmp_path / "out", "--database", "d", "--state", tmp_path / "state")
    assert run(*command).code == 0
    assert {line["kind"] for line in read(tmp_path / "state" / "measures.jsonl")} == {"unpack", "table"}


def test_a_torn_line_does_not_tear_the_next(tmp_path: Path) -> None:
    path = tmp_path / "measures.jsonl"
    path.write_text('{"kind": "line", "started"')
    for _ in range(2):
        Measures(path).add(UNPACKED)
    first, *others = path.read_text().splitlines()
    assert first == '{"kind": "line", "started"'
    assert [json.loads(line) for line in others] == [
        {"kind": "unpack", "name": "a.tar.gz", "bytes": 512, "started": UNPACKED.started, "seconds": 0.25}
    ] * 2


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    Measures(tmp_path / "absent" / "measures.jsonl").add(UNPACKED)
    Measures(Path("/dev/full")).add(UNPACKED)


def test_slices_leave_out_the_time_in_which_nothing_may_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, arrived = [0.0], [0]
    monkeypatch.setattr("bxbackup.measures.time.monotonic", lambda: clock[0])
    found: list[LineSlice] = []
    line = Line(lambda: arrived[0], found.append)

    def at(moment: float, total: int, *, waiting: bool = False) -> None:
        clock[0], arrived[0] = moment, total
        line.look(waiting=waiting)

    at(29, 2900)
    at(31, 3100)
    at(41, 4100, waiting=True)
    at(5000, 4100, waiting=True)
    at(5001, 4100)
    at(5032, 4100)
    clock[0], arrived[0] = 5033, 4110
    line.end()
    line.end()
    at(9000, 4110)
    assert [(cut.seconds, cut.bytes) for cut in found] == [(31, 3100), (10, 1000), (31, 0), (1, 10)]
