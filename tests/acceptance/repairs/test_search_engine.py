"""A search daemon, where there is one, holds the index and is reached by nobody else (portal_runtime F1)."""

import socket

import pytest
from testinfra.host import Host

from boxlift.verify.inventory import Inventory, Setting
from boxlift.verify.release import Release

COUNT = "mariadb --protocol=tcp --host=%s --port=%s --batch --skip-column-names --execute %s"


@pytest.fixture(autouse=True)
def sphinx(setting: Setting) -> None:
    if setting("portal_search_engine", "mysql") != "sphinx":
        pytest.skip("the portal searches in its database")


def test_daemon_holds_what_the_portal_indexed(
    portal: Host, setting: Setting, active_release: Release
) -> None:
    host, port = str(setting("portal_search_sphinx_connection")).rsplit(":", 1)
    held = portal.check_output(COUNT, host, port, "SELECT COUNT(*) FROM bitrix")
    assert int(held) == int(active_release.database.value("SELECT COUNT(*) FROM b_search_content")) > 0


def test_daemon_is_closed_from_outside(inventory: Inventory, target: str, setting: Setting) -> None:
    for name in inventory.names(f"search:&{target}"):
        with socket.socket() as connection:
            connection.settimeout(2)
            port = int(str(setting("search_engine_port", 9306)))
            assert connection.connect_ex((inventory.address(name), port)) != 0
