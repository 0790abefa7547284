"""A portal that reaches out by every way it has: its copy reaches nobody, while the portal itself goes on.

All targets are sinks of the lab. Packets are counted with nftables where they are made, where they leave and
where they arrive; the sinks keep their own account.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import pytest
from testinfra.host import Host

from boxlift.project import Project
from boxlift.verify.browser import Browser
from boxlift.verify.inventory import Inventory
from boxlift.verify.release import Release
from tests.lab.conftest import OUTSIDE, PRODUCTION, STAGING
from tests.lab.counted import Watch
from tests.lab.support import Outside, Play, sign_in

CODE = Path(__file__).parent / "hostile.php"
CRON = "runuser -u portal -- php -f /srv/portal/current/bitrix/modules/main/tools/cron_events.php"
PAGES = [
    "/",
    "/stream/",
    "/auth/",
    "/auth/?forgot_password=yes",
    "/company/personal/user/1/",
    "/online/",
    "/online/?IM_NOTIFY=Y",
    "/search/?q=a",
    "/crm/lead/list/",
    "/crm/lead/details/1/",
    "/company/personal/user/1/tasks/task/view/1/",
    "/task/comments/1/",
    "/no/such/page/",
]
# Queued letters and work that is due now, as a busy portal has them.
LETTERS = (
    "INSERT INTO b_event (EVENT_NAME, LID, C_FIELDS, DATE_INSERT, SUCCESS_EXEC, DUPLICATE) VALUES"
    " ('USER_INFO', 's1', 'a:1:{s:5:\"EMAIL\";s:19:\"client@example.test\";}', NOW(), 'N', 'Y')"
)
AGENT = (
    "INSERT INTO b_agent (MODULE_ID, SORT, NAME, ACTIVE, NEXT_EXEC, AGENT_INTERVAL, IS_PERIOD)"
    " VALUES ('', 100, 'hostile_outreach();', 'Y', NOW() - INTERVAL 1 DAY, 1, 'N')"
)
# What an application may bring: no rule can know it.
STRANGE = (
    "CREATE TABLE b_acme_webhook (ID INT PRIMARY KEY, URL TEXT, API_TOKEN TEXT)",
    "INSERT INTO b_acme_webhook VALUES (1, 'x', 's3cret-of-production')",
)
DUE = "UPDATE b_agent SET NEXT_EXEC = NOW() - INTERVAL 1 HOUR, DATE_CHECK = NULL, RUNNING = 'N'"
ECHO = """
import socket, sys
address = sys.argv[1]
if ":" in address:
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    s.sendto(bytes([128, 0, 0, 0, 0, 0, 0, 0]), (address, 0))
else:
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    s.sendto(bytes([8, 0, 0xF7, 0xFF, 0, 0, 0, 0]), (address, 0))
"""
FORCED = (
    DUE + ", ACTIVE = 'Y'",
    "UPDATE b_option SET VALUE = 'Y' WHERE MODULE_ID = 'main' AND NAME IN ('check_agents', 'check_events')",
)


# As the copy was before somebody forced its agents.
CALMED = (
    "DROP TABLE b_acme_webhook",
    "DELETE FROM b_agent WHERE NAME = 'hostile_outreach();'",
    "UPDATE b_agent SET ACTIVE = 'N'",
    "UPDATE b_option SET VALUE = 'N' WHERE MODULE_ID = 'main' AND NAME IN ('check_agents', 'check_events')",
)


@dataclass(frozen=True)
class World:
    """Where packets are counted, and since when (seconds since 1970)."""

    staging: Watch
    outside: Watch
    began: float


def addresses(host: Host) -> list[str]:
    """All addresses that others can reach the host by."""
    lines = host.check_output("ip -o addr show scope global").splitlines()
    return [line.split()[3].partition("/")[0] for line in lines]


def plant(production: Host, release: Release) -> None:
    init = f"{release.root}/local/php_interface/init.php"
    production.check_output("mkdir -p %s", f"{release.root}/local/php_interface")
    production.check_output(
        "printf %%s %s > %s",
        CODE.read_text(encoding="utf-8"),
        f"{release.root}/local/php_interface/hostile.php",
    )
    production.check_output("test -e %s || echo '<?php' > %s", init, init)
    production.check_output("cp -p %s %s", init, f"{init}.orig")
    production.check_output("sed -i %s %s", "1a require_once __DIR__ . '/hostile.php';", init)
    production.check_output("chown -R portal:portal %s", f"{release.root}/local")
    for statement in (LETTERS, AGENT, DUE, *STRANGE):
        release.database.rows(statement)


def clear(production: Host, release: Release) -> None:
    folder = f"{release.root}/local/php_interface"
    production.check_output("mv %s %s", f"{folder}/init.php.orig", f"{folder}/init.php")
    production.check_output("rm -f %s", f"{folder}/hostile.php")
    release.database.rows("DELETE FROM b_agent WHERE NAME = 'hostile_outreach();'")
    release.database.rows("DROP TABLE b_acme_webhook")


@pytest.fixture(scope="module")
def hostile(production: Host, release: Release, outside: Outside) -> Iterator[None]:
    """Production reaches out by every way, and its sinks see it: so they would see a copy."""
    plant(production, release)
    try:
        began = time.time()
        production.check_output(CRON)
        assert {call["headers"].get("X-Hostile") for call in outside.requests() if call["at"] >= began} >= {
            "payment",
            "receipt",
            "messenger",
            "token",
        }
        yield
    finally:
        clear(production, release)


@pytest.fixture(scope="module")
def cloned(hostile: None, play: Play) -> None:
    recap = play("clone_to_preproduction.yml", portal_target="preproduction")
    assert recap.returncode == 0, recap.output[-3000:]


@pytest.fixture(scope="module")
def twin(cloned: None, staging: Host) -> Iterator[Release]:
    """The release that staging serves, filled from the hostile production; tame again afterwards."""
    link: str = staging.check_output("readlink -f /srv/portal/current")
    release = Release.on(staging, Path(link).name)
    folder = f"{release.root}/local/php_interface"
    assert staging.file(f"{folder}/hostile.php").exists
    assert release.database.value("SELECT COUNT(*) FROM b_agent WHERE NAME = 'hostile_outreach();'") == "1"
    yield release
    staging.check_output("mv %s %s", f"{folder}/init.php.orig", f"{folder}/init.php")
    staging.check_output("rm -f %s %s", f"{folder}/hostile.php", f"{folder}/hostile.on")
    for statement in CALMED:
        release.database.rows(statement)
    purge(staging)


def purge(staging: Host) -> None:
    """Let the copy see what was changed in its database."""
    staging.check_output("rm -rf /srv/portal/current/bitrix/managed_cache")
    staging.check_output("systemctl restart 'redis-server@cache'")


@pytest.fixture
def world(twin: Release, staging: Host, production: Host, inventory: Inventory) -> Iterator[World]:
    """Counters at zero on both sides."""
    cloud = inventory.connect(OUTSIDE)
    other = addresses(cloud)
    watched = World(
        Watch(staging, {"outside": other, "production": addresses(production)}),
        Watch(cloud, {"staging": addresses(staging), "production": addresses(production)}),
        time.time(),
    )
    watched.staging.start()
    watched.outside.start()
    yield watched
    watched.staging.stop()
    watched.outside.stop()


@pytest.fixture
async def at_work(twin: Release, tester: Browser, inventory: Inventory) -> Browser:
    """A tester who signs in to the copy as production's administrator."""
    page = await sign_in(
        tester,
        str(inventory.setting(PRODUCTION, "portal_administrator_login")),
        str(inventory.setting(PRODUCTION, "vault_portal_admin_password")),
    )
    assert page.status == HTTPStatus.OK, page.text
    return tester


async def use(browser: Browser) -> None:
    """What a tester does: every page, a new lead, a comment, a password letter."""
    for page in PAGES:
        answer = await browser.get(page)
        assert answer.status < HTTPStatus.INTERNAL_SERVER_ERROR, (page, answer.text[:500])
    made = await browser.post("/crm/lead/add", {"TITLE": "hostile", "PHONE": "+70000000000"}, json=True)
    assert made.status in {HTTPStatus.OK, HTTPStatus.CREATED}, made.text
    fields = {"AUTH_FORM": "Y", "TYPE": "SEND_PWD", "USER_EMAIL": "client@example.test"}
    await browser.post("/auth/?forgot_password=yes", fields)


def reached(world: World, outside: Outside, inventory: Inventory, host: str) -> int:
    """How often a host reached any sink since the count began, as the sinks have it."""
    peer = inventory.address(host)
    found = [entry["at"] for entry in [*outside.requests(), *outside.connections()] if entry["peer"] == peer]
    found += [mail["received"] for mail in outside.mails() if mail["peer"] == peer]
    return sum(moment >= world.began for moment in found)


def assert_nothing_left(world: World, outside: Outside, inventory: Inventory) -> None:
    assert world.staging.packets("left", "outside") == 0
    assert world.staging.packets("left", "production") == 0
    assert world.outside.packets("came", "staging") == 0
    assert reached(world, outside, inventory, STAGING) == 0


def assert_production_goes_on(world: World, outside: Outside, inventory: Inventory) -> None:
    assert world.outside.packets("came", "production") > 0
    assert reached(world, outside, inventory, PRODUCTION) > 0


def test_what_no_rule_knows_is_told(twin: Release, project: Project) -> None:
    text = (project.root / "evidence" / "quiet-preproduction.json").read_text(encoding="utf-8")
    told = json.loads(text)
    assert told["release"] == twin.name
    assert told["unknown_tables"] == [{"table": "b_acme_webhook", "rows": 1}]
    assert [found["place"] for found in told["secrets"]] == ["b_acme_webhook.API_TOKEN"]
    assert "s3cret-of-production" not in text
    assert {"agents", "mailboxes", "webhooks", "payments"} <= {
        rule["rule"] for rule in told["rules"] if rule["rows"]
    }


async def test_the_rules_alone_keep_a_copy_still(
    world: World,
    at_work: Browser,
    staging: Host,
    production: Host,
    release: Release,
    outside: Outside,
    inventory: Inventory,
) -> None:
    # Counted before the firewall: nothing so much as tries.
    await use(at_work)
    staging.check_output(CRON)
    release.database.rows(DUE)
    production.check_output(CRON)
    assert world.staging.packets("tried", "outside") == 0
    assert_nothing_left(world, outside, inventory)
    assert_production_goes_on(world, outside, inventory)


def test_agents_that_somebody_forces_find_nothing_to_act_on(
    world: World, twin: Release, staging: Host, outside: Outside, inventory: Inventory
) -> None:
    for statement in FORCED:
        twin.database.rows(statement)
    purge(staging)
    staging.check_output(CRON)
    ran = "SELECT COUNT(*) FROM b_agent WHERE LAST_EXEC > NOW() - INTERVAL 1 MINUTE"
    assert int(twin.database.value(ran)) > 0
    assert world.staging.packets("tried", "outside") == 0
    assert_nothing_left(world, outside, inventory)


async def test_code_that_heeds_no_setting_gets_nowhere(
    world: World,
    twin: Release,
    at_work: Browser,
    staging: Host,
    production: Host,
    release: Release,
    outside: Outside,
    inventory: Inventory,
) -> None:
    staging.check_output("touch %s", f"{twin.root}/local/php_interface/hostile.on")
    await use(at_work)
    staging.check_output(CRON)
    release.database.rows(DUE)
    production.check_output(CRON)
    assert world.staging.packets("tried", "outside") > 0
    assert_nothing_left(world, outside, inventory)
    assert_production_goes_on(world, outside, inventory)
    caught = staging.check_output("grep -l '^Subject: Hostile code' /var/mail/caught/new/* | xargs cat")
    assert "X-Original-To: client@example.test" in caught


@pytest.mark.parametrize(
    "user", ["root", "portal", "www-data", "nobody", "_apt", "postfix", "mysql", "caught-mail"]
)
def test_no_account_gets_out(
    world: World, staging: Host, outside: Outside, inventory: Inventory, user: str
) -> None:
    ways = [f"tcp/{{}}/{port}" for port in (22, 25, 53, 80, 443, 587, 993, 5060, 8025)]
    ways += [f"udp/{{}}/{port}" for port in (53, 123, 5060)]
    for address in world.staging.addresses["outside"]:
        for way in ways:
            attempt = f"timeout 2 bash -c 'echo x > /dev/{way.format(address)}'"
            assert staging.run("setpriv --reuid=%s --clear-groups sh -c %s", user, attempt).rc != 0
    assert world.staging.packets("tried", "outside") > 0
    assert_nothing_left(world, outside, inventory)


def test_not_even_a_ping_gets_out(
    world: World, staging: Host, outside: Outside, inventory: Inventory
) -> None:
    for address in world.staging.addresses["outside"]:
        staging.run("python3 -c %s %s", ECHO, address)
    assert world.staging.packets("tried", "outside") > 0
    assert_nothing_left(world, outside, inventory)


def test_ipv6_is_fenced_too(world: World, staging: Host, outside: Outside, inventory: Inventory) -> None:
    cloud = world.outside.host
    ours, theirs = "fd5a:6c:1::12", "fd5a:6c:1::21"
    link = staging.check_output("ip -o route show default").split()[4]
    for host, address in ((staging, ours), (cloud, theirs)):
        host.run("sysctl -qw net.ipv6.conf.%s.disable_ipv6=0", link)
        if host.run("ip -6 addr add %s/64 dev %s nodad", address, link).rc != 0:
            pytest.skip("this machine's containers have no IPv6")
    try:
        watches = Watch(staging, {"outside": [theirs]}), Watch(cloud, {"staging": [ours]})
        for watch in watches:
            watch.start()
        # From there to here it goes: so it would from here to there.
        assert cloud.run("timeout 5 bash -c %s", f"exec 3<>/dev/tcp/{ours}/22").rc == 0
        assert watches[1].packets("came", "staging") > 0
        time.sleep(2)  # the last words of that connection
        for watch in watches:
            watch.start()
        for port in (22, 25, 80, 443):
            assert staging.run("timeout 2 bash -c %s", f"exec 3<>/dev/tcp/{theirs}/{port}").rc != 0
        staging.run("python3 -c %s %s", ECHO, theirs)
        assert watches[0].packets("tried", "outside") > 0
        assert watches[0].packets("left", "outside") == 0
        assert watches[1].packets("came", "staging") == 0
    finally:
        for host, address in ((staging, ours), (cloud, theirs)):
            host.run("ip -6 addr del %s/64 dev %s", address, link)
