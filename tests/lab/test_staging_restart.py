"""A staging that was switched off comes up with what it served, quiet and fenced, be it a copy or the box."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from testinfra.host import Host

from boxlift.lab.errors import LabError
from boxlift.lab.hosts import Hosts
from boxlift.lab.place import Lab
from boxlift.verify.browser import Browser
from boxlift.verify.inventory import Inventory
from boxlift.verify.release import Release
from tests.lab.support import OUTSIDE, STAGING, Play

pytestmark = pytest.mark.long
BANNER = "<div id=boxlift-copy"
SERVING = ("nginx.", "push-server@")
SWITCHED_ON = """
UPDATE b_option SET VALUE = 'Y' WHERE MODULE_ID = 'main' AND NAME IN ('check_agents', 'check_events');
INSERT INTO b_event (EVENT_NAME, LID, C_FIELDS, SUCCESS_EXEC) VALUES ('USER_INFO', 's1', '', 'N')
"""
NOW = "UPDATE boxlift.portal_release SET activated_at = UTC_TIMESTAMP(6) WHERE name = 'box'"
REMOVE = (
    "mariadb --execute \"DROP DATABASE portal_box; DELETE FROM boxlift.portal_release WHERE name = 'box'\";"
    " rm -rf /srv/portal/releases/box"
)


@pytest.fixture
def box(play: Play, staging: Host, copy: Release) -> Iterator[Release]:
    """The box on staging, active before the copy, with agents and a letter that a tester left in it."""
    recap = play("install_portal.yml", portal_target="preproduction")
    assert recap.returncode == 0, recap.complaints
    assert staging.check_output("readlink /srv/portal/current").endswith(copy.name)
    found = Release.on(staging, "box")
    try:
        found.database.rows(f"{SWITCHED_ON}; {NOW}")
        yield found
    finally:
        if not staging.check_output("readlink /srv/portal/current").endswith("/box"):
            staging.check_output(REMOVE)


def restart(lab: Lab, staging: Host) -> None:
    """Switch the host off and on; wait until everything that starts by itself has started."""
    hosts = Hosts(lab, print)
    staging.run("systemctl poweroff")
    for _ in range(60):
        (state,) = (host.state for host in hosts.status().hosts if host.name == STAGING)
        if state == "exited":
            break
        time.sleep(1)
    else:
        pytest.fail(f"staging is {state}")
    # A host that sends nothing tells nobody that its network card is another one now.
    for left in range(5, -1, -1):
        try:
            hosts.up([STAGING])
        except LabError:
            if not left:
                raise
            time.sleep(5)
        else:
            break
    assert staging.run("systemctl is-system-running --wait").stdout.strip() in {"running", "degraded"}


async def assert_served(staging: Host, tester: Browser, served: Release, outside: str) -> None:
    """The release answers with its own database; nothing acts in it and nothing leaves the host."""
    assert staging.check_output("readlink /srv/portal/current") == f"releases/{served.name}"
    page = await tester.get("/auth/")
    assert (page.status, page.text.count(BANNER)) == (HTTPStatus.OK, 1), page.text[-2000:]
    assert int(served.database.value("SELECT COUNT(*) FROM b_user")) > 0
    switches = "SELECT DISTINCT VALUE FROM b_option WHERE NAME IN ('check_agents', 'check_events')"
    assert served.database.rows(switches) == [["N"]]
    assert served.database.value("SELECT COUNT(*) FROM b_event WHERE SUCCESS_EXEC = 'N'") == "0"
    listed = "systemctl list-units --plain --no-legend --all --type=service"
    units = [line.split()[0] for line in staging.check_output(listed).splitlines() if line.strip()]
    units = [unit for unit in units if unit.startswith(SERVING) or "-fpm." in unit]
    assert len(units) > 3
    assert [unit for unit in units if not staging.service(unit).is_running] == []
    assert not staging.service("portal-agents.timer").is_running
    assert staging.run(f"curl --silent --max-time 3 http://{outside}/").rc != 0


async def test_a_copy_is_served_after_its_host_was_switched_off(
    lab: Lab, inventory: Inventory, staging: Host, copy: Release, tester: Browser
) -> None:
    own = staging.service(f"boxlift-database@{copy.name}")
    assert own.is_running
    restart(lab, staging)
    assert own.is_running
    await assert_served(staging, tester, copy, inventory.address(OUTSIDE))


async def test_the_way_back_leads_to_the_box_and_forward_again(
    lab: Lab, inventory: Inventory, play: Play, staging: Host, copy: Release, box: Release, tester: Browser
) -> None:
    outside = inventory.address(OUTSIDE)
    for served in (box, copy):
        recap = play("rollback_release.yml", portal_target="preproduction")
        assert recap.returncode == 0, recap.complaints
        await assert_served(staging, tester, served, outside)
        restart(lab, staging)
        await assert_served(staging, tester, served, outside)
