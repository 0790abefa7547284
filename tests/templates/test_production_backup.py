"""What the role of backups tells its program, for each form of production's database server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.templates.renderer import Renderer

SERVER = {"version": "10.11.19-MariaDB-0+deb12u1", "mariadb": True, "local": True}


def order(example: Renderer, here: str = "10.11.19", method: str = "auto", **server: Any) -> dict[str, Any]:
    side = {"release": "final-1", "database": "portal_final_1", "database_bytes": 5, "files_bytes": 6}
    found = example.value(
        "production_backup",
        "__production_backup_order",
        "staging-1",
        production_backup_name="20250101000000",
        production_backup_source_address="192.0.2.11",
        production_backup_method=method,
        __production_backup_side={"side": {**side, "server": {**SERVER, **server}}},
        __production_backup_server={
            "stdout": f"/usr/sbin/mariadbd  Ver {here}-MariaDB-0+deb12u1 for debian-linux"
        },
        __production_backup_sources=[],
    )
    told: dict[str, Any] = json.loads(json.dumps(found))
    return told


@pytest.mark.parametrize(
    ("given", "method", "comparable", "why"),
    [
        ({}, "physical", True, "the same version"),
        ({"local": False}, "logical", True, "on a host of its own: statements travel"),
        ({"here": "11.8.3"}, "logical", False, "MariaDB 10.11 in production, 11.8 here"),
        ({"mariadb": False, "version": "8.4.5"}, "logical", False, "is no MariaDB"),
        ({"method": "logical"}, "logical", True, "were asked for"),
    ],
)
def test_how_the_database_is_backed_up(
    example: Renderer, given: dict[str, Any], method: str, comparable: bool, why: str
) -> None:
    told = order(example, **given)
    assert (told["method"], told["comparable"]) == (method, comparable)
    assert why in told["why"]


def test_the_order_is_complete(example: Renderer) -> None:
    told = order(example)
    assert told["address"] == "root@192.0.2.11"
    assert (told["database_bytes"], told["files_bytes"], told["keep"]) == (5, 6, 3)
    assert (told["ssh"], told["account"]) == ("/var/lib/boxlift/reader/ssh", "boxlift-backup")


def test_the_unit_writes_nothing_but_backups(example: Renderer) -> None:
    text = example.text(
        "production_backup", "boxlift-backup.service.j2", "staging-1", __production_backup_sources=[]
    )
    assert "\nExecStart=/usr/bin/python3 -m boxlift_backup /var/lib/boxlift/reader/backup.json\n" in text
    assert "\nProtectSystem=strict\n" in text
    assert "\nReadWritePaths=/var/backups/boxlift\n" in text
    assert "\nRuntimeMaxSec=86400\n" in text


def test_no_run_is_taken_for_the_one_before(example: Renderer) -> None:
    """A run on a full disk cannot say that it failed: the file that says "done" must have gone."""
    text = example.text(
        "production_backup", "boxlift-backup.service.j2", "staging-1", __production_backup_sources=[]
    )
    before, _, _ = text.partition("\nExecStart=")
    assert "\nExecStartPre=/bin/rm -f /var/backups/boxlift/status.json" in before
