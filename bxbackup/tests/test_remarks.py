"""What a person should know of a backup is said by every command that unpacks."""

from __future__ import annotations

from pathlib import Path

from archive_builder import entry, small_site, write
from backup_samples import Run
from fake_database import FakeDatabase

PLACES = ("bitrix/backup/sites/s2/index.php", "bitrix/backup/clouds/3/disk/1.jpg")
LIST = b"2026-11-20 10:00:00          5 b77/resize_cache/1/small.jpg\n"


def test_further_sites_buckets_and_lists_are_told(
    run: Run, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    stream = small_site(*(entry(name, b"x") for name in PLACES), entry("bitrix/restore_cloud.txt", LIST))
    archive = write(tmp_path / "archive", stream)
    unpacked = run("unpack", archive, "--to", tmp_path / "site")
    assert unpacked.code == 0
    for place in ("bitrix/backup/sites", "bitrix/backup/clouds", "bitrix/restore_cloud.txt"):
        assert f"\n{place} " in unpacked.out
    assert (tmp_path / "site/bitrix/restore_cloud.txt").stat().st_mode & 0o777 == 0o600
    restored = run(
        *("restore", archive, "--to", tmp_path / "out", "--database", "d", "--state", tmp_path / "state")
    )
    assert restored.code == 0, restored.err
    assert "\nbitrix/backup/sites " in restored.out
    assert "restore_cloud" not in restored.out
