"""Staging is a full copy of production that can hurt nobody."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import pytest
from testinfra.host import Host

from boxlift.verify.browser import Browser
from boxlift.verify.inventory import Inventory, Setting
from boxlift.verify.release import Database, Release
from boxlift.verify.sandbox import Sandbox

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
    "b_rest_integration": "1 = 1",
    "b_rest_placement": "1 = 1",
    "b_im_bot": "1 = 1",
    "b_im_bot_token": "1 = 1",
    "b_main_mail_sender": "1 = 1",
    "b_messageservice_message": "SUCCESS_EXEC = 'N'",
    "b_messageservice_channel": "1 = 1",
    "b_dav_connections": "COALESCE(IS_DELETED, 'N') <> 'Y'",
    "b_calendar_push": "1 = 1",
    "b_calendar_section_connection": "ACTIVE = 'Y'",
    "b_calendar_event_connection": "1 = 1",
    "b_sender_mailing": "ACTIVE = 'Y'",
    "b_ldap_server": "SYNC = 'Y'",
    "b_clouds_delete_queue": "1 = 1",
    "b_clouds_file_bucket": "READ_ONLY <> 'Y'",
}
# Accounts of production elsewhere: none is left, whether somebody could use it or not. Columns that a portal
# lacks do not count.
ACCOUNTS = {
    ("b_clouds_file_bucket", "SETTINGS"): "TRUE",
    ("b_dav_connections", "SERVER_PASSWORD"): "TRUE",
    ("b_imconnectors_status", "DATA"): "TRUE",
    ("b_ldap_server", "ADMIN_PASSWORD"): "TRUE",
    ("b_mail_mailbox", "PASSWORD"): "TRUE",
    ("b_option", "VALUE"): (
        "(MODULE_ID = 'messageservice' AND NAME LIKE 'sender.%') OR NAME LIKE '%opensearch\\_%'"
        " OR (MODULE_ID, NAME) IN (('main', 'dump_temporary_cache'), ('rest', 'service_client_secret'),"
        " ('socialservices', 'bitrix24net_secret'))"
    ),
    ("b_rest_app", "APPLICATION_TOKEN"): "TRUE",
    ("b_rest_app", "CLIENT_SECRET"): "TRUE",
    ("b_sale_bizval", "PROVIDER_VALUE"): "CONSUMER_KEY LIKE 'PAYSYSTEM\\_%'",
    ("b_sale_cashbox", "OFD_SETTINGS"): "TRUE",
    ("b_sale_cashbox", "SETTINGS"): "TRUE",
    ("b_sale_pay_system_action", "PARAMS"): "TRUE",
    ("b_socialservices_user", "OATOKEN"): "TRUE",
    ("b_socialservices_user", "REFRESH_TOKEN"): "TRUE",
}
# What lets somebody in or speaks to a device: testers of the copy get their own, and none is production's.
TOKENS = [
    "b_user_session",
    "b_user_stored_auth",
    "b_user_hit_auth",
    "b_pull_channel",
    "b_pull_stack",
    "b_pull_push",
]
OPTIONS = {("main", "check_agents"): "N", ("main", "check_events"): "N", ("main", "update_devsrv"): "Y"}


@pytest.fixture
def production_database(inventory: Inventory, active_release: Release) -> Database:
    # Where somebody else runs the server it is asked from the portal's host.
    name = [*inventory.names("database:&production"), *inventory.names("portal:&production")][0]
    return Release.on(inventory.connect(name), active_production(inventory)).database


def active_production(inventory: Inventory) -> str:
    host = inventory.connect(inventory.names("portal:&production")[0])
    root: str = host.check_output("readlink -f /srv/portal/current")
    return root.rpartition("/")[2]


@pytest.mark.parametrize(("table", "condition"), ACTIVE_ROWS.items())
def test_nothing_can_act(active_release: Release, table: str, condition: str) -> None:
    if table in active_release.database.tables():
        assert active_release.database.value(f"SELECT COUNT(*) FROM `{table}` WHERE {condition}") == "0"


def left(table: str, column: str, condition: str) -> str:
    """Question how many values are left; an empty list is how PHP writes that there is nothing."""
    empty = f"COALESCE(`{column}`, '') IN ('', 'a:0:{{}}')"
    return f"SELECT COUNT(*) FROM `{table}` WHERE NOT {empty} AND ({condition})"


@pytest.mark.parametrize(("place", "condition"), ACCOUNTS.items(), ids=map(".".join, ACCOUNTS))
def test_no_account_of_production_is_left(
    active_release: Release, place: tuple[str, str], condition: str
) -> None:
    table, column = place
    database = active_release.database
    here = database.value(
        "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()"
        f" AND TABLE_NAME = '{table}' AND COLUMN_NAME = '{column}'"
    )
    if here == "0":
        pytest.skip(f"the portal has no {table}.{column}")
    assert database.value(left(table, column, condition)) == "0"


async def test_the_vendor_sees_a_development_copy(browser: Browser) -> None:
    """Whatever licence key the copy has: pages and reports to the vendor say so (portal_runtime I)."""
    page = await browser.get("/auth/", follow=False)
    assert page.headers.get("x-devsrv-cms") == "Bitrix"


@pytest.mark.parametrize(("option", "expected"), OPTIONS.items())
def test_switch_is_off(active_release: Release, option: tuple[str, str], expected: str) -> None:
    module, name = option
    value = active_release.database.value(
        f"SELECT VALUE FROM b_option WHERE MODULE_ID = '{module}' AND NAME = '{name}'"
    )
    assert value == expected


@pytest.mark.parametrize("table", TOKENS)
def test_nothing_that_opens_production_opens_the_copy(
    active_release: Release, production_database: Database, table: str
) -> None:
    if table in active_release.database.tables() & production_database.tables():
        ours, theirs = (
            {tuple(row) for row in database.rows(f"SELECT * FROM `{table}`")}
            for database in (active_release.database, production_database)
        )
        assert not ours & theirs


@pytest.mark.parametrize(
    ("module", "name"), [("main", "cookie_name"), ("pull", "signature_key"), ("main", "server_name")]
)
def test_identity_is_its_own(
    active_release: Release, production_database: Database, module: str, name: str
) -> None:
    question = f"SELECT SHA2(VALUE, 256) FROM b_option WHERE MODULE_ID = '{module}' AND NAME = '{name}'"
    own = active_release.database.rows(question)
    assert own
    # A box that nobody has set up yet has no such option.
    assert own != production_database.rows(question)


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
    active_release: Release, production_database: Database, setting: Setting, table: str
) -> None:
    if table == "b_im_message" and int(str(setting("portal_recent_months", 0))):
        pytest.skip("this copy keeps recent messages alone (portal_recent_months)")
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


@pytest.fixture
async def stranger(inventory: Inventory, portal_name: str, setting: Setting) -> AsyncIterator[Browser]:
    """A web client that does not know the password of the copy."""
    if not setting("web_basic_auth_user", ""):
        pytest.skip("the project asks for no password (web_basic_auth_user)")
    ca_file = setting("acceptance_ca_file", None)
    async with Browser(
        domain=str(setting("portal_domain")),
        address=inventory.address(portal_name),
        ca_file=Path(str(ca_file)) if ca_file else None,
    ) as client:
        yield client


@pytest.mark.parametrize(
    "path", ["/", "/auth/", "/index.php", "/upload/", "/no/such/page/", "/bitrix/groupdav.php/", "/-/mail/"]
)
async def test_strangers_are_kept_out(stranger: Browser, path: str) -> None:
    page = await stranger.get(path, follow=False)
    assert page.status == HTTPStatus.UNAUTHORIZED
    assert page.headers.get("x-robots-tag", "").startswith("noindex")


async def test_search_engines_are_sent_away(browser: Browser, setting: Setting) -> None:
    page = await browser.get("/auth/")
    assert page.status == HTTPStatus.OK
    assert page.headers.get("x-robots-tag", "").startswith("noindex")
    robots = await browser.get("/robots.txt")
    assert "Disallow: /\n" in robots.text


async def test_every_page_says_that_it_is_a_copy(
    browser: Browser, setting: Setting, active_release: Release
) -> None:
    banner = str(setting("web_banner", ""))
    if not banner:
        pytest.skip("the project wants no banner (web_banner)")
    page = await browser.get("/auth/")
    assert page.text.count("<div id=boxlift-copy") == 1
    assert f">{banner} {active_release.name}</div></body>" in page.text
    assert "<link rel=icon href=/-/copy.svg></head>" in page.text
    for path in ("/-/copy.svg", "/favicon.ico"):
        icon = await browser.get(path)
        assert icon.headers["content-type"] == "image/svg+xml"
        assert str(setting("web_banner_colour", "#b00020")) in icon.text


async def test_mail_is_caught_and_can_be_read(browser: Browser, portal: Host, setting: Setting) -> None:
    if setting("mail_relay_mode") != "mailbox":
        pytest.skip("the project keeps no mail of the copy (mail_relay_mode)")
    word = secrets.token_hex(8)
    letter = f"Subject: {word}\nFrom: portal@example.test\nTo: Client <client@example.test>\n\nTo {word}.\n"
    portal.check_output(
        "printf %%s %s | runuser -u portal -- /usr/sbin/sendmail -i client@example.test boss@example.org",
        letter,
    )
    for _ in range(30):
        page = await browser.get(f"/-/mail/?q={word}", json=True)
        assert page.status == HTTPStatus.OK
        found = json.loads(page.text)
        if len(found) > 1:
            break
        await asyncio.sleep(0.5)
    assert {mail["to"] for mail in found} == {"client@example.test", "boss@example.org"}
    shown = await browser.get(f"/-/mail/{found[0]['id']}/")
    assert f"To {word}." in shown.text
    assert word not in portal.check_output("postqueue -j")


def test_the_page_of_the_mail_changes_nothing_and_reaches_nobody(portal: Host, setting: Setting) -> None:
    if setting("mail_relay_mode") != "mailbox":
        pytest.skip("the project keeps no mail of the copy (mail_relay_mode)")
    box = str(setting("mail_relay_mailbox", "/var/mail/caught"))
    found = Sandbox.of(portal, "mail-reader.service").tries(
        {
            "read": f"ls {box}/new",
            "write": f"touch {box}/new/boxlift-probe",
            "system": "touch /usr/boxlift-probe",
            "network": "python3 -c 'import socket; socket.socket(socket.AF_INET)'",
        }
    )
    assert {act for act, outcome in found.items() if outcome.code == 0} == {"read"}


def test_no_mail_leaves_the_host_but_for_one_address(portal: Host, setting: Setting) -> None:
    transport = portal.check_output("postconf -h default_transport")
    if setting("mail_relay_mode") != "catch_all":
        assert transport in {"virtual:", "discard:"}
        assert portal.check_output("postconf -h relay_transport") == transport
        return
    table = portal.check_output("postconf -h recipient_canonical_maps")
    strangers = ["client@example.test", "boss@example.org", "a@b.example"]
    rewritten = {portal.check_output("postmap -q %s %s", address, table) for address in strangers}
    assert len(rewritten) == 1
    assert not rewritten & set(strangers)


def refused(portal: Host) -> int:
    output = portal.check_output("nft -j list counter inet boxlift egress_refused")
    found: int = next(
        entry["counter"]["packets"] for entry in json.loads(output)["nftables"] if "counter" in entry
    )
    return found


@pytest.mark.parametrize("user", ["portal", "www-data", "root"])
@pytest.mark.parametrize("port", [22, 25, 80, 443])
def test_egress_is_fenced(inventory: Inventory, portal: Host, port: int, user: str) -> None:
    production = inventory.address(inventory.names("portal:&production")[0])
    before = refused(portal)
    command = portal.run(
        "timeout 3 setpriv --reuid=%s --clear-groups bash -c %s",
        user,
        f"exec 3<>/dev/tcp/{production}/{port}",
    )
    assert command.rc != 0
    assert refused(portal) > before


@pytest.mark.parametrize(
    "pattern", ["nginx.service", "php*-fpm.service", "push-server@*", "portal-agents.service"]
)
def test_nothing_serves_or_sends_without_the_fence(portal: Host, pattern: str) -> None:
    listed = portal.check_output("systemctl list-units --plain --no-legend --all %s", pattern).splitlines()
    for unit in [line.split()[0] for line in listed if line.strip()]:
        required = portal.check_output("systemctl show --property=Requires --value %s", unit).split()
        assert {"nftables.service", "boxlift-fence.service"} <= set(required), unit
