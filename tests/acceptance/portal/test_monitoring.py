"""The open portal is looked at, and well (portal_runtime J3)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from testinfra.host import Host

STATUS = "/var/lib/boxlift-monitoring/status.json"


@pytest.fixture
def look(portal: Host) -> dict[str, Any]:
    """A fresh look; before the opening nobody looks yet."""
    if not portal.file("/etc/systemd/system/boxlift-monitoring.timer").exists:
        pytest.skip("the portal is not monitored before it is opened")
    portal.check_output("systemctl start boxlift-monitoring.service")
    content: dict[str, Any] = json.loads(portal.file(STATUS).content_string)
    return content


def test_the_timer_runs_and_comes_back(portal: Host, look: dict[str, Any]) -> None:
    timer = portal.service("boxlift-monitoring.timer")
    assert timer.is_running
    assert timer.is_enabled
    assert datetime.now(UTC) - datetime.fromisoformat(look["at"]) < timedelta(minutes=10)


def test_nothing_is_bad(look: dict[str, Any]) -> None:
    assert [check for check in look["checks"] if check["level"] == "bad"] == []


def test_everything_is_looked_at(look: dict[str, Any]) -> None:
    names = {check["name"] for check in look["checks"]}
    assert names >= {
        "page",
        "page rate",
        "certificate",
        "services",
        "agents",
        "database reads",
        "disk writes",
    }
