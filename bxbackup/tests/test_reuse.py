"""Uploads of an earlier release are linked to where they are proved the same, and never altered."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from archive_builder import Form, entry, small_site, volumes, write
from backup_samples import M1, Outcome, Run, tree
from fake_database import FakeDatabase
from faulty_server import Answer, FaultyServer

from bxbackup import reuse, uploads
from bxbackup.unpacking import Unpacking

BIG = random.Random(7).randbytes(20_000)
SMALL = b"small"
Unpack = Callable[..., Outcome]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    stream = small_site(
        entry("upload/crm/1/big.jpg", BIG),
        entry("upload/crm/1/small.txt", SMALL),
        entry("upload/.big", BIG),
        entry("bitrix/modules/big.php", BIG),
    )
    return write(tmp_path / "archive", stream)


@pytest.fixture
def unpacked(run: Run, archive: Path, tmp_path: Path) -> Unpack:
    """Unpack to `old`, then anew to `new` from it."""
    assert run("unpack", archive, "--to", tmp_path / "old").code == 0
    return lambda *options: run(
        *("unpack", archive, "--to", tmp_path / "new", "--reuse-from", tmp_path / "old", *options)
    )


def pipe_instead(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def linked(tmp_path: Path) -> set[str]:
    """Files of the new release that are the old one's."""
    old, new = tmp_path / "old", tmp_path / "new"
    return {
        str(path.relative_to(new))
        for path in new.rglob("*")
        if path.is_file()
        and (there := old / path.relative_to(new)).exists()
        and there.stat().st_ino == path.stat().st_ino
    }


def test_only_uploads_worth_it_are_linked(unpacked: Unpack, tmp_path: Path) -> None:
    outcome = unpacked()
    assert outcome.code == 0, outcome.err
    assert tree(tmp_path / "new") == tree(tmp_path / "old")
    assert linked(tmp_path) == {"upload/crm/1/big.jpg"}
    assert not list((tmp_path / "new").rglob(".bxbackup*"))


def test_a_sample_with_links_equals_its_manifest(run: Run, tmp_path: Path) -> None:
    assert run("unpack", M1.first, "--to", tmp_path / "old").code == 0
    words = ("--to", tmp_path / "new", "--reuse-from", tmp_path / "old")
    outcome = run("unpack", M1.first, *words)
    assert outcome.code == 0
    large = {
        file["path"]
        for file in M1.manifest["files"]
        if file["path"].startswith("upload/") and file["size"] >= reuse.LEAST
    }
    assert linked(tmp_path) == large
    assert f"{len(large)} uploads" in outcome.out
    assert tree(tmp_path / "new") == M1.expected(dump=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"x" + BIG[1:]),
        lambda path: path.write_bytes(BIG + b"x"),
        lambda path: path.chmod(0o755),
        lambda path: path.unlink(),
        lambda path: (path.rename(path.with_name("other")), path.symlink_to("other")),
        lambda path: (path.parent.rename(path.parents[1] / "2"), path.parent.symlink_to("2")),
        pipe_instead,
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["content", "size", "mode", "gone", "link", "folder is a link", "pipe", "folder"],
)
def test_what_is_not_the_same_is_not_linked(
    unpacked: Unpack, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    change(tmp_path / "old/upload/crm/1/big.jpg")
    outcome = unpacked()
    assert outcome.code == 0, outcome.err
    assert linked(tmp_path) == set()
    assert (tmp_path / "new/upload/crm/1/big.jpg").read_bytes() == BIG


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_strangers_file_is_not_linked(unpacked: Unpack, tmp_path: Path) -> None:
    os.chown(tmp_path / "old/upload/crm/1/big.jpg", 65533, 65533)
    assert unpacked().code == 0
    assert linked(tmp_path) == set()


def test_where_no_link_can_be_made_the_own_file_stays(
    unpacked: Unpack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    assert unpacked().code == 0
    assert linked(tmp_path) == set()
    assert tree(tmp_path / "new") == tree(tmp_path / "old")


def test_the_folder_must_be_another_release(run: Run, archive: Path, tmp_path: Path) -> None:
    for name, code in (("new", 6), (".", 6), ("archive", 2), ("no", 2)):
        outcome = run("unpack", archive, "--to", tmp_path / "new", "--reuse-from", tmp_path / name)
        assert outcome.code == code, name
    assert not (tmp_path / "new").exists()


def test_a_run_killed_after_the_link_leaves_the_old_release_as_it_is(tmp_path: Path) -> None:
    """The checkpoint still says that the file is half written: going on must not write through the link."""
    huge = random.Random(8).randbytes(60_000)
    form = Form(limit=16_384)
    stream = small_site(entry("upload/huge.bin", huge))
    first = write(tmp_path / "parts", stream, form)
    parts = [first, *(first.with_name(f"{first.name}.{n}") for n in range(1, len(volumes(stream, form))))]

    def begin(name: str) -> Unpacking:
        for folder in (name, f"{name}-state"):
            (tmp_path / folder).mkdir(exist_ok=True)
        before = reuse.Earlier(tmp_path / "old") if name == "new" else None
        return Unpacking(tmp_path / f"{name}-state", {"site": tmp_path / name}, "one", None, earlier=before)

    work = begin("old")
    for part in parts:
        work.take(part, part.name)
    assert work.finish()
    work.close()
    for number, part in enumerate(parts, 1):
        work = begin("new")
        work.take(part, part.name)
        work.close()
        shutil.copytree(tmp_path / "new-state", tmp_path / f"kept-{number}")
    assert linked(tmp_path) == {"upload/huge.bin"}
    for number in range(1, len(parts)):
        shutil.rmtree(tmp_path / "new-state")
        shutil.copytree(tmp_path / f"kept-{number}", tmp_path / "new-state")
        work = begin("new")
        assert (tmp_path / "old/upload/huge.bin").read_bytes() == huge
        for part in parts[work.next :]:
            work.take(part, part.name)
        assert work.finish()
        work.close()
        assert (tmp_path / "old/upload/huge.bin").read_bytes() == huge
        assert tree(tmp_path / "new") == tree(tmp_path / "old")


# uploads that the backup only lists


@pytest.fixture
def listed(
    run: Run, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> Callable[..., Outcome]:
    """Restore a backup whose one upload is at the mirror, with an earlier release that has it."""
    there, old = cloud.folder / "cdn/b1/disk/big.pdf", tmp_path / "old/upload/disk/big.pdf"
    for path in (there, old):
        path.parent.mkdir(parents=True)
        path.write_bytes(BIG)
    text = f"2026-11-20 10:00:00 {len(BIG)} b1/disk/big.pdf\n".encode()
    archive = write(tmp_path / "listed", small_site(entry("bitrix/restore_cloud.txt", text)))
    return lambda *options: run(
        *("restore", archive, "--to", tmp_path / "new", "--database", "d", "--state", tmp_path / "state"),
        *("--uploads-from", f"{cloud.base}/cdn", "--reuse-from", tmp_path / "old", *options),
    )


def counts(tmp_path: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads((tmp_path / "state/status.json").read_text())["uploads"]
    return found


def test_a_listed_upload_is_linked_where_the_mirror_has_the_same(
    listed: Callable[..., Outcome], cloud: FaultyServer, tmp_path: Path
) -> None:
    outcome = listed()
    assert outcome.code == 0, outcome.err
    assert linked(tmp_path) == {"upload/disk/big.pdf"}
    assert cloud.sent <= 1
    assert (counts(tmp_path)["reused"], counts(tmp_path)["there"]) == (1, 1)


@pytest.mark.parametrize("etag", [None, "0" * 32, "5f3c-4e20", hashlib.md5(b"").hexdigest()])  # noqa: S324
def test_a_listed_upload_without_proof_is_fetched(
    listed: Callable[..., Outcome], cloud: FaultyServer, tmp_path: Path, etag: str | None
) -> None:
    cloud.rules.append(
        lambda seen: Answer(etag=etag) if seen.name.startswith("cdn/") and not seen.count else None
    )
    assert listed().code == 0
    assert linked(tmp_path) == set()
    assert (tmp_path / "new/upload/disk/big.pdf").read_bytes() == BIG
    assert counts(tmp_path)["reused"] == 0


def test_a_listed_upload_is_copied_where_no_link_can_be(
    listed: Callable[..., Outcome], cloud: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "link", lambda *_: False)
    assert listed().code == 0
    assert linked(tmp_path) == set()
    assert (tmp_path / "new/upload/disk/big.pdf").read_bytes() == BIG
    assert cloud.sent <= 1
    assert counts(tmp_path)["reused"] == 1
    assert not list((tmp_path / "new").rglob(".bxbackup*"))


def test_a_listed_upload_that_the_mirror_lacks_stays_missing(
    listed: Callable[..., Outcome], cloud: FaultyServer, tmp_path: Path
) -> None:
    """Without a word from the source nothing proves that the earlier file is the listed one."""
    (cloud.folder / "cdn/b1/disk/big.pdf").unlink()
    assert listed().code == 4
    assert linked(tmp_path) == set()
