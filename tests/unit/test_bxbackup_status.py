"""What a restore's file and its unit say together."""

from __future__ import annotations

from typing import Any

import pytest

from library.bxbackup_status import verdict


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
