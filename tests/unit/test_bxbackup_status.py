"""What a restore's file and its unit say together."""

from __future__ import annotations

from typing import Any

import pytest

from library.bxbackup_status import verdict
from library.bxbackup_verdict import message


@pytest.mark.parametrize(
    ("status", "unit", "expected"),
    [
        ({}, {"ActiveState": "activating"}, (False, False, None)),
        ({"state": "running"}, {"ActiveState": "active"}, (False, False, None)),
        ({"state": "done", "exit": 0}, {"ActiveState": "inactive", "ExecMainStatus": "0"}, (True, True, 0)),
        (
            {"state": "failed", "exit": 3},
            {"ActiveState": "failed", "ExecMainStatus": "3"},
            (True, False, 3),
        ),
        ({"state": "running"}, {"ActiveState": "failed", "ExecMainStatus": "9"}, (True, False, 9)),
        ({}, {"ActiveState": "inactive", "ExecMainStatus": "0"}, (True, False, 0)),
    ],
)
def test_verdict(
    status: dict[str, Any], unit: dict[str, str], expected: tuple[bool, bool, int | None]
) -> None:
    result = verdict(status, unit)
    assert (result["finished"], result["done"], result.get("exit")) == expected
    assert result["bxbackup_status"] == status


@pytest.mark.parametrize(
    ("code", "error", "start", "boxlift_exit"),
    [
        (3, "part x.tar.gz.7, offset 12: CRC differs", "restore into final-1: the backup is damaged", 4),
        (6, {"what": "database is not empty", "advice": "name another"}, "refused: ", 6),
        (9, None, "restore into final-1: bxbackup ended with 9", 4),
        (1, None, "restore into final-1: bxbackup failed", 1),
    ],
)
def test_message(code: int, error: object, start: str, boxlift_exit: int) -> None:
    status = {"error": error, "parts": {"unpacked": 6, "total": 22}}
    text, found = message(status, code, "u.service", "final-1", ["last words"])
    assert text.startswith(start)
    assert found == boxlift_exit
    assert "6 of 22 parts" in text
    assert ("last words" in text) == (error is None)
    if isinstance(error, str):
        assert error in text
