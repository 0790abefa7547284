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

from boxlift.verify.browser import Browser
from boxlift.verify.inventory import Inventory
from boxlift.verify.release import Release
from tests.lab.support import OUTSIDE, STAGING, Outside, sign_in_administrator
from tests.scenarios.counted import Watch

CRON = "runuser -u portal -- php -f /srv/portal/current/bitrix/modules/main/tools/cron_events.php"
AWAKE = "local/php_interface/hostile.on"
"""In this file's presence the hostile code acts on each request."""
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
DUE = "UPDATE b_agent SET NEXT_EXEC = NOW() - INTERVAL 1 HOUR, DATE_CHECK = NULL, RUNNING = 'N'"
WAYS = [("tcp", port) for port in (22, 25, 53, 80, 443, 587, 993, 5060, 8025)]
WAYS += [("udp", port) for port in (53, 123, 5060)]
OUTREACH = {
    *("payment", "receipt", "messenger", "integration", "token", "event", "phone", "calendar"),
    *("conversion", "network", "login", "short message", "letter", "tcp/993", "tcp/5060", "udp/5060"),
}
"""How production goes out each time that its agents run, as the sinks tell it: hostile.php's kinds, a letter,
mailboxes, telephony. Short messages that wait go once."""
PATIENCE = 10
"""Seconds after which the sinks have told all: they listen to a connection's first words for five."""
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
SWITCHES = (
    "UPDATE b_option SET VALUE = '{}' WHERE MODULE_ID = 'main' AND NAME IN ('check_agents', 'check_events')"
)
FORCED = (DUE + ", ACTIVE = 'Y'", SWITCHES.format("Y"))
# As the copy was before somebody forced its agents.
CALMED = ("UPDATE b_agent SET ACTIVE = 'N'", SWITCHES.format("N"))


@dataclass(frozen=True)
class World:
    """Where packets are counted, what the sinks keep, and since when (seconds since 1970)."""

    staging: Watch
    outside: Watch
    sinks: Outside
    began: float

    def reached(self, host: str) -> int:
        """How often `staging` or `production` reached any sink since the count began, as these have it."""
        found = [(entry["peer"], entry["at"]) for entry in self.sinks.requests() + self.sinks.connections()]
        found += [(mail["peer"], mail["received"]) for mail in self.sinks.mails()]
        return sum(peer in self.outside.addresses[host] and moment >= self.began for peer, moment in found)

    def outreach(self, host: str) -> set[str]:
        """The ways by which `staging` or `production` went out since the count began; short messages ever."""
        peers = self.outside.addresses[host]
        found: set[str] = set()
        for call in self.sinks.requests():
            way = "short message" if "message_to=" in call["body"] else call["headers"].get("X-Hostile")
            if way and call["peer"] in peers and (call["at"] >= self.began or way == "short message"):
                found.add(way)
        found |= {
            f"{entry['protocol']}/{entry['port']}"
            for entry in self.sinks.connections()
            if entry["peer"] in peers and entry["at"] >= self.began
        }
        letters = [mail for mail in self.sinks.mails("client@example.test") if mail["subject"] == "Hostile"]
        if any(mail["peer"] in peers and mail["received"] >= self.began for mail in letters):
            found.add("letter")
        return found

    def assert_nothing_left(self) -> None:
        """No packet of the copy's came anywhere."""
        assert self.staging.packets("left", "outside") == 0
        assert self.staging.packets("left", "production") == 0
        assert self.outside.packets("came", "staging") == 0
        assert self.reached("staging") == 0

    def assert_production_goes_on(self) -> None:
        """Production's own packets came."""
        assert self.outside.packets("came", "production") > 0
        assert self.reached("production") > 0


def addresses(host: Host) -> list[str]:
    """All addresses that others can reach the host by."""
    lines = host.check_output("ip -o addr show scope global").splitlines()
    return [line.split()[3].partition("/")[0] for line in lines]


def purge(staging: Host) -> None:
    """Let the copy see what was changed in its database."""
    staging.check_output("rm -rf /srv/portal/current/bitrix/managed_cache")
    staging.check_output("systemctl restart 'redis-server@cache'")


def work_off(production: Host, source: Release) -> None:
    """Production does all that it has to do, at once."""
    source.database.rows(DUE)
    production.check_output(CRON)


async def use(browser: Browser) -> None:
    """What a tester does: every page, a new lead, a password letter."""
    for page in PAGES:
        answer = await browser.get(page)
        assert answer.status < HTTPStatus.INTERNAL_SERVER_ERROR, (page, answer.text[:500])
    made = await browser.post("/crm/lead/add", {"TITLE": "hostile", "PHONE": "+70000000000"}, json=True)
    assert made.status in {HTTPStatus.OK, HTTPStatus.CREATED}, made.text
    fields = {"AUTH_FORM": "Y", "TYPE": "SEND_PWD", "USER_EMAIL": "client@example.test"}
    await browser.post("/auth/?forgot_password=yes", fields)


@pytest.fixture(scope="module")
def twin(staging_host: Host, copy: Release) -> Iterator[Release]:
    """The copy of the hostile portal; as still as it was when the tests are done with it."""
    yield copy
    staging_host.check_output("rm -f %s", f"{copy.root}/{AWAKE}")
    for statement in CALMED:
        copy.database.rows(statement)
    purge(staging_host)


@pytest.fixture
def world(twin: Release, staging_host: Host, production_host: Host, inventory: Inventory) -> Iterator[World]:
    """Counters at zero on both sides."""
    cloud = inventory.connect(OUTSIDE)
    staging, production = addresses(staging_host), addresses(production_host)
    watches = (
        Watch(staging_host, {"outside": addresses(cloud), "production": production}),
        Watch(cloud, {"staging": staging, "production": production}),
    )
    for watch in watches:
        watch.start()
    yield World(*watches, Outside(inventory.address(OUTSIDE)), time.time())
    for watch in watches:
        watch.stop()


@pytest.fixture
async def at_work(twin: Release, browser: Browser, inventory: Inventory) -> Browser:
    """A tester who signs in to the copy as production's administrator."""
    await sign_in_administrator(browser, inventory)
    return browser


def test_the_copy_has_what_is_hostile(twin: Release, staging_host: Host) -> None:
    assert staging_host.file(f"{twin.root}/local/php_interface/hostile.php").exists
    agents = twin.database.value("SELECT COUNT(*) FROM b_agent WHERE NAME = 'hostile_outreach();'")
    assert agents == "1"


def test_production_reaches_the_sinks(world: World, production_host: Host, source: Release) -> None:
    """By every way that it has, so they would see a copy that takes one of them."""
    work_off(production_host, source)
    for _ in range(PATIENCE):
        if world.outreach("production") >= OUTREACH:
            break
        time.sleep(1)
    assert OUTREACH - world.outreach("production") == set()
    world.assert_production_goes_on()


def test_what_no_rule_knows_is_told(twin: Release, inventory: Inventory) -> None:
    text = Path(str(inventory.setting(STAGING, "portal_quiet_evidence_file"))).read_text(encoding="utf-8")
    told = json.loads(text)
    assert told["release"] == twin.name
    assert told["unknown_tables"] == [{"table": "b_acme_webhook", "rows": 1}]
    assert [found["place"] for found in told["secrets"]] == ["b_acme_webhook.API_TOKEN"]
    assert "s3cret-of-production" not in text
    assert {"agents", "mailboxes", "webhooks", "payments"} <= {
        rule["rule"] for rule in told["rules"] if rule["rows"]
    }


async def test_the_rules_alone_keep_a_copy_still(
    world: World, at_work: Browser, staging_host: Host, production_host: Host, source: Release
) -> None:
    # Counted before the firewall: nothing so much as tries.
    await use(at_work)
    staging_host.check_output(CRON)
    work_off(production_host, source)
    assert world.staging.packets("tried", "outside") == 0
    world.assert_nothing_left()
    world.assert_production_goes_on()


def test_agents_that_somebody_forces_find_nothing_to_act_on(
    world: World, twin: Release, staging_host: Host
) -> None:
    ran = "SELECT COUNT(*) FROM b_agent WHERE LAST_EXEC > '{}'"
    (before,) = twin.database.rows("SELECT COALESCE(MAX(LAST_EXEC), '2000-01-01') FROM b_agent")
    for statement in FORCED:
        twin.database.rows(statement)
    purge(staging_host)
    staging_host.check_output(CRON)
    assert int(twin.database.value(ran.format(*before))) > 0
    assert world.staging.packets("tried", "outside") == 0
    world.assert_nothing_left()


async def test_code_that_heeds_no_setting_gets_nowhere(
    world: World,
    twin: Release,
    at_work: Browser,
    staging_host: Host,
    production_host: Host,
    source: Release,
) -> None:
    staging_host.check_output("touch %s", f"{twin.root}/{AWAKE}")
    await use(at_work)
    staging_host.check_output(CRON)
    work_off(production_host, source)
    assert world.staging.packets("tried", "outside") > 0
    world.assert_nothing_left()
    world.assert_production_goes_on()
    caught = staging_host.check_output("grep -l '^Subject: Hostile code' /var/mail/caught/new/* | xargs cat")
    assert "X-Original-To: client@example.test" in caught


@pytest.mark.parametrize(
    "user", ["root", "portal", "www-data", "nobody", "_apt", "postfix", "mysql", "caught-mail"]
)
def test_no_account_gets_out(world: World, staging_host: Host, user: str) -> None:
    ways = [
        f"{protocol}/{address}/{port}"
        for address in world.staging.addresses["outside"]
        for protocol, port in WAYS
    ]
    attempts = "; ".join(f"timeout 2 bash -c 'echo x > /dev/{way}' && echo {way}" for way in ways)
    tried = staging_host.run("setpriv --reuid=%s --clear-groups sh -c %s", user, attempts)
    assert tried.stdout == ""
    assert world.staging.packets("tried", "outside") > 0
    world.assert_nothing_left()


def test_not_even_a_ping_gets_out(world: World, staging_host: Host) -> None:
    for address in world.staging.addresses["outside"]:
        staging_host.run("python3 -c %s %s", ECHO, address)
    assert world.staging.packets("tried", "outside") > 0
    world.assert_nothing_left()


def test_ipv6_is_fenced_too(world: World, staging_host: Host) -> None:
    cloud = world.outside.host
    ours, theirs = "fd5a:6c:1::12", "fd5a:6c:1::21"
    link = staging_host.check_output("ip -o route show default").split()[4]
    for host, address in ((staging_host, ours), (cloud, theirs)):
        host.run("sysctl -qw net.ipv6.conf.%s.disable_ipv6=0", link)
        if host.run("ip -6 addr add %s/64 dev %s nodad", address, link).rc != 0:
            pytest.skip("this machine's containers have no IPv6")
    try:
        watches = Watch(staging_host, {"outside": [theirs]}), Watch(cloud, {"staging": [ours]})
        for watch in watches:
            watch.start()
        # From there to here it goes: so it would from here to there.
        assert cloud.run("timeout 5 bash -c %s", f"exec 3<>/dev/tcp/{ours}/22").rc == 0
        assert watches[1].packets("came", "staging") > 0
        time.sleep(2)  # the last words of that connection
        for watch in watches:
            watch.start()
        for port in (22, 25, 80, 443):
            assert staging_host.run("timeout 2 bash -c %s", f"exec 3<>/dev/tcp/{theirs}/{port}").rc != 0
        staging_host.run("python3 -c %s %s", ECHO, theirs)
        assert watches[0].packets("tried", "outside") > 0
        assert watches[0].packets("left", "outside") == 0
        assert watches[1].packets("came", "staging") == 0
    finally:
        for host, address in ((staging_host, ours), (cloud, theirs)):
            host.run("ip -6 addr del %s/64 dev %s", address, link)
