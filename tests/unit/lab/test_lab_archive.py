"""Which files make a backup, and how the backup server gets them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from boxlift.lab.archive import existing, serve
from boxlift.lab.errors import LabError
from boxlift.lab.place import Lab
from lab.cloud.scenario import load


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    for number in range(12):
        suffix = f".{number}" if number else ""
        (tmp_path / f"acme_full.tar.gz{suffix}").write_bytes(bytes([number]) * 10)
    (tmp_path / "acme_full.tar.gz.20").write_bytes(b"not of the row")
    return tmp_path / "acme_full.tar.gz"


@pytest.mark.parametrize("named", ["", ".0", ".3", "folder"])
def test_volumes_are_found_in_order(backup: Path, named: str) -> None:
    path = backup.parent if named == "folder" else backup.with_name(backup.name + named)
    if named == "folder":
        backup.with_name("acme_full.tar.gz.20").unlink()
    archive = existing(path)
    assert [part.name for part in archive.parts][:2] == ["acme_full.tar.gz", "acme_full.tar.gz.1"]
    assert len(archive.parts) == 12
    assert archive.size == 120
    assert archive.url == "http://backup.cloud.example/acme_full.tar.gz"


@pytest.mark.parametrize("name", ["nothing.tar.gz", "manifest.json", "a.zip"])
def test_what_is_no_backup_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LabError, match="is no backup") as caught:
        existing(tmp_path / name)
    assert caught.value.code == 2


def test_a_folder_without_one_backup_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="holds 0 backups"):
        existing(tmp_path)


def test_another_backup_has_another_digest(backup: Path) -> None:
    before = existing(backup).digest
    assert existing(backup).digest == before
    os.utime(backup, ns=(1, 1))
    assert existing(backup).digest != before


def test_only_this_backup_is_served(backup: Path, tmp_path: Path) -> None:
    lab = Lab("boxlift-test", tmp_path, tmp_path / "lab")
    old = lab.served / "backup" / "old.tar.gz"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    archive = existing(backup)
    serve(lab, archive)
    serve(lab, archive)
    served = {path.name: path.read_bytes() for path in (lab.served / "backup").iterdir()}
    assert served == {part.name: part.read_bytes() for part in archive.parts}
    assert len(load(lab.served / "scenario.yml").faults) == 3
