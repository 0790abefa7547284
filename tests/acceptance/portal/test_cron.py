"""Agents and queued mail run from cron, as the same user as the web (portal_runtime A6, A8)."""

from typing import Any

import pytest
from testinfra.host import Host

from boxlift.verify.inventory import Setting
from boxlift.verify.release import Release

TIMER = "portal-agents.timer"
# The vendor's two ways: what cron starts, and what main/check_agents then is (portal_runtime A6).
WAYS = {
    "stock": ("bitrix/modules/main/tools/cron_events.php", "Y"),
    "everything": ("bitrix/php_interface/cron_events.php", "N"),
}


@pytest.fixture
def way(setting: Setting) -> tuple[str, str]:
    return WAYS[str(setting("portal_agents_mode", "stock"))]


def test_agents_run_each_minute_where_they_may(
    portal: Host, active_release: Release, marker: dict[str, Any], is_open: bool
) -> None:
    lines = portal.check_output("grep -rhE '^[^#].*cron_events' /etc/cron.d /var/spool/cron || true")
    if lines:
        assert lines.startswith("* * * * * portal ")
        return
    # A copy, and what is restored until it is opened, does nothing by itself.
    may = is_open or (marker["environment"] == "production" and active_release.name == "box")
    said = portal.check_output("systemctl show --property=ActiveState,UnitFileState,TimersCalendar %s", TIMER)
    found = dict(line.split("=", 1) for line in said.splitlines())
    assert (found.get("ActiveState"), found.get("UnitFileState")) == (
        ("active", "enabled") if may else ("inactive", "disabled")
    )
    assert "OnCalendar=*-*-* *:*:00 " in found["TimersCalendar"]


def test_settings_tell_the_portal_so(portal: Host) -> None:
    content = portal.file("/srv/portal/current/bitrix/php_interface/dbconn.php").content_string
    assert "BX_CRONTAB_SUPPORT" in content
    assert "'BX_CRONTAB'" not in content
    assert "BX24_HOST_NAME" not in content


def test_cron_starts_what_the_portal_s_way_asks_for(portal: Host, way: tuple[str, str]) -> None:
    script, _ = way
    unit = portal.check_output("systemctl cat portal-agents.service")
    assert f"ExecStart=/usr/bin/php -f /srv/portal/current/{script}\n" in f"{unit}\n"


def test_page_views_leave_to_cron_what_is_its(
    portal: Host, active_release: Release, way: tuple[str, str]
) -> None:
    if not portal.service("portal-agents.timer").is_running:
        pytest.skip("no agents run here")
    script, page_views = way
    assert portal.file(f"/srv/portal/current/{script}").exists
    rows = active_release.database.rows(
        "SELECT NAME, VALUE FROM b_option WHERE MODULE_ID = 'main'"
        " AND NAME IN ('check_agents', 'agents_use_crontab')"
    )
    options = {"check_agents": "Y", "agents_use_crontab": "N"} | {row[0]: row[1] for row in rows}
    assert options["check_agents"] == page_views
    if page_views == "N":
        assert options["agents_use_crontab"] == "N"
