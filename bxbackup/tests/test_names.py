"""Names: what is kept apart, what is refused, what is written out before a terminal sees it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from archive_builder import BLOCK, entry, header, padded, small_site, write
from backup_samples import Run
from hypothesis import given
from hypothesis import strategies as st

from bxbackup import pathset, unpack
from bxbackup.ahead import Ahead
from bxbackup.errors import RefusedError
from bxbackup.pathset import PathSet
from bxbackup.unpack import folded, is_secret, placement, safe_path, shown_name


def unpacked(run: Run, tmp_path: Path, *entries: bytes) -> int:
    archive = write(tmp_path / "in", small_site(*entries))
    return run("unpack", archive, "--to", tmp_path / "out").code


TWINS = [f"upload/{name}.txt" for name in ("Straße", "strasse", "STRASSE", "e\u0301", "\u00e9")]


def test_names_that_differ_only_in_case_or_form_are_kept_apart(run: Run, tmp_path: Path) -> None:
    assert unpacked(run, tmp_path, *(entry(name, name.encode()) for name in TWINS)) == 0
    for name in TWINS:
        assert (tmp_path / "out" / name).read_text() == name
    assert len(list((tmp_path / "out" / "upload").iterdir())) == len(TWINS)


def test_where_the_file_system_takes_two_names_for_one_they_are_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "_folds_case", lambda folder: True)
    assert unpacked(run, tmp_path, entry(TWINS[0]), entry(TWINS[2])) == 6
    assert (tmp_path / "out" / TWINS[0]).exists()


def test_a_file_system_that_folds_case_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        assert unpack._folds_case(folder) is False
        plain = os.stat
        monkeypatch.setattr(
            os, "stat", lambda path, **options: plain(path.replace("case", "Case"), **options)
        )
        assert unpack._folds_case(folder) is True
    finally:
        os.close(folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "bitrix/.settings.php",
        "local/.Settings.php",
        "bitrix/php_interface/dbconn.php",
        "bitrix/License_Key.php",
    ],
)
def test_what_holds_credentials_is_the_owner_s_alone(name: str) -> None:
    assert is_secret(placement(name.encode()).path)
    assert not is_secret(placement(b"bitrix/license_key.php.txt").path)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("bitrix/.settings.php", "bitrix/.settings.restore.php"),
        ("bitrix/.Settings.php", "bitrix/.Settings.restore.php"),
        ("BITRIX/.SETTINGS.PHP", "BITRIX/.SETTINGS.restore.PHP"),
        ("bitrix/.\u017fettings.php", "bitrix/.\u017fettings.restore.php"),
        ("local/.settings.php", "local/.settings.restore.php"),
        ("bitrix/php_interface/DBConn.php", "bitrix/php_interface/DBConn.restore.php"),
        (".HTaccess", ".HTaccess.restore"),
        ("bitrix/.settings.php.bak", "bitrix/.settings.php.bak"),
        ("other/.htaccess", "other/.htaccess"),
    ],
)
def test_a_special_file_has_its_side_name_however_it_is_spelled(name: str, where: str) -> None:
    assert placement(name.encode()).path == where.encode()


def test_the_vendors_script_is_left_out_however_it_is_spelled() -> None:
    for name in (b"restore.php", b"Restore.PHP", "re\u017ftore.php".encode()):
        assert placement(name).room == "ignored"
    assert placement(b"upload/restore.php").room == "site"


ODD = [
    *("a\x1b[2Jb", "line\nbreak", "back\\slash", "dot.", " space ", "-rf", "%2e%2e%2fx", "a:b"),
    "\u202egnp.exe",
]


def test_odd_names_stay_below_the_target_as_they_are(run: Run, tmp_path: Path) -> None:
    assert unpacked(run, tmp_path, *(entry(f"upload/{name}", b"x") for name in ODD)) == 0
    assert sorted(path.name for path in (tmp_path / "out" / "upload").iterdir()) == sorted(ODD)


def test_a_terminal_sees_no_control_character_of_a_name(run: Run, tmp_path: Path) -> None:
    grown = entry("a\x1b[2Jb\x9b\u202e.log", b"x" * 1500, size=700)
    archive = write(tmp_path / "in", small_site(grown))
    for outcome in (run("unpack", archive, "--to", tmp_path / "out"), run("verify", archive)):
        assert outcome.code == 3
        said = outcome.out + outcome.err
        assert "\\x1b[2Jb\\x9b\\u202e.log" in said
        assert not any(one in said for one in "\x1b\x9b\u202e")


@pytest.mark.parametrize(
    "name", ["upload/" + "n" * 300, "upload/" + "d/" * 2100 + "x"], ids=["component", "path"]
)
def test_a_name_that_no_file_system_takes_is_left_out_and_said(run: Run, tmp_path: Path, name: str) -> None:
    raw = name.encode()
    long = header(b"././@LongLink", len(raw), b"L") + padded(raw) + header(raw, 4) + padded(b"data")
    archive = write(tmp_path / "in", small_site(long))
    outcome = run("unpack", archive, "--to", tmp_path / "out")
    assert outcome.code == 3
    assert "too long" in outcome.err
    assert (tmp_path / "out" / "last.txt").read_bytes() == b"the end"


def test_a_cp1251_name_that_grows_too_long_in_utf8_is_left_out_and_said(run: Run, tmp_path: Path) -> None:
    name = ("upload/" + "ы" * 200).encode("cp1251")
    archive = write(tmp_path / "in", small_site(entry(name, b"x")))
    assert run("unpack", archive, "--to", tmp_path / "out").code == 3


def test_a_file_larger_than_the_disk_is_told_before_its_first_byte(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Small:
        f_bavail, f_frsize = 1000, 4096

    monkeypatch.setattr(os, "fstatvfs", lambda descriptor: Small)
    huge = header(b"upload/huge.bin", 8**11 - 1) + bytes(64 * BLOCK)
    archive = write(tmp_path / "in", small_site() + huge)
    outcome = run("unpack", archive, "--to", tmp_path / "out")
    assert outcome.code == 4
    assert f"{8**11 - 1:,} bytes are needed" in outcome.err
    assert not (tmp_path / "out" / "upload" / "huge.bin").exists()


COMPONENTS = st.one_of(
    st.sampled_from(
        ["..", ".", "", "\u2025", "\uff0e\uff0e", "a", "\u2024\u2024", "..\u200d", "...", "a/../b"]
    ),
    st.text(min_size=1, max_size=5),
)


@given(st.lists(COMPONENTS, max_size=6).map("/".join))
def test_no_path_leads_out_in_any_form(name: str) -> None:
    raw = name.encode("utf-8", "surrogatepass")
    try:
        components = safe_path(raw)
    except RefusedError:
        return
    for part in components:
        assert part not in (b"", b".", b"..")
        assert b"/" not in part
        assert b"\0" not in part
        assert folded(part) not in (b".", b"..")


@given(st.text(max_size=30))
def test_what_is_shown_is_printable(name: str) -> None:
    assert shown_name(name.encode("utf-8", "replace")).isprintable()


@given(st.lists(st.binary(max_size=3), max_size=400), st.integers(1, 9))
def test_a_set_of_paths_knows_each_once(paths: list[bytes], recent: int) -> None:
    before = pathset._RECENT
    pathset._RECENT = recent
    try:
        found = PathSet()
        seen: set[bytes] = set()
        for path in paths:
            assert found.add(("site", path)) is (path not in seen)
            seen.add(path)
        assert all(("site", path) in found for path in seen)
        assert ("folder", b"") not in found
    finally:
        pathset._RECENT = before


def test_a_million_paths_take_few_bytes() -> None:
    found = PathSet()
    for number in range(300_000):
        found.add(("site", b"%d" % number))
    held = sum(len(run) * run.itemsize for run in found._runs)
    assert held + 100 * len(found._recent) < 300_000 * 20


def numbers(end: int, given_out: list[int], error: Exception | None = None) -> Iterator[int]:
    for number in range(end):
        given_out.append(number)
        yield number
    if error is not None:
        raise error


def test_what_is_made_ahead_comes_in_order_and_its_error_last() -> None:
    found: list[int] = []

    def use() -> None:
        with Ahead(numbers(100, [], RefusedError("the end")), 3) as items:
            found.extend(items)

    with pytest.raises(RefusedError):
        use()
    assert found == list(range(100))


def test_a_thread_that_works_ahead_ends_when_nobody_wants_more() -> None:
    given_out: list[int] = []
    with Ahead(numbers(10**9, given_out), 2) as items:
        assert next(iter(items)) == 0
    assert len(given_out) <= 5
