"""What is believed after a crash was on the disk before; a full disk in any room is told and survived."""

from __future__ import annotations

import errno
import itertools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from archive_builder import entry, small_site, write
from backup_samples import M1, Outcome, Run, tree
from fake_database import FakeDatabase
from faults import fault
from faulty_server import Answer, FaultyServer

from bxbackup import durable, transfer, unpack, unpacking
from bxbackup.durable import write_atomic
from bxbackup.errors import RefusedError

Wrap = Callable[..., Any]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The order in which bytes are made durable: what was called, and on what."""
    found: list[str] = []

    def name_of(descriptor: int) -> str:
        return Path(f"/proc/self/fd/{descriptor}").readlink().name

    def recorded(what: str, original: Wrap) -> Wrap:
        def call(descriptor: int, *rest: object) -> object:
            found.append(f"{what} {name_of(descriptor)}")
            return original(descriptor, *rest)

        return call

    monkeypatch.setattr(os, "fsync", recorded("fsync", os.fsync))
    monkeypatch.setattr(os, "fdatasync", recorded("fsync", os.fdatasync))
    monkeypatch.setattr(unpack, "sync_filesystem", recorded("syncfs", durable.sync_filesystem))
    rename = Path.rename

    def renamed(path: Path, target: Path) -> Path:
        found.append(f"rename {path.name} {target.name}")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", renamed)
    return found


def test_a_file_is_replaced_in_the_order_that_survives_a_power_cut(calls: list[str], tmp_path: Path) -> None:
    write_atomic(tmp_path / "state.json", b"{}")
    assert calls == ["fsync state.json.new", "rename state.json.new state.json", f"fsync {tmp_path.name}"]


def test_a_checkpoint_follows_what_it_speaks_of(calls: list[str], run: Run, tmp_path: Path) -> None:
    archive = write(tmp_path / "in", small_site(entry("big", bytes(9000))))
    assert run("unpack", archive, "--to", tmp_path / "out").code == 0
    checkpoint = [
        *("syncfs out", "fsync files.jsonl", "fsync unpack.json.new"),
        *("rename unpack.json.new unpack.json", "fsync .out.bxbackup"),
    ]
    seen = [call for call in calls if "bxbackup.json" not in call]
    made = seen[seen.index("syncfs out") :]
    assert len(made) % len(checkpoint) == 0
    assert made == checkpoint * (len(made) // len(checkpoint))
    note = json.loads((tmp_path / ".out.bxbackup" / "unpack.json").read_text())
    assert note["next"] == len(list((tmp_path / "in").iterdir()))


def test_every_volume_gets_its_checkpoint_where_the_disk_keeps_up(
    calls: list[str], monkeypatch: pytest.MonkeyPatch, run: Run, tmp_path: Path
) -> None:
    archive = write(tmp_path / "in", small_site(entry("big", bytes(20_000))))
    parts = len(list((tmp_path / "in").iterdir()))
    monkeypatch.setattr(unpacking, "_MOST_BEHIND", 0)
    assert run("unpack", archive, "--to", tmp_path / "out").code == 0
    assert calls.count("rename unpack.json.new unpack.json") == parts


def test_a_slow_disk_leaves_only_a_few_volumes_without_a_checkpoint(
    monkeypatch: pytest.MonkeyPatch, run: Run, tmp_path: Path
) -> None:
    kept: list[int] = []
    original = durable.write_json

    def slow(path: Path, value: dict[str, Any]) -> None:
        time.sleep(0.02)
        kept.append(value["next"])
        original(path, value)

    monkeypatch.setattr(unpacking, "write_json", slow)
    archive = write(tmp_path / "in", small_site(entry("big", bytes(200_000))))
    parts = len(list((tmp_path / "in").iterdir()))
    assert run("unpack", archive, "--to", tmp_path / "out").code == 0
    assert kept[-1] == parts
    assert all(after - before <= 4 for before, after in itertools.pairwise([0, *kept]))


def test_a_part_is_believed_after_its_bytes_its_name_and_its_note(
    calls: list[str], run: Run, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    outcome = run(
        *("restore", cloud.url(M1.names[0]), "--to", tmp_path / "out", "--database", "d"),
        *("--state", tmp_path / "state", "--connections", "1"),
    )
    assert outcome.code == 0, outcome.err
    for name in M1.names:
        steps = [f"fsync {name}.partial", f"rename {name}.partial {name}", "fsync parts"]
        places = [calls.index(step) for step in steps[:2]]
        noted = len(calls) - 1 - calls[::-1].index(f"rename {name}.json.new {name}.json")
        assert places[0] < places[1] < calls.index(steps[2], places[1]) < noted


def test_what_was_fetched_of_a_part_is_noted_after_its_bytes_are_on_the_disk(
    calls: list[str],
    run: Run,
    cloud: FaultyServer,
    fake_database: FakeDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transfer, "SAVE_EVERY", 8000)
    cloud.rules.append(lambda seen: Answer(rate=400_000) if seen.count else None)
    outcome = run(
        *("restore", cloud.url(M1.names[0]), "--to", tmp_path / "out", "--database", "d"),
        *("--state", tmp_path / "state", "--connections", "1"),
    )
    assert outcome.code == 0, outcome.err
    several = 0
    for name in M1.names:
        kinds = {f"{name}{ending}" for ending in (".partial", ".json.new")}
        mine = [call for call in calls if call.split()[1] in kinds]
        note = [f"fsync {name}.json.new", f"rename {name}.json.new {name}.json"]
        partial = [f"fsync {name}.partial", *note]
        steps = (len(mine) - 3) // 3
        assert mine == [*partial * steps, f"rename {name}.partial {name}", *note]
        several += steps > 1
    assert several


def full_after(bytes_written: int, original: Wrap, below: Path) -> Wrap:
    """A write that works until so many bytes were written below a folder."""
    left = [bytes_written]

    def call(descriptor: int, data: bytes, *rest: object) -> int:
        if not Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(below):
            return int(original(descriptor, data, *rest))
        if left[0] <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = int(original(descriptor, data[: left[0]], *rest))
        left[0] -= written
        return written

    return call


def full(place: str) -> pytest.MarkDecorator:
    ends = "stops; with room made, the same command goes on and ends complete"
    says = "the disk that holds … is full … bytes are free … next: bxbackup restore"
    return fault("disk full", place, 4, ends, says, "")


@pytest.mark.parametrize(
    ("function", "below", "room"),
    [
        pytest.param("pwrite", "state", 90_000, id="fetching", marks=full("parts")),
        pytest.param("write", "out", 50_000, id="unpacking", marks=full("target")),
        pytest.param("write", "state", 300_000, id="dump", marks=full("state and dump")),
        pytest.param("write", "state", 2000, id="checkpoint"),
    ],
)
def test_a_full_disk_stops_with_the_place_and_goes_on_when_there_is_room(
    run: Run,
    cloud: FaultyServer,
    fake_database: FakeDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    below: str,
    room: int,
) -> None:
    def restore() -> Outcome:
        return run(
            *("restore", cloud.url(M1.names[0]), "--to", tmp_path / "out", "--database", "d"),
            *("--state", tmp_path / "state"),
        )

    with monkeypatch.context() as patch:
        patch.setattr(os, function, full_after(room, getattr(os, function), tmp_path / below))
        outcome = restore()
    assert outcome.code == 4, outcome.err
    assert "full" in outcome.err
    assert "next: bxbackup restore" in outcome.err
    outcome = restore()
    assert outcome.code == 0, outcome.err
    assert tree(tmp_path / "out") == M1.expected(dump=False)
    assert fake_database.loaded


def test_too_small_a_disk_is_told_before_anything_is_fetched(
    run: Run,
    cloud: FaultyServer,
    fake_database: FakeDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Small:
        f_bavail = 100
        f_frsize = 512
        f_fsid = 1

    monkeypatch.setattr(os, "statvfs", lambda path: Small())
    outcome = run(
        *("restore", cloud.url(M1.names[0]), "--to", tmp_path / "out", "--database", "d"),
        *("--state", tmp_path / "state"),
    )
    assert outcome.code == 4
    assert "51,200 bytes are free" in outcome.err
    assert max(cloud.count(name) for name in M1.names) == 1


def test_a_folder_is_held_by_one_process(tmp_path: Path) -> None:
    with durable.locked(tmp_path):
        assert durable.is_locked(tmp_path)
        with pytest.raises(RefusedError), durable.locked(tmp_path):
            pass
    assert not durable.is_locked(tmp_path)
