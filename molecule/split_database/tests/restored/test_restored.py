"""What was restored over the network equals what the backup's writer put in."""

import json
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from boxlift.verify.release import Release
from tests.acceptance.restore.test_tables import (
    expected_tables,
    test_every_table_equals_the_manifest,
    test_no_table_has_an_old_row_format,
    test_one_collation,
    test_other_charsets_are_told,
    test_restore_is_done,
    test_views_work,
)

__all__ = [
    "expected_tables",
    "test_every_table_equals_the_manifest",
    "test_no_table_has_an_old_row_format",
    "test_one_collation",
    "test_other_charsets_are_told",
    "test_restore_is_done",
    "test_views_work",
]
SAMPLES = Path(__file__).parents[4] / "bxbackup" / "tests" / "data"


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SAMPLES / "M1" / "manifest.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def restored_release(database: Host) -> Release:
    return Release.on(database, "rehearsal-1")


def test_the_restore_went_under_tls(portal: Host) -> None:
    options = portal.file("/etc/bxbackup/rehearsal-1/client.cnf")
    assert options.mode & 0o007 == 0
    lines = options.content_string.splitlines()
    assert "ssl-ca=/etc/boxlift/database-ca.pem" in lines
    assert "user=bxbackup" in lines
