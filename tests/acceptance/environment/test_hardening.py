"""What services must not be able to do fails when it is tried, and what they must be able to do works."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import pytest
from testinfra.host import Host

from boxlift.verify.inventory import HostOf, Inventory, Setting
from boxlift.verify.sandbox import Outcome, Sandbox, outcomes

DENIED = re.compile(
    r"Permission denied|Operation not permitted|Read-only file system|cannot create|must be superuser"
    r"|Address family not supported|Bad system call",
    re.IGNORECASE,
)
PHP = "php*-fpm.service"
REDIS = "redis-server@*.service"
PUSH = "push-server@*.service"
RESTORE = "bxbackup-restore@probe.service"
AGENTS = "portal-agents.service"
GROUPS = {PHP: "portal", PUSH: "push", REDIS: "cache"}
SYSTEM = ["/usr", "/etc", "/opt", "/boot"]
RELEASES = "/srv/portal/releases"
PROBE = f"{RELEASES}/boxlift-probe"

# Secrets, and the one account besides root that may read them.
SECRETS = {
    "/etc/shadow": "",
    "/etc/boxlift/database.cnf": "",
    "/etc/boxlift/monitoring.json": "",
    "/etc/ssl/boxlift/privkey.pem": "",
    "/etc/ssl/boxlift/pairs/*/privkey.pem": "",
    "/etc/mysql/boxlift/server.key": "mysql",
    "/etc/letsencrypt/archive/*/privkey*.pem": "",
    "/etc/letsencrypt/accounts/*/*/*/private_key.json": "",
    "/etc/nginx/portal.htpasswd": "www-data",
    "/var/lib/boxlift/reader/key": "",
    "/etc/postfix/relay_password": "",
    "/etc/bxbackup/*/source": "",
    "/etc/bxbackup/*/client.cnf": "",
    "/etc/bxbackup/*/password": "",
    "/etc/push-server/*.json": "push-server",
    "/etc/redis/redis-*.conf": "redis",
    "/srv/portal/current/bitrix/.settings.php": "portal",
    "/srv/portal/current/bitrix/.settings_extra.php": "portal",
    "/srv/portal/current/bitrix/php_interface/dbconn.php": "portal",
    "/srv/portal/current/bitrix/license_key.php": "portal",
}
ACCOUNTS = ["caught-mail", "mysql", "nobody", "portal", "postfix", "push-server", "redis", "www-data"]
KERNEL = {
    "mount": "mount -t tmpfs none /mnt",
    "namespace": "unshare --user true",
    "raw socket": "python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'",
    "clock": "date --set=@1",
    "kernel settings": "echo 1 > /proc/sys/kernel/sysrq",
}


def running(host: Host, pattern: str) -> dict[str, str]:
    """Main process of each running unit of a pattern."""
    listed = json.loads(
        host.check_output("systemctl list-units %s --state=running --output=json --no-pager", pattern)
    )
    units = [unit["unit"] for unit in listed]
    return {unit: host.check_output("systemctl show --property MainPID --value %s", unit) for unit in units}


def installed(host: Host, unit: str) -> Sandbox:
    """Sandbox of a unit of ours; the test is not meant where nothing has installed it yet."""
    file = re.sub(r"@[^.]*", "@", unit)
    if not host.file(f"/etc/systemd/system/{file}").exists:
        pytest.skip(f"{file} is not installed yet")
    return Sandbox.of(host, unit)


def allowed(found: Mapping[str, Outcome]) -> list[str]:
    """Acts that succeeded, and those that failed for another reason than that they are forbidden."""
    return [
        f"{act}: {outcome.said or 'done'}"
        for act, outcome in found.items()
        if outcome.code == 0 or not DENIED.search(outcome.said)
    ]


def writes(*folders: str) -> dict[str, str]:
    return {folder: f"touch {folder}/boxlift-probe && rm {folder}/boxlift-probe" for folder in folders}


@pytest.mark.parametrize("pattern", GROUPS)
def test_no_service_writes_to_the_system(host_of: HostOf, pattern: str) -> None:
    """As root, among the files that the running process sees: this is its sandbox and not its account."""
    host = host_of(GROUPS[pattern])
    units = running(host, pattern)
    assert units
    for unit, pid in units.items():
        assert allowed(outcomes(host, writes(*(f"/proc/{pid}/root{folder}" for folder in SYSTEM)))) == [], (
            unit
        )


@pytest.mark.parametrize("unit", [AGENTS, RESTORE])
def test_no_unit_of_ours_writes_to_the_system(portal: Host, unit: str) -> None:
    """As root again, so that it is the unit's fence and not that of its account."""
    found = installed(portal, unit).tries(writes(*SYSTEM, "/var/lib", "/var/backups"), user="root")
    assert allowed(found) == []


def test_no_unit_that_boxlift_has_made_writes_to_the_system(portal: Host) -> None:
    """Whatever units there are: those of roles that this suite does not know too."""
    listed = portal.check_output("grep -l '^# Ansible managed' /etc/systemd/system/*.service || true").split()
    active = portal.check_output("basename $(readlink -f /srv/portal/current || echo probe)")
    for path in listed:
        unit = path.rpartition("/")[2].replace("@.", f"@{active}.")
        found = Sandbox.of(portal, unit).tries(writes("/usr", "/etc", "/boot"), user="root")
        assert allowed(found) == [], unit


@pytest.mark.parametrize("unit", [AGENTS, RESTORE])
def test_they_write_to_the_portal(portal: Host, unit: str) -> None:
    """The proof that the probe works, and that the fence leaves what is needed."""
    found = installed(portal, unit).tries({"write": f"touch {PROBE} && rm {PROBE}"})
    assert found["write"] == Outcome(0, "")


def test_php_writes_to_the_portal_and_to_the_queue_of_the_mail(portal: Host) -> None:
    (unit,) = running(portal, PHP)
    become = "setpriv --reuid=portal --regid=portal --clear-groups"
    # Before the portal is installed there is no folder of it.
    place = portal.file(RELEASES).is_directory
    found = Sandbox.of(portal, unit).tries(
        {
            **({"portal": f"{become} touch {PROBE} && {become} rm {PROBE}"} if place else {}),
            **writes("/var/spool", "/tmp"),
            # It needs its group and looks at the network interfaces to hand a letter to the queue.
            "sendmail": f"{become} sendmail -bp >/dev/null",
        },
        user="root",
    )
    assert {act: outcome for act, outcome in found.items() if outcome != Outcome(0, "")} == {}


@pytest.mark.parametrize("pattern", [*GROUPS, RESTORE])
def test_no_service_touches_the_kernel(host_of: HostOf, pattern: str) -> None:
    host = host_of(GROUPS.get(pattern, "portal"))
    unit = next(iter(running(host, pattern))) if "*" in pattern else pattern
    sandbox = installed(host, unit) if unit == RESTORE else Sandbox.of(host, unit)
    assert allowed(sandbox.tries(KERNEL, user="root")) == []


def test_the_push_server_sees_nothing_of_the_portal(push: Host) -> None:
    for pid in running(push, PUSH).values():
        seen = {path: f"ls -A /proc/{pid}/root{path}" for path in ("/srv", "/var/lib", "/var/backups")}
        assert {outcome.said for outcome in outcomes(push, seen).values()} == {""}


def test_a_redis_instance_sees_no_other_one_s_settings(host_of: HostOf) -> None:
    cache = host_of("cache")
    for unit, pid in running(cache, REDIS).items():
        name = unit.partition("@")[2].removesuffix(".service")
        assert cache.check_output("ls -A %s", f"/proc/{pid}/root/etc/redis") == f"redis-{name}.conf"


@pytest.mark.parametrize("group", ["portal", "database", "cache", "push"])
def test_a_secret_is_read_by_its_service_alone(
    inventory: Inventory, target: str, host_of: HostOf, portal_name: str, group: str
) -> None:
    names = inventory.names(f"{group}:&{target}")
    if not names:
        pytest.skip("no host of this environment")
    if group != "portal" and names[0] == portal_name:
        pytest.skip("the same host as the portal's")
    host = host_of(group)
    there = {
        path: owner
        for pattern, owner in SECRETS.items()
        for path in host.check_output(f"ls -d {pattern} 2>/dev/null || true").split()
    }
    assert there
    accounts = [name for name in ACCOUNTS if host.user(name).exists]
    acts = {
        f"{account} {path}": f"runuser -u {account} -- cat {path} >/dev/null"
        for account in accounts
        for path in there
    }
    readers = {act for act, outcome in outcomes(host, acts).items() if outcome.code == 0}
    assert readers == {f"{owner} {path}" for path, owner in there.items() if owner in accounts}


def test_the_portal_cannot_speak_to_the_push_server_s_redis(push: Host, setting: Setting) -> None:
    """A message in it would reach any subscriber, unsigned."""
    if not push.user("portal").exists:
        pytest.skip("the portal is on another host")
    socket = str(setting("push_server_redis_socket", "/run/redis-push/redis.sock"))
    program = f"import socket; socket.socket(socket.AF_UNIX).connect({socket!r})"
    done = push.run("runuser -u portal -- python3 -c %s", program)
    assert done.rc != 0
    assert DENIED.search(done.stderr), done.stderr


def test_pages_cannot_reach_other_processes_and_accounts(portal: Host) -> None:
    (unit,) = running(portal, PHP)
    settings = f"/etc/php/{unit.removeprefix('php').removesuffix('-fpm.service')}/fpm"
    php = (
        f"runuser -u portal -- env PHP_INI_SCAN_DIR={settings}/conf.d php --php-ini {settings}/php.ini --run"
    )
    calls = ["posix_kill(1, 0)", "posix_setuid(0)", "dl(1)"]
    found = outcomes(portal, {call: f"{php} '{call};'" for call in calls})
    assert [call for call in calls if "undefined function" not in found[call].said] == []


def test_what_the_product_starts_may_be_started(portal: Host) -> None:
    """portal_runtime A3, F5: exec is needed."""
    done = portal.run("runuser -u portal -- php --run %s", "exec('catdoc -V', $lines, $code); exit($code);")
    assert done.rc == 0


@pytest.mark.parametrize("account", ["portal", "push-server"])
def test_nobody_logs_in_as_a_service(portal: Host, account: str) -> None:
    if portal.user(account).exists:
        assert portal.user(account).shell == "/usr/sbin/nologin"
        assert portal.check_output("passwd --status %s", account).split()[1] == "L"


def test_ssh_is_as_it_was(portal: Host, setting: Setting) -> None:
    asked = bool(setting("base_ssh_settings", None))
    assert portal.file("/etc/ssh/sshd_config.d/10-boxlift.conf").exists is asked


def test_security_updates_come_if_they_were_asked_for(portal: Host, setting: Setting) -> None:
    if not setting("base_security_updates", False):
        pytest.skip("the operator installs them")
    assert portal.package("unattended-upgrades").is_installed
    assert 'APT::Periodic::Unattended-Upgrade "1";' in portal.check_output("apt-config dump")
