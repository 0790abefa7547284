"""Every host says which environment it belongs to, and so does the database server that it really reaches."""

import json

import pytest
from testinfra.host import Host

from boxlift.verify.inventory import Inventory, Setting
from boxlift.verify.release import Database

MARKER = "/etc/boxlift/environment.json"


def test_every_host_carries_the_marker(inventory: Inventory, target: str) -> None:
    wrong = {}
    for name in inventory.names(target):
        content = inventory.connect(name).file(MARKER).content_string
        environment = json.loads(content)["environment"]
        if environment != target:
            wrong[name] = environment
    assert not wrong


def test_marker_names_portal_and_lifecycle(portal: Host, setting: Setting) -> None:
    marker = json.loads(portal.file(MARKER).content_string)
    assert marker["portal_id"] == setting("portal_id")
    assert marker["lifecycle"] in {"empty", "rehearsal", "final", "open"}


def test_database_server_carries_the_same_marker(portal: Host, server_database: Database) -> None:
    marker = json.loads(portal.file(MARKER).content_string)
    row = server_database.rows("SELECT environment, portal_id FROM boxlift.environment")
    assert row == [[marker["environment"], marker["portal_id"]]]


@pytest.mark.parametrize("path", ["/etc/boxlift", MARKER])
def test_marker_cannot_be_changed_by_others(portal: Host, path: str) -> None:
    entry = portal.file(path)
    assert entry.user == "root"
    assert not entry.mode & 0o022
