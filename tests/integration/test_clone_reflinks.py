"""Where the file system shares blocks a copy begins with the former uploads, and neither sees the other."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from programs import find, needs

from boxlift_reader.order import Method
from boxlift_reader.state import State, Status
from roles.portal_clone.files.boxlift_clone import tree
from roles.portal_clone.files.boxlift_clone.order import Order
from tests.integration.source_server import ME, OLD

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="a file system is mounted as root alone"),
    needs("mkfs.xfs", package="xfsprogs"),
]
LARGE = 20 << 20
FILES = ("upload/disk/large.bin", "upload/disk/1.pdf", "upload/disk/2.pdf")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small XFS that shares blocks, in a file."""
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(512 << 20)
    subprocess.run([str(find("mkfs.xfs")), "-q", "-m", "reflink=1", str(image)], check=True)
    mounted = subprocess.run(
        ["mount", "-o", "loop", str(image), str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no XFS can be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def order(reader: Path, portal: Path, disk: Path, tmp_path: Path) -> Order:
    """A copy whose releases lie on that disk; production's are somewhere else, and of an earlier day."""
    (portal / "releases" / "final-1" / FILES[0]).write_bytes(os.urandom(LARGE))
    for name in FILES:
        os.utime(portal / "releases" / "final-1" / name, (1_000_000, 1_000_000))
    (disk / "releases").mkdir()
    return Order(
        release="clone-20261122100000",
        method=Method.PHYSICAL,
        ssh=reader,
        address="production",
        source="final-1",
        database=OLD,
        database_bytes=1000,
        base=disk,
        copies=tmp_path / "copies",
        owner=ME,
        account=ME,
        sockets=tmp_path,
        bandwidth_kb=0,
        memory_mb=32,
        settings=tmp_path,
        options_file=tmp_path / "client.cnf",
        collation="utf8mb4_unicode_ci",
        upload="upload",
        left_out=(),
        attachments=True,
        resume_hours=24.0,
    )


def pull(order: Order) -> dict[str, Any]:
    """Pull the files and serve them; the figures of the report."""
    order.folder.mkdir(parents=True, exist_ok=True)
    state = State(order.folder)
    state.bind(source=order.source, database=order.database, method=str(order.method))
    status = Status(order.folder)
    tree.begin(order, state, status)
    tree.pull(order, state, status)
    link = order.base / "current"
    link.unlink(missing_ok=True)
    link.symlink_to(f"releases/{order.release}")
    return state.figures("files")


def used(disk: Path) -> int:
    """Bytes that are in use, everything written."""
    os.sync()
    return shutil.disk_usage(disk).used


def equal(order: Order, portal: Path) -> bool:
    source = portal / "releases" / order.source
    return all((order.root / name).read_bytes() == (source / name).read_bytes() for name in FILES)


def test_a_second_copy_shares_blocks_and_no_inode(order: Order, portal: Path, disk: Path) -> None:
    second = dataclasses.replace(order, release="clone-20261122110000")
    assert pull(order)["shared"] == "nothing"
    before = used(disk)
    changed = portal / "releases" / "final-1" / FILES[1]
    changed.write_text("written since")
    figures = pull(second)
    assert (figures["shared"], figures["files"]) == ("reflinks", 1)
    assert equal(second, portal)
    assert (order.root / FILES[1]).read_text() == "file 1"
    assert used(disk) - before < LARGE // 4
    # In place, as the product does not write uploads: neither release sees the other's.
    for mine, other in ((order, second), (second, order)):
        assert (mine.root / FILES[0]).stat().st_nlink == 1
        with (mine.root / FILES[0]).open("r+b") as file:
            file.write(mine.release.encode())
        assert not (other.root / FILES[0]).read_bytes().startswith(mine.release.encode())


def test_a_run_that_was_cut_goes_on_the_same_way(order: Order, portal: Path) -> None:
    second = dataclasses.replace(order, release="clone-20261122110000")
    pull(order)
    # What a kill leaves: some files not begun, one whose time was not set yet.
    shutil.copytree(order.root / "upload", second.root / "upload")
    (second.root / FILES[1]).unlink()
    (second.root / FILES[2]).write_text("FILE 2")
    figures = pull(second)
    assert figures["shared"] == "reflinks"
    assert equal(second, portal)
    for release in (order, second):
        assert {(release.root / name).stat().st_nlink for name in FILES} == {1}
