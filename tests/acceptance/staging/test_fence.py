"""Staging is a full copy of production that can hurt nobody."""

import json
from http import HTTPStatus

import pytest
from testinfra.host import Host

from boxlift.verify.browser import Browser
from boxlift.verify.inventory import Inventory, Setting
from boxlift.verify.release import Database, Release

# portal_runtime I: what must be gone or off in a copy; tables that a portal lacks do not count.
ACTIVE_ROWS = {
    "b_agent": "ACTIVE = 'Y'",
    "b_event": "SUCCESS_EXEC = 'N'",
    "b_mail_mailbox": "ACTIVE = 'Y'",
    "b_mail_oauth": "1 = 1",
    "b_rest_event": "1 = 1",
    "b_rest_event_offline": "1 = 1",
    "b_rest_ap": "1 = 1",
    "b_rest_app": "ACTIVE = 'Y' OR INSTALLED = 'Y'",
    "b_voximplant_sip": "1 = 1",
    "b_voximplant_external_line": "1 = 1",
    "b_voximplant_number": "1 = 1",
    "b_imconnectors_status": "ACTIVE = 'Y'",
    "b_imopenlines_config": "ACTIVE = 'Y'",
    "b_sale_pay_system_action": "ACTIVE = 'Y'",
    "b_sale_cashbox": "ACTIVE = 'Y'",
    "b_pull_channel": "1 = 1",
    "b_pull_push": "1 = 1",
    "b_user_session": "1 = 1",
    "b_user_stored_auth": "1 = 1",
    "b_clouds_file_bucket": "READ_ONLY <> 'Y'",
}
OPTIONS = {("main", "check_agents"): "N", ("main", "check_events"): "N", ("main", "update_devsrv"): "Y"}


@pytest.fixture
def production_database(inventory: Inventory, active_release: Release) -> Database:
    name = inventory.names("database:&production")[0]
    return Release.on(inventory.connect(name), active_production(inventory)).database


def active_production(inventory: Inventory) -> str:
    host = inventory.connect(inventory.names("portal:&production")[0])
    root: str = host.check_output("readlink -f /srv/portal/current")
    return root.rpartition("/")[2]


@pytest.mark.parametrize(("table", "condition"), ACTIVE_ROWS.items())
def test_nothing_can_act(active_release: Release, table: str, condition: str) -> None:
    if table in active_release.database.tables():
        assert active_release.database.value(f"SELECT COUNT(*) FROM `{table}` WHERE {condition}") == "0"


@pytest.mark.parametrize(("option", "expected"), OPTIONS.items())
def test_switch_is_off(active_release: Release, option: tuple[str, str], expected: str) -> None:
    module, name = option
    value = active_release.database.value(
        f"SELECT VALUE FROM b_option WHERE MODULE_ID = '{module}' AND NAME = '{name}'"
    )
    assert value == expected


def test_no_cron_runs_the_portal(portal: Host) -> None:
    assert portal.check_output("grep -rlE 'cron_events' /etc/cron.d /var/spool/cron || true") == ""
    assert portal.run("systemctl is-enabled portal-agents.timer").stdout.strip() != "enabled"
    assert portal.run("systemctl is-active portal-agents.timer").stdout.strip() != "active"


def test_table_names_equal_production(active_release: Release, production_database: Database) -> None:
    assert active_release.database.tables() == production_database.tables()


@pytest.mark.parametrize(
    "table", ["b_crm_lead", "b_crm_deal", "b_crm_contact", "b_tasks", "b_im_message", "b_file"]
)
def test_every_row_of_production_was_copied(
    active_release: Release, production_database: Database, table: str
) -> None:
    # Production serves users meanwhile: what it gained after the copy has higher IDs.
    if table not in production_database.tables():
        return
    rows, newest = map(
        int, active_release.database.rows(f"SELECT COUNT(*), COALESCE(MAX(ID), 0) FROM {table}")[0]
    )
    assert rows >= int(production_database.value(f"SELECT COUNT(*) FROM {table} WHERE ID <= {newest}"))
    assert newest > 0 or production_database.value(f"SELECT COUNT(*) FROM {table}") == "0"


def test_portal_id_differs_from_production(inventory: Inventory, portal: Host) -> None:
    production = inventory.connect(inventory.names("portal:&production")[0])
    markers = [
        json.loads(host.file("/etc/boxlift/environment.json").content_string) for host in (portal, production)
    ]
    assert markers[0]["environment"] == "preproduction"
    assert markers[0]["portal_id"] != markers[1]["portal_id"]


async def test_strangers_are_kept_out(inventory: Inventory, setting: Setting, browser: Browser) -> None:
    page = await browser.get("/auth/")
    assert page.status == HTTPStatus.OK
    assert page.headers.get("x-robots-tag", "").startswith("noindex")


def test_every_mail_goes_to_one_address_or_none(portal: Host) -> None:
    if portal.check_output("postconf -h default_transport").startswith("discard:"):
        return
    table = portal.check_output("postconf -h recipient_canonical_maps")
    strangers = ["client@example.test", "boss@example.org", "a@b.example"]
    rewritten = {portal.check_output("postmap -q %s %s", address, table) for address in strangers}
    assert len(rewritten) == 1
    assert not rewritten & set(strangers)


@pytest.mark.parametrize("port", [25, 80, 443])
def test_egress_is_fenced(inventory: Inventory, portal: Host, port: int) -> None:
    production = inventory.address(inventory.names("portal:&production")[0])
    command = portal.run("timeout 3 runuser -u portal -- bash -c %s", f"exec 3<>/dev/tcp/{production}/{port}")
    assert command.rc != 0
