"""Files are owned and moded as asked, and never executable."""

from __future__ import annotations

import getpass
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from archive_builder import entry, folder, header, padded, small_site, write
from backup_samples import M1, Outcome, Run
from fake_database import FakeDatabase

from bxbackup.errors import UsageError
from bxbackup.ownership import parse_ownership

STRANGER = 65533
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
Unpack = Callable[..., Outcome]


@pytest.fixture
def unpacked(run: Run, tmp_path: Path) -> Unpack:
    program = header(b"upload/tool.sh", 3, mode=0o777) + padded(b"#!x")
    stream = small_site(
        program,
        folder("upload/deep"),
        entry("upload/deep/file.txt", b"text"),
        entry("bitrix/.settings.php", b"<?php"),
    )
    archive = write(tmp_path / "archive", stream)
    return lambda *options: run("unpack", archive, "--to", tmp_path / "out", *options)


def modes(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): f"{stat.S_IMODE(path.lstat().st_mode):04o}" for path in root.rglob("*")
    }


def test_modes_are_usual_ones_less_the_umask_whatever_the_archive_says(
    unpacked: Unpack, tmp_path: Path
) -> None:
    before = os.umask(0o027)
    try:
        assert unpacked().code == 0
    finally:
        os.umask(before)
    found = modes(tmp_path / "out")
    assert found["upload/tool.sh"] == found["upload/deep/file.txt"] == "0640"
    assert found["upload/deep"] == "0750"
    assert found["bitrix/.settings.restore.php"] == found["bitrix/backup/small.sql"] == "0600"
    assert all((tmp_path / "out" / name).lstat().st_uid == os.geteuid() for name in found)


def test_modes_can_be_asked_for(unpacked: Unpack, tmp_path: Path) -> None:
    assert unpacked("--file-mode", "0664", "--folder-mode", "775").code == 0
    found = modes(tmp_path / "out")
    assert found["upload/tool.sh"] == found["last.txt"] == "0664"
    assert found["upload"] == found["upload/deep"] == found["bitrix/backup"] == "0775"
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o775
    assert found["bitrix/.settings.restore.php"] == "0600"


@as_root
def test_root_can_give_everything_away(unpacked: Unpack, tmp_path: Path) -> None:
    assert unpacked("--owner", str(STRANGER), "--group", str(STRANGER)).code == 0
    owners = {(path.lstat().st_uid, path.lstat().st_gid) for path in (tmp_path / "out").rglob("*")}
    assert owners == {(STRANGER, STRANGER)}
    assert (tmp_path / "out").stat().st_uid == STRANGER


@as_root
def test_what_a_killed_run_left_gets_its_owner_too(unpacked: Unpack, tmp_path: Path) -> None:
    assert unpacked().code == 0
    (tmp_path / ".out.bxbackup" / "unpack.json").unlink()
    assert unpacked("--owner", str(STRANGER)).code == 0
    assert {path.lstat().st_uid for path in (tmp_path / "out").rglob("*")} == {STRANGER}


def test_restore_owns_files_as_asked_and_nothing_in_the_state_folder(
    run: Run, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    outcome = run(
        *("restore", M1.first, "--to", tmp_path / "out", "--database", "d", "--state", tmp_path / "state"),
        *("--file-mode", "0660", "--folder-mode", "0770"),
    )
    assert outcome.code == 0, outcome.err
    found = modes(tmp_path / "out")
    assert {mode for name, mode in found.items() if (tmp_path / "out" / name).is_dir()} == {"0770"}
    assert set(found.values()) == {"0660", "0770", "0600"}
    assert set(modes(tmp_path / "state" / "dump").values()) == {"0600"}


def test_a_user_without_rights_is_told_before_anything_happens(
    unpacked: Unpack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getgroups", list)
    for options in (("--owner", str(STRANGER)), ("--group", str(STRANGER))):
        outcome = unpacked(*options)
        assert outcome.code == 2
        assert "only root" in outcome.err
    assert not (tmp_path / "out").exists()
    assert parse_ownership("1000", None, None, None).uid == 1000


@pytest.mark.parametrize(
    ("owner", "group", "file_mode", "folder_mode"),
    [
        ("no such user", None, None, None),
        (None, "no such group", None, None),
        (None, None, "0755", None),
        (None, None, "0444", None),
        (None, None, "4644", None),
        (None, None, "rw-r--r--", None),
        (None, None, None, "0644"),
        (None, None, None, "1777"),
    ],
)
def test_what_cannot_be_is_refused(
    owner: str | None, group: str | None, file_mode: str | None, folder_mode: str | None
) -> None:
    with pytest.raises(UsageError):
        parse_ownership(owner, group, file_mode, folder_mode)


def test_names_and_numbers_are_understood() -> None:
    mine = parse_ownership(getpass.getuser(), str(os.getegid()), None, None)
    assert (mine.uid, mine.gid) == (os.getuid(), os.getegid())
