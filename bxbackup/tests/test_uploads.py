"""Uploads that a backup only lists come from the mirrors, are checked, and what is missing is reported."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from archive_builder import entry, small_site, write
from backup_samples import Outcome, Run
from fake_database import FakeDatabase
from faulty_server import Answer, FaultyServer, Request

from bxbackup.errors import DamagedError, RefusedError
from bxbackup.uploads import Upload, read_list, url_of

Restore = Callable[..., Outcome]

FILES = {
    "crm/1/photo.jpg": random.Random(1).randbytes(70_000),
    "disk/Договор № 7 + копия.pdf": b"contract",
    "im/empty.bin": b"",
    "im/with  two spaces.txt": b"x" * 10,
}


@pytest.fixture
def listed(cloud: FaultyServer, tmp_path: Path) -> Path:
    """A backup with a list of uploads, which the server has below `cdn/b77`."""
    lines = ["<?php die(); ?>"]
    for path, data in FILES.items():
        target = cloud.folder / "cdn" / "b77" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        lines.append(f"2026-11-20 10:00:00 {len(data):10} b77/{path}")
    lines.append("2026-11-20 10:00:00          5 b77/resize_cache/1/small.jpg")
    text = "\n".join(lines).encode() + b"\n"
    return write(tmp_path / "listed", small_site(entry("bitrix/restore_cloud.php", text)))


@pytest.fixture
def restored(
    run: Run, listed: Path, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> Restore:
    """Restore it, with one mirror that has nothing before the one that has all."""

    def call(*more: str) -> Outcome:
        return run(
            *("restore", listed, "--to", tmp_path / "out", "--database", "d", "--state", tmp_path / "state"),
            *("--uploads-from", f"{cloud.base}/none", "--uploads-from", f"{cloud.base}/cdn", *more),
        )

    return call


def found(tmp_path: Path) -> dict[str, bytes]:
    root = tmp_path / "out" / "upload"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_listed_uploads_are_fetched_from_the_mirror_that_has_them(restored: Restore, tmp_path: Path) -> None:
    outcome = restored()
    assert outcome.code == 0, outcome.err
    assert found(tmp_path) == FILES
    status = json.loads((tmp_path / "state" / "status.json").read_text())
    assert status["uploads"] == {
        "total": 4,
        "there": 4,
        "size": sum(map(len, FILES.values())),
        "fetched": sum(map(len, FILES.values())),
        "missing": 0,
        "reused": 0,
        "reused_size": 0,
    }
    assert not (tmp_path / "out" / "bitrix" / "restore_cloud.php").exists()


def test_a_missing_upload_is_reported_and_tried_again(
    restored: Restore, cloud: FaultyServer, tmp_path: Path
) -> None:
    lost = cloud.folder / "cdn" / "b77" / "crm/1/photo.jpg"
    lost.unlink()
    outcome = restored()
    assert outcome.code == 4
    assert "1 of 4 uploads" in outcome.err
    report = json.loads((tmp_path / "state" / "uploads-missing.json").read_text())
    assert [missing["path"] for missing in report["missing"]] == ["crm/1/photo.jpg"]
    lost.write_bytes(FILES["crm/1/photo.jpg"])
    asked = len(cloud.requests)
    assert restored().code == 0
    assert found(tmp_path) == FILES
    assert {seen.name for seen in cloud.requests[asked:]} == {
        "none/b77/crm/1/photo.jpg",
        "cdn/b77/crm/1/photo.jpg",
    }


def test_a_file_that_is_listed_twice_is_fetched_once(
    run: Run, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    path = cloud.folder / "cdn/b1/disk/big.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(FILES["crm/1/photo.jpg"])
    line = f"2026-11-20 10:00:00 {path.stat().st_size} b1/disk/big.bin\n".encode()
    archive = write(tmp_path / "twice", small_site(entry("bitrix/restore_cloud.txt", line * 8)))
    cloud.rules.append(lambda seen: Answer(rate=200_000.0))
    outcome = run(
        *("restore", archive, "--to", tmp_path / "out", "--database", "d", "--state", tmp_path / "state"),
        *("--uploads-from", f"{cloud.base}/cdn"),
    )
    assert outcome.code == 0, outcome.err
    assert found(tmp_path) == {"disk/big.bin": FILES["crm/1/photo.jpg"]}
    assert cloud.count("cdn/b1/disk/big.bin") == 1


def test_missing_uploads_may_be_allowed(restored: Restore, cloud: FaultyServer, tmp_path: Path) -> None:
    (cloud.folder / "cdn" / "b77" / "im/empty.bin").unlink()
    outcome = restored("--allow-missing-uploads")
    assert outcome.code == 0
    assert json.loads((tmp_path / "state" / "status.json").read_text())["uploads"]["missing"] == 1


def test_what_was_allowed_to_be_missing_is_fetched_by_the_same_command_later(
    restored: Restore, cloud: FaultyServer, tmp_path: Path
) -> None:
    lost = cloud.folder / "cdn" / "b77" / "crm/1/photo.jpg"
    lost.unlink()
    assert restored("--allow-missing-uploads").code == 0
    (tmp_path / "out" / "upload" / "im" / "empty.bin").write_bytes(b"the portal has changed it")
    outcome = restored("--allow-missing-uploads")
    assert outcome.code == 0
    assert "1 uploads are missing" in outcome.out
    lost.write_bytes(FILES["crm/1/photo.jpg"])
    asked = len(cloud.requests)
    outcome = restored("--allow-missing-uploads")
    assert outcome.code == 0
    assert "1 of the missing uploads came" in outcome.out
    assert found(tmp_path) == FILES | {"im/empty.bin": b"the portal has changed it"}
    assert {seen.name.partition("/b77/")[2] for seen in cloud.requests[asked:]} == {"crm/1/photo.jpg"}
    status = json.loads((tmp_path / "state" / "status.json").read_text())
    assert status["state"] == "done"
    assert status["files"] > 0
    assert status["uploads"] == {
        "total": 4,
        "there": 4,
        "size": sum(map(len, FILES.values())),
        "fetched": sum(map(len, FILES.values())),
        "missing": 0,
        "reused": 0,
        "reused_size": 0,
    }
    assert "nothing was to do" in restored().out


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=503),
        Answer(cut=30_000),
        Answer(body=bytes(70_000), etag="0" * 32),
        Answer(body=b"short"),
        Answer(ranges=False),
    ],
    ids=["503", "cut", "other bytes", "short", "no ranges"],
)
def test_a_passing_fault_is_repaired(
    restored: Restore, cloud: FaultyServer, tmp_path: Path, answer: Answer
) -> None:
    def rule(seen: Request) -> Answer | None:
        return answer if seen.name.startswith("cdn/") and "photo" in seen.name and seen.count < 2 else None

    cloud.rules.append(rule)
    outcome = restored()
    assert outcome.code == 0, outcome.err
    assert found(tmp_path) == FILES


def test_the_list_is_read_as_the_format_says(tmp_path: Path) -> None:
    path = tmp_path / "restore_cloud.txt"
    path.write_text("2026-11-20 10:00:00      12 b1/a b/c.txt\n2026-11-20 10:00:00 3 b1/tmp/x\n\n")
    assert list(read_list(path)) == [Upload("b1/a b/c.txt", "a b/c.txt", 12)]
    assert url_of("https://cdn.example/", "b1/a b+%/я.txt") == "https://cdn.example/b1/a%20b%2B%25/%D1%8F.txt"
    path.write_text("what is this\n")
    with pytest.raises(DamagedError, match="line 1"):
        list(read_list(path))
    path.write_text("2026-11-20 10:00:00 12 b1/../../etc/passwd\n")
    with pytest.raises(RefusedError):
        list(read_list(path))
