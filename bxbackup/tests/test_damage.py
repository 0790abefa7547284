"""Each kind of damage has its exit code, and names the part, the place and how strong the evidence is."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from archive_builder import (
    DUMP,
    DUMP_NAME,
    Form,
    empty_member,
    encrypted,
    entry,
    folder,
    small_site,
    volumes,
    write,
    write_volumes,
)
from backup_samples import M1, M3, Run, tree
from faults import fault

RANDOM = random.Random(3)
BIG = entry("upload/big.bin", RANDOM.randbytes(30_000))


NAMED = "the part is named; nothing else is lost; with a sound part the same command goes on"


def stored(tmp_path: Path) -> list[Path]:
    """A copy of sample M1; the paths of its parts."""
    shutil.copytree(M1.folder, tmp_path / "in")
    return [tmp_path / "in" / name for name in M1.names]


def cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def cut_last_member(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"\x1f\x8b\x08")])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def error_text(path: Path) -> None:
    path.write_bytes(b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>")


def other_bytes(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def garbage_behind(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"garbage")


@pytest.mark.parametrize("number", [0, 2, 4])
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(
            lambda path: cut(path, 0.38),
            id="cut at 38 %",
            marks=fault(
                *("truncation at 38 %", "parts on disk", 3, NAMED),
                *("damaged: is cut short: gzip member …, from byte …, has no end", "a member without an end"),
            ),
        ),
        pytest.param(
            cut_last_member,
            id="cut between members",
            marks=fault(
                *("truncation on a member boundary", "parts on disk", 3, NAMED),
                *("is cut short: its size mark says … bytes, its … gzip members hold", "size mark BX"),
            ),
        ),
        pytest.param(
            empty,
            id="empty",
            marks=fault("part empty", "parts on disk", 3, NAMED, "is empty", "size"),
        ),
        pytest.param(
            error_text,
            id="error text",
            marks=fault(
                *("S3 error body instead of a part", "parts on disk", 3, NAMED),
                *("is not a volume: it holds a storage server's error text: AccessDenied", "form"),
            ),
        ),
        pytest.param(other_bytes, id="other bytes"),
        pytest.param(garbage_behind, id="garbage behind"),
    ],
)
def test_a_damaged_part_is_named(
    run: Run, tmp_path: Path, damage: Callable[[Path], None], number: int
) -> None:
    paths = stored(tmp_path)
    damage(paths[number])
    outcome = run("verify", paths[0], "--json")
    assert outcome.code == 3
    verdict = outcome.json
    assert verdict["sound"] is False
    assert [n for n, part in enumerate(verdict["parts"]) if part["status"] == "damaged"] == [number]
    assert verdict["parts"][number]["error"]
    outcome = run("unpack", paths[0], "--to", tmp_path / "out")
    assert outcome.code == 3
    assert M1.names[number] in outcome.err


@pytest.mark.parametrize("number", [1, 3, 4])
@fault(
    "part missing",
    "parts on disk",
    4,
    "the part is named before anything is written",
    "parts are missing: …",
    "mark LN",
)
def test_a_missing_part_is_named(run: Run, tmp_path: Path, number: int) -> None:
    paths = stored(tmp_path)
    paths[number].unlink()
    outcome = run("verify", paths[0], "--json")
    assert outcome.code == 4
    assert [part["status"] for part in outcome.json["parts"]].index("missing") == number
    assert len(outcome.json["parts"]) == 5
    assert run("inspect", paths[0]).code == 4
    outcome = run("unpack", paths[0], "--to", tmp_path / "out")
    assert outcome.code == 4
    assert M1.names[number] in outcome.err


def test_damaged_wins_over_missing(run: Run, tmp_path: Path) -> None:
    paths = stored(tmp_path)
    paths[1].unlink()
    cut(paths[3], 0.5)
    outcome = run("verify", paths[0], "--json")
    assert outcome.code == 3
    assert [part["status"] for part in outcome.json["parts"]] == ["ok", "missing", "ok", "damaged", "ok"]


def site_of_parts(tmp_path: Path, stream: bytes, **form: Any) -> tuple[Path, list[Path]]:
    first = write(tmp_path / "in", stream, Form(**form))
    return first, sorted(first.parent.iterdir(), key=lambda path: (len(path.name), path.name))


@fault(
    "part duplicated",
    "where entries begin",
    3,
    "the part is called a duplicate",
    "duplicate",
    "headers, and equal content",
)
def test_a_part_put_twice_is_called_a_duplicate_where_the_archive_breaks(run: Run, tmp_path: Path) -> None:
    files = b"".join(entry(f"f{n}.txt", RANDOM.randbytes(900)) for n in range(30))
    first, paths = site_of_parts(tmp_path, small_site(files))
    shutil.copy(paths[2], paths[4])
    outcome = run("verify", first, "--json")
    assert outcome.code == 3
    assert {part["status"] for part in outcome.json["parts"]} == {"ok", "duplicate"}
    assert outcome.json["parts"][4]["status"] == "duplicate"


def test_equal_parts_alone_are_no_problem(run: Run, tmp_path: Path) -> None:
    stream = small_site(entry("zeros.bin", bytes(40_000)))
    first, _ = site_of_parts(tmp_path, stream)
    outcome = run("verify", first, "--json")
    assert outcome.code == 0
    assert outcome.json["problems"] == []


@fault(
    "part replaced by another of equal size",
    "where entries begin",
    3,
    "the files concerned are named; the rest is restored",
    "suspect",
    "headers",
)
def test_swapped_parts_are_found_where_entries_begin(run: Run, tmp_path: Path) -> None:
    files = b"".join(entry(f"f{n}.txt", RANDOM.randbytes(900)) for n in range(30))
    first, paths = site_of_parts(tmp_path, small_site(files))
    two, three = paths[2].read_bytes(), paths[3].read_bytes()
    paths[2].write_bytes(three)
    paths[3].write_bytes(two)
    assert run("verify", first).code == 3
    assert run("unpack", first, "--to", tmp_path / "out").code == 3


@fault(
    "part replaced by another of equal size",
    "inside of one file",
    0,
    "not seen; `verify` says how little it knows",
    "evidence: crc+bx",
    "none but an ETag or an MD5 of `b_file_hash`",
)
def test_swapped_inner_parts_of_one_file_cannot_be_seen_and_verify_says_how_little_it_knows(
    run: Run, tmp_path: Path
) -> None:
    first, paths = site_of_parts(tmp_path, small_site(BIG))
    two, three = paths[2].read_bytes(), paths[3].read_bytes()
    paths[2].write_bytes(three)
    paths[3].write_bytes(two)
    outcome = run("verify", first, "--json")
    assert outcome.code == 0
    assert {part["evidence"] for part in outcome.json["parts"]} == {"crc+bx"}
    assert "; evidence: crc+bx\n" in run("verify", first).out


@pytest.mark.parametrize(
    ("mark", "code"),
    [
        pytest.param(
            *(9, 4),
            id="too many",
            marks=fault(
                "wrong LN",
                "too many",
                4,
                "the parts that the mark speaks of are named",
                "missing: the part is not there",
                "mark LN",
            ),
        ),
        pytest.param(
            *(3, 3),
            id="too few",
            marks=fault(
                "wrong LN",
                "too few",
                3,
                "the part beyond the mark is named",
                "the first part says … parts, … are there",
                "mark LN",
            ),
        ),
    ],
)
def test_a_wrong_number_of_parts_in_the_mark(run: Run, tmp_path: Path, mark: int, code: int) -> None:
    first, paths = site_of_parts(tmp_path, small_site(BIG))
    size = int.from_bytes(first.read_bytes()[18:22], "little")
    first.write_bytes(empty_member(mark, size) + first.read_bytes()[37:])
    assert len(paths) > 4
    assert run("verify", first).code == code


def test_a_part_of_another_size_than_the_others_is_found(run: Run, tmp_path: Path) -> None:
    parts = volumes(small_site(BIG), Form())
    parts[2] = volumes(small_site(BIG)[2 * 4096 : 2 * 4096 + 3584], Form(limit=3584))[0]
    first = write_volumes(tmp_path / "in", parts)
    outcome = run("verify", first, "--json")
    assert outcome.code == 3
    assert "small.tar.gz.2" in str(outcome.json["problems"])


def test_a_part_that_holds_more_than_it_announces_stops_at_once(run: Run, tmp_path: Path) -> None:
    bomb = volumes(bytes(50_000_000), Form(limit=50_000_000, members=1))[0]
    first = write_volumes(tmp_path / "in", [empty_member(0, 4096) + bomb[37:]])
    outcome = run("verify", first, "--json")
    assert outcome.code == 3
    assert outcome.json["parts"][0]["uncompressed"] < 4_000_000
    assert "announces" in outcome.json["parts"][0]["error"]


@pytest.mark.parametrize("keep", [len(DUMP) - 1, len(DUMP) - 45, 100])
@fault(
    "dump cut before its last line",
    "verify",
    3,
    "the dump is called cut short",
    '"complete": false',
    "end line of the dump",
)
def test_a_dump_without_its_end_line_is_cut_short(run: Run, tmp_path: Path, keep: int) -> None:
    stream = entry(DUMP_NAME, DUMP[:keep]) + entry("index.php", b"x")
    if keep == len(DUMP) - 1:
        stream = entry(DUMP_NAME, DUMP.replace(b"-- Finished", b"-- Fnished")) + entry("index.php", b"x")
    first, _ = site_of_parts(tmp_path, stream)
    outcome = run("verify", first, "--json")
    assert outcome.code == 3
    assert outcome.json["dump"]["complete"] is False


@pytest.mark.parametrize(
    "form", [{"marks": False}, {"gzipped": False}, {"marks": False, "limit": 1 << 20}], ids=str
)
def test_archives_without_marks_are_read(run: Run, tmp_path: Path, form: dict[str, Any]) -> None:
    stream = small_site(BIG, folder("empty"))
    first, _ = site_of_parts(tmp_path, stream, **form)
    outcome = run("verify", first, "--json")
    assert outcome.code == 0
    assert {part["evidence"] for part in outcome.json["parts"]} == {
        "crc" if form.get("gzipped", True) else "structure"
    }
    assert run("unpack", first, "--to", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "upload" / "big.bin").stat().st_size == 30_000


def test_without_a_mark_a_missing_end_is_absent_not_damaged(run: Run, tmp_path: Path) -> None:
    first, paths = site_of_parts(tmp_path, small_site(BIG), marks=False)
    for path in paths[-3:]:
        path.unlink()
    assert run("verify", first).code == 4
    assert run("unpack", first, "--to", tmp_path / "out").code == 4


@pytest.mark.parametrize("blowfish", [False, True], ids=["aes", "blowfish"])
@pytest.mark.parametrize("gzipped", [False, True], ids=["enc", "enc.gz"])
def test_encrypted_archives_of_several_parts(run: Run, tmp_path: Path, blowfish: bool, gzipped: bool) -> None:
    stream = small_site(BIG)
    form = Form(gzipped=gzipped)
    first = write(tmp_path / "in", encrypted(stream, "Ключ 7", blowfish=blowfish), form, "a.enc")
    (tmp_path / "password").write_text("Ключ 7")
    options = ("--password-file", tmp_path / "password")
    assert run("verify", first, *options).code == 0
    assert run("unpack", first, "--to", tmp_path / "out", *options).code == 0
    plain = write(tmp_path / "plain", stream)
    assert run("unpack", plain, "--to", tmp_path / "out2").code == 0
    assert tree(tmp_path / "out") == tree(tmp_path / "out2")


def test_a_flip_in_an_encrypted_part_without_gzip_may_pass_and_the_evidence_says_so(
    run: Run, tmp_path: Path
) -> None:
    path = tmp_path / M3.names[0]
    data = bytearray(M3.first.read_bytes())
    data[-3000] ^= 1
    path.write_bytes(data)
    (tmp_path / "password").write_text(M3.password or "")
    outcome = run("verify", path, "--password-file", tmp_path / "password", "--json")
    assert {part["evidence"] for part in outcome.json["parts"]} == {"structure"}


def test_a_folder_of_several_backups_has_to_be_named_more_closely(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "in", small_site(), name="a.tar.gz")
    write(tmp_path / "in", small_site(), name="b.tar.gz")
    assert run("verify", tmp_path / "in").code == 2
    assert run("verify", tmp_path / "nothing.tar.gz").code == 4


def test_ten_parts_and_more_are_in_numeric_order(run: Run, tmp_path: Path) -> None:
    first, paths = site_of_parts(tmp_path, small_site(entry("big.bin", RANDOM.randbytes(60_000))))
    assert len(paths) > 11
    assert run("verify", first).code == 0


def test_a_dump_of_several_files_is_one(run: Run, tmp_path: Path) -> None:
    at = DUMP.index(b"INSERT")
    stream = b"".join(
        [
            entry("bitrix/backup/x_after_connect.sql", b"SET NAMES 'utf8mb4';"),
            entry("bitrix/backup/x.sql", DUMP[:at]),
            entry("bitrix/backup/x.sql.1", DUMP[at:]),
            entry("index.php", b"x"),
        ]
    )
    first, _ = site_of_parts(tmp_path, stream)
    outcome = run("verify", first, "--json")
    assert outcome.code == 0
    assert outcome.json["dump"] == {"complete": True, "files": 2, "tables": 1, "statements": 3}
