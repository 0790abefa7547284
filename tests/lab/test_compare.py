"""`boxlift compare` on the lab: an injected difference is found, secrets stay on their hosts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from testinfra.host import Host

from boxlift.project import Project
from tests.lab.support import boxlift

DRIFT = "/etc/cron.d/drift-of-a-test"


def compared(project: Project) -> tuple[int, dict[str, Any]]:
    ended = boxlift(project.root, "compare", "production", "preproduction", "--json", "--strict")
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def unexplained(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (item["part"], item["name"])
        for item in found["differences"]
        if item["kind"] == "equal" or item["reason"] is None
    ]


@pytest.fixture
def drift(staging: Host) -> Iterator[str]:
    staging.check_output(f"echo '0 3 * * * root true' > {DRIFT}")
    yield DRIFT
    staging.check_output(f"rm {DRIFT}")


def test_nothing_unexplained_differs_and_no_secret_is_told(project: Project) -> None:
    code, found = compared(project)
    assert (code, unexplained(found)) == (0, [])
    parts = "packages units php nginx cron redis database settings options modules"
    assert {item["part"] for item in found["differences"]} <= set(parts.split())
    secrets = [item for item in found["differences"] if item["name"].endswith("password")]
    assert secrets
    assert all(item["left"].startswith("secret ") for item in secrets)


def test_a_drift_of_staging_is_found(project: Project, drift: str) -> None:
    code, found = compared(project)
    assert (code, unexplained(found)) == (7, [("cron", drift)])
