"""The tar stream: every dialect, cut anywhere, and the defects of the product's own writer."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from archive_builder import BLOCK, Form, entry, folder, header, padded, small_site, write
from backup_samples import Run
from faults import fault
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bxbackup.tarstream import Entry, Position, Problem, TarParser


@dataclass
class Collected:
    """A sink that keeps everything."""

    files: list[tuple[str, bytes]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    broken_files: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _entry: Entry | None = None
    _data: bytearray = field(default_factory=bytearray)

    def begin(self, entry: Entry) -> None:
        self._entry, self._data = entry, bytearray()

    def data(self, piece: memoryview) -> None:
        self._data += piece

    def end(self) -> None:
        assert self._entry is not None
        name = self._entry.name.decode("utf-8", "surrogateescape")
        if self._entry.kind == "directory":
            self.folders.append(name)
        else:
            self.files.append((name, bytes(self._data)))

    def broken(self) -> None:
        assert self._entry is not None
        self.broken_files.append(self._entry.name.decode())

    def problem(self, problem: Problem) -> None:
        self.problems.append(problem)

    def recover(self, entry: Entry, start: int, tail: bytes) -> None:
        return None


def read(*pieces: bytes) -> tuple[Collected, bool]:
    sink = Collected()
    parser = TarParser(sink)
    for piece in pieces:
        parser.feed(piece)
    return sink, parser.close()


def gnu(files: dict[str, bytes], form: int) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo("./" + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


LONG = "upload/" + "д" * 60 + "/" + "n" * 100 + ".txt"


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
def test_archives_of_other_writers_are_read(form: int) -> None:
    files = {"index.php": b"x", LONG: b"long", "big.bin": bytes(range(256)) * 40, "empty": b""}
    sink, whole = read(gnu(files, form))
    assert whole
    assert dict(sink.files) == files
    assert sink.problems == []


def test_ustar_prefixes_are_joined() -> None:
    name = "p" * 80 + "/" + "q" * 90
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo(name))
    assert read(target.getvalue())[0].files == [(name, b"")]


@pytest.mark.parametrize("length", [99, 100, 101, 255, 256, 257, 511, 512])
def test_names_of_every_length(length: int) -> None:
    name = ("d" * 50 + "/") * 20
    name = name[: length - 1] + "x"
    assert read(entry(name, b"data"))[0].files == [(name, b"data")]


@pytest.mark.parametrize("extra", [BLOCK, 3 * BLOCK])
def test_a_file_that_grew_while_archived_is_named(extra: int) -> None:
    grown = entry("log.txt", b"x" * (700 + extra), size=700)
    sink, whole = read(entry("a", b"1"), grown, entry("b", b"2"))
    assert whole
    assert [name for name, _ in sink.files] == ["a", "log.txt", "b"]
    assert [(found.kind, found.name, found.length) for found in sink.problems] == [
        ("skipped", b"log.txt", extra)
    ]


@pytest.mark.parametrize(
    ("left", "said", "swallowed"),
    [
        (0, 1024, [entry("next", b"n" * 10)]),
        (512, 1536, [entry("next", b"n" * 10)]),
        (100, 1000 + 2 * BLOCK, [folder("one"), folder("two"), entry("three")]),
        (512, 1024, [entry("longer", b"y" * 3000)]),
        (10, 2000, [entry(LONG, b"z" * 2000)]),
    ],
    ids=["to nothing", "by one file", "by three entries", "file beyond", "long name"],
)
def test_a_file_that_shrank_while_archived_is_named(left: int, said: int, swallowed: list[bytes]) -> None:
    shrunk = entry("shrunk.txt", b"s" * left, size=said)
    sink, _ = read(entry("a", b"1"), shrunk, *swallowed, entry("b", b"2"))
    assert ("swallowed", b"shrunk.txt") in [(found.kind, found.name) for found in sink.problems]
    assert ("b", b"2") in sink.files


@pytest.mark.parametrize("limit", [512, 1024, 4096, 1 << 20])
@pytest.mark.parametrize("left", [0, 10, 512, 700])
def test_swallowed_entries_are_recovered_and_never_passed_off_as_sound(
    run: Run, tmp_path: Path, left: int, limit: int
) -> None:
    beyond = bytes(range(1, 256)) * 20
    swallowed = [
        *(folder("one"), entry("one/a.php", b"a" * 700), entry("one/" + "n" * 120, b"long")),
        entry("one/beyond.bin", beyond),
    ]
    inner = b"".join(swallowed)
    blocks = -(-left // BLOCK) * BLOCK
    for cut in (0, 6 * BLOCK, 6 * BLOCK + 100):
        said = blocks + len(inner) - cut
        out = tmp_path / f"out{cut}"
        shrunk = header(b"log.txt", said) + padded(b"s" * left)
        stream = small_site(shrunk, *swallowed, entry("after.txt", b"after"))
        archive = write(tmp_path / f"in{cut}", stream, Form(limit=limit))
        outcome = run("unpack", archive, "--to", out)
        assert outcome.code == 3
        assert "log.txt" in outcome.err
        assert "3 of them recovered" in outcome.err
        assert f"at most its first {blocks:,} bytes" in outcome.err
        assert (out / "one" / "a.php").read_bytes() == b"a" * 700
        assert (out / "one" / ("n" * 120)).read_bytes() == b"long"
        assert (out / "one" / "beyond.bin").read_bytes() == beyond
        assert (out / "after.txt").read_bytes() == b"after"
        assert (out / "last.txt").read_bytes() == b"the end"
        assert run("verify", archive).code == 3


def test_recovering_takes_nothing_that_the_archive_holds_otherwise_and_nothing_unsafe(
    run: Run, tmp_path: Path
) -> None:
    inner = b"".join(entry(name, b"old") for name in ("index.php", "../escaped", "later.txt", "new"))
    stream = small_site(entry("data.bin", inner), entry("later.txt", b"newer"))
    archive = write(tmp_path / "in", stream)
    assert run("unpack", archive, "--to", tmp_path / "out").code == 3
    out = tmp_path / "out"
    assert (out / "index.php").read_bytes() == b"<?php\n"
    assert (out / "later.txt").read_bytes() == b"newer"
    assert (out / "new").read_bytes() == b"old"
    assert (out / "data.bin").read_bytes() == inner
    assert not (tmp_path / "escaped").exists()


def test_a_volume_of_another_backup_is_a_file_like_any_other(run: Run, tmp_path: Path) -> None:
    other = (
        b"middle of a file".ljust(BLOCK) + entry("index.php", b"old") + header(b"big", 9000) + bytes(BLOCK)
    )
    archive = write(
        tmp_path / "in", small_site(entry("upload/old.tar.2", other), entry("upload/o.enc", other))
    )
    outcome = run("unpack", archive, "--to", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert not (tmp_path / "out" / "big").exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.binary(max_size=1500), st.sampled_from(["sound", "grown", "shrunk"]), st.integers(1, 3)),
        min_size=1,
        max_size=8,
    )
)
def test_whatever_grew_or_shrank_is_named_and_nothing_sound_is_lost(
    files: list[tuple[bytes, str, int]],
) -> None:
    """A defect is reported; what stands right behind a file that shrank may be lost with it, nothing else."""
    stream = b""
    sound: dict[str, bytes] = {}
    strays = False
    for number, (data, what, blocks) in enumerate(files):
        name = f"file{number}"
        after_shrunk = number > 0 and files[number - 1][1] == "shrunk"
        if what == "sound" or after_shrunk:
            stream += entry(name, data)
            if not after_shrunk:
                sound[name] = data
        elif what == "grown":
            stream += entry(name, data + b"g" * (blocks * BLOCK), size=len(data))
            strays = True
        else:
            stream += entry(name, data, size=len(data) + BLOCK)
    stream += entry("next to last", b"") + entry("the end", b"end")
    sink, _ = read(stream)
    found = dict(sink.files)
    assert found["the end"] == b"end"
    for name, data in sound.items():
        assert found[name] == data
    assert not strays or sink.problems


def test_data_that_looks_like_an_archive_is_no_defect() -> None:
    looks = header(b"fake/name.txt", 4) + padded(b"data") + bytes(1024)
    far = header(b"fake/huge", 10**9) + bytes(512)
    archive = gnu({"x": b"1"}, tarfile.GNU_FORMAT)
    nested = entry("inner", b"i" * 600)
    sink, whole = read(
        *(entry("like.dat", looks), entry("far.dat", far), entry("upload/x.tar", archive)),
        *(entry("old.tar", nested), entry("end", b"e")),
    )
    assert whole
    assert sink.problems == []
    assert [name for name, _ in sink.files] == ["like.dat", "far.dat", "upload/x.tar", "old.tar", "end"]


def test_a_gap_of_known_length_costs_only_the_files_in_it() -> None:
    stream = b"".join(entry(f"file{n}", bytes([n]) * 1500) for n in range(6))
    sink = Collected()
    parser = TarParser(sink)
    parser.feed(stream[: 5 * BLOCK])
    parser.lost(6 * BLOCK)
    parser.feed(stream[11 * BLOCK :])
    assert parser.close()
    assert [name for name, _ in sink.files] == ["file0", "file3", "file4", "file5"]
    assert sink.broken_files == ["file1"]


def test_a_cut_stream_is_not_whole() -> None:
    stream = entry("a", b"1") + entry("b", b"2" * 2000)
    for length in (100, BLOCK + 10, 3 * BLOCK, len(stream) - 1, len(stream) - BLOCK):
        sink, whole = read(stream[:length])
        assert not whole
        assert ("b", b"2" * 2000) not in sink.files


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60
).filter(lambda name: name not in {".", ".."})
FILES = st.lists(
    st.tuples(st.lists(NAMES, min_size=1, max_size=4).map("/".join), st.binary(max_size=3000)), max_size=8
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FILES, st.data())
def test_any_stream_cut_anywhere_comes_out_the_same(
    files: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    files = [(name, body) for name, body in files if len(name.encode()) <= 512]
    stream = b"".join(entry(name, body) for name, body in files)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    sink = Collected()
    parser = TarParser(sink)
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        parser.feed(stream[start:end])
        kept = json.loads(json.dumps(parser.at.as_json()))
        parser = TarParser(sink, Position.from_json(kept))
    assert parser.close()
    assert sink.files == files
    assert sink.problems == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.one_of(st.binary(max_size=1200), FILES.map(lambda f: b"".join(entry(*x) for x in f))), max_size=6
    )
)
def test_no_bytes_whatsoever_stop_the_parser(pieces: list[bytes]) -> None:
    read(*pieces)


@pytest.mark.parametrize(
    ("hostile", "word"),
    [
        (entry("../outside.txt", b"x"), "leaves its folder"),
        (entry("a/../../outside.txt", b"x"), "leaves its folder"),
        (entry("/etc/outside.txt", b"x"), "absolute"),
        (entry("a/\u2025/outside.txt", b"x"), "leaves its folder"),
        (entry("link", flag=b"2"), "link"),
        (entry("hard", flag=b"1"), "link"),
        (entry("device", flag=b"3"), "device"),
        (entry("fifo", flag=b"6"), "device"),
    ],
    ids=["climb", "climb within", "absolute", "unicode dots", "symlink", "hard link", "device", "fifo"],
)
@fault(
    "entry that leaves the folder, is absolute or a link",
    "unpack and verify",
    6,
    "refused; nothing is written outside",
    "the archive holds … the product's own writer never makes this",
    "form of the entry",
)
def test_hostile_entries_are_refused(run: Run, tmp_path: Path, hostile: bytes, word: str) -> None:
    archive = write(tmp_path / "in" / "deep", small_site(hostile))
    outcome = run("unpack", archive, "--to", tmp_path / "in" / "out")
    assert outcome.code == 6
    assert word in outcome.err
    assert not list(tmp_path.rglob("outside.txt"))
    outcome = run("verify", archive, "--json")
    assert outcome.code == 6
    assert outcome.json["sound"] is False
    assert word in str(outcome.json["problems"])


def test_a_link_in_the_way_is_not_followed(run: Run, tmp_path: Path) -> None:
    archive = write(tmp_path / "in", small_site(folder("sub"), entry("sub/file.txt", b"new")))
    target = tmp_path / "out"
    assert run("unpack", archive, "--to", target).code == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    state = tmp_path / ".out.bxbackup"
    (state / "unpack.json").unlink()
    (target / "sub" / "file.txt").unlink()
    (target / "sub").rmdir()
    (target / "sub").symlink_to(elsewhere)
    assert run("unpack", archive, "--to", target).code == 6
    assert list(elsewhere.iterdir()) == []


def test_a_hard_link_is_not_written_through(run: Run, tmp_path: Path) -> None:
    archive = write(tmp_path / "in", small_site(entry("upload/a.txt", b"mine")))
    target = tmp_path / "out"
    assert run("unpack", archive, "--to", target).code == 0
    other = tmp_path / "other.txt"
    other.write_bytes(b"theirs")
    (tmp_path / ".out.bxbackup" / "unpack.json").unlink()
    (target / "upload" / "a.txt").unlink()
    (target / "upload" / "a.txt").hardlink_to(other)
    assert run("unpack", archive, "--to", target).code == 0
    assert other.read_bytes() == b"theirs"
    assert (target / "upload" / "a.txt").read_bytes() == b"mine"


def test_the_last_of_several_entries_counts_and_is_reported(run: Run, tmp_path: Path) -> None:
    archive = write(
        tmp_path / "in", small_site(entry("bitrix/.config.php", b"1"), entry("bitrix/.config.php", b"2"))
    )
    assert run("unpack", archive, "--to", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "bitrix" / ".config.php").read_bytes() == b"2"
    assert "more than once" in run("verify", archive).out


def test_names_in_cp1251_come_out_in_utf8(run: Run, tmp_path: Path) -> None:
    names = ["upload/Договор.txt", "upload/счёт №1.txt"]
    archive = write(tmp_path / "in", small_site(*(entry(name.encode("cp1251"), b"x") for name in names)))
    assert run("unpack", archive, "--to", tmp_path / "out").code == 0
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out" / "upload").iterdir()}
    assert found == set(names)


def test_special_files_get_side_names_and_are_never_executable(run: Run, tmp_path: Path) -> None:
    special = [
        "restore.php",
        ".htaccess",
        ".htsecure",
        "bitrix/.settings.php",
        "bitrix/php_interface/dbconn.php",
    ]
    archive = write(tmp_path / "in", small_site(*(entry(name, name.encode()) for name in special)))
    assert run("unpack", archive, "--to", tmp_path / "out").code == 0
    found = {
        str(path.relative_to(tmp_path / "out")): path
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert set(found) == {
        *(".htaccess.restore", ".htsecure.restore", "bitrix/.settings.restore.php", "index.php", "last.txt"),
        *("bitrix/php_interface/dbconn.restore.php", "bitrix/backup/small.sql"),
    }
    modes = {name: path.stat().st_mode & 0o777 for name, path in found.items()}
    assert not any(mode & 0o111 for mode in modes.values())
    assert modes["bitrix/.settings.restore.php"] == 0o600
    assert modes["bitrix/backup/small.sql"] == 0o600
