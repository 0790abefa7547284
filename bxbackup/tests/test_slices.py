"""Archives of other programs: one gzip stream cut by bytes, parts compressed anew, one file of GNU tar."""

from __future__ import annotations

import gzip
import io
import random
import subprocess
import tarfile
from pathlib import Path

import pytest
from archive_builder import DUMP_NAME, Form, encrypted, entry, small_site, volumes, write_volumes
from backup_samples import Run, tree
from fake_database import FakeDatabase
from faulty_server import FaultyServer
from hypothesis import given, settings
from hypothesis import strategies as st

from bxbackup import unpacking
from bxbackup.errors import DamagedError
from bxbackup.unpack import Room
from bxbackup.unpacking import Unpacking
from bxbackup.volume import Slices, VolumeReader, are_slices

STREAM = small_site(
    *(entry(f"upload/{number}.bin", random.Random(number).randbytes(7000)) for number in range(20)),
    entry("upload/text.txt", b"the same again and again " * 2000),
)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def members(stream: bytes) -> bytes:
    """A gzip file of several members, as `cat` of parts makes it."""
    return b"".join(gzip.compress(piece) for piece in cut(stream, 50_001))


@pytest.fixture
def expected(run: Run, tmp_path: Path) -> dict[str, tuple[str, str | None]]:
    whole = write_volumes(tmp_path / "whole", volumes(STREAM, Form(limit=1 << 20)))
    assert run("unpack", whole, "--to", tmp_path / "expected").code == 0
    return tree(tmp_path / "expected")


@pytest.mark.parametrize("size", [1000, 30_000, 100_000])
@pytest.mark.parametrize("one", [True, False], ids=["one member", "several members"])
def test_a_gzip_stream_cut_by_bytes_is_read(
    run: Run, tmp_path: Path, expected: dict[str, tuple[str, str | None]], size: int, one: bool
) -> None:
    data = gzip.compress(STREAM) if one else members(STREAM)
    first = write_volumes(tmp_path / "in", cut(data, size))
    outcome = run("verify", first, "--json")
    assert outcome.code == 0, outcome.out
    assert {part["evidence"] for part in outcome.json["parts"]} == {"crc"}
    assert run("unpack", first, "--to", tmp_path / "out").code == 0
    assert tree(tmp_path / "out") == expected


def test_an_encrypted_stream_cut_by_bytes_is_read(
    run: Run, tmp_path: Path, expected: dict[str, tuple[str, str | None]]
) -> None:
    data = gzip.compress(encrypted(STREAM, "Ключ 7"))
    first = write_volumes(tmp_path / "in", cut(data, 30_001), "a.enc.gz")
    (tmp_path / "password").write_text("Ключ 7")
    options = ("--password-file", tmp_path / "password")
    assert run("verify", first, *options).code == 0
    assert run("unpack", first, "--to", tmp_path / "out", *options).code == 0
    assert tree(tmp_path / "out") == expected


def test_a_stop_between_slices_is_gone_on_from(
    tmp_path: Path, expected: dict[str, tuple[str, str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "_MOST_BEHIND", 0)
    slices = cut(gzip.compress(STREAM), 20_000)
    first = write_volumes(tmp_path / "in", slices)
    rooms: dict[Room, Path] = {"site": tmp_path / "out"}
    rooms["site"].mkdir()
    for number in range(len(slices)):
        work = Unpacking(tmp_path, rooms, "test", None)
        assert work.next == number
        path = first.with_name(f"{first.name}.{number}" if number else first.name)
        work.take(path, path.name)
        if number == len(slices) - 1:
            assert work.finish()
        work.close()
    assert tree(tmp_path / "out") == expected


@pytest.mark.parametrize("number", [1, 3])
def test_a_damaged_slice_is_named(run: Run, tmp_path: Path, number: int) -> None:
    slices = cut(gzip.compress(STREAM), 30_000)
    broken = bytearray(slices[number])
    broken[100:140] = bytes(40)
    first = write_volumes(tmp_path / "in", [*slices[:number], bytes(broken), *slices[number + 1 :]])
    outcome = run("verify", first, "--json")
    assert outcome.code == 3
    assert "damaged" in {part["status"] for part in outcome.json["parts"][number:]}
    assert {part["status"] for part in outcome.json["parts"][:number]} == {"ok"}
    assert run("unpack", first, "--to", tmp_path / "out").code == 3


def test_missing_last_slices_are_absent(run: Run, tmp_path: Path) -> None:
    first = write_volumes(tmp_path / "in", cut(gzip.compress(STREAM), 30_000)[:3])
    assert run("verify", first).code == 4
    assert run("unpack", first, "--to", tmp_path / "out").code == 4


def test_a_missing_inner_slice_is_named(run: Run, tmp_path: Path) -> None:
    first = write_volumes(tmp_path / "in", cut(gzip.compress(STREAM), 30_000))
    first.with_name(first.name + ".2").unlink()
    outcome = run("verify", first, "--json")
    assert outcome.json["parts"][2]["status"] == "missing"
    assert outcome.code in (3, 4)
    assert run("unpack", first, "--to", tmp_path / "out").code == 4


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT])
def test_one_file_of_another_program_is_read(run: Run, tmp_path: Path, form: int) -> None:
    name = "www/bitrix/" + "l" * 90 + "/" + "n" * 60 + ".php"
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        for one in ("mysql_dump_sitemanager_20.11.2026_x1.sql", name):
            info = tarfile.TarInfo("./" + one)
            data = b"-- Dump completed on 2026-11-20" if one.endswith("sql") else b"x"
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    first = write_volumes(tmp_path / "in", [gzip.compress(target.getvalue())], "www_backup_x.tar.gz")
    outcome = run("verify", first, "--json")
    assert outcome.json["parts"][0]["evidence"] == "crc"
    assert run("unpack", first, "--to", tmp_path / "out").code == 0
    assert (tmp_path / "out" / name).read_bytes() == b"x"


def test_parts_that_gzip_made_anew_are_read(
    run: Run, tmp_path: Path, expected: dict[str, tuple[str, str | None]]
) -> None:
    pieces = volumes(STREAM, Form(limit=51_200, gzipped=False))
    packed = []
    for piece in pieces:
        done = subprocess.run(["gzip", "-9c"], input=piece, capture_output=True, check=True)
        packed.append(done.stdout)
    first = write_volumes(tmp_path / "in", packed)
    assert run("verify", first).code == 0
    assert run("unpack", first, "--to", tmp_path / "out").code == 0
    assert tree(tmp_path / "out") == expected


def test_slices_are_restored_over_http(
    run: Run,
    cloud: FaultyServer,
    fake_database: FakeDatabase,
    tmp_path: Path,
    expected: dict[str, tuple[str, str | None]],
) -> None:
    names = write_volumes(cloud.folder, cut(gzip.compress(STREAM), 30_000), "s.tar.gz")
    command = (
        *("restore", cloud.url("s.tar.gz"), "--to", tmp_path / "out", "--database", "d"),
        *("--state", tmp_path / "state"),
    )
    third = names.with_name("s.tar.gz.2")
    third.rename(cloud.folder / "away")
    assert run(*command).code == 4
    (cloud.folder / "away").rename(third)
    outcome = run(*command)
    assert outcome.code == 0, outcome.err
    dump = ("bitrix", "bitrix/backup", DUMP_NAME)
    assert tree(tmp_path / "out") == {name: what for name, what in expected.items() if name not in dump}


@settings(max_examples=60, deadline=None)
@given(
    st.binary(min_size=1, max_size=4000),
    st.lists(st.integers(1, 400), min_size=1, max_size=30),
    st.booleans(),
)
def test_any_cut_of_a_stream_gives_the_stream(data: bytes, sizes: list[int], one: bool) -> None:
    data = data + bytes(-len(data) % 512)
    packed = gzip.compress(data) if one else b"".join(gzip.compress(piece) for piece in cut(data, 300))
    slices, found, at = Slices(), b"", 0
    while at < len(packed):
        size = sizes[at % len(sizes)]
        reader = VolumeReader(io.BytesIO(packed[at : at + size]), "part", slices=slices)
        found += b"".join(reader.blocks())
        at += size
    assert found == data
    assert slices.whole


@given(st.binary(min_size=30, max_size=200), st.binary(max_size=40))
def test_no_bytes_whatsoever_stop_a_slice_but_with_its_own_error(start: bytes, rest: bytes) -> None:
    slices = Slices()
    for piece in (gzip.compress(start)[:20], rest or b"x", start):
        try:
            for _ in VolumeReader(io.BytesIO(piece), "part", slices=slices).blocks():
                pass
        except DamagedError:
            assert slices.broken
            assert not slices.whole


def test_slices_are_told_from_parts() -> None:
    part = volumes(bytes(2000), Form(limit=1024))
    assert not are_slices(part[0], part[1])
    assert not are_slices(part[0], b"<Error>")
    assert not are_slices(gzip.compress(b"x"), gzip.compress(b"y"))
    assert not are_slices(gzip.compress(b"x"), b"")
    assert are_slices(gzip.compress(b"x"), b"any bytes")
