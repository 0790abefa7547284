"""What services must not be able to do fails when it is tried, and what they must be able to do works."""

from __future__ import annotations

import json
import re

import pytest
from testinfra.host import Host

from boxlift.verify.inventory import Setting
from boxlift.verify.sandbox import Sandbox, inside

READ_ONLY = "Read-only file system"
DENIED = re.compile(r"Permission denied|Operation not permitted|Read-only file system", re.IGNORECASE)
PHP = "php*-fpm.service"
RUNNING = [PHP, "push-server@*.service", "redis-server@*.service"]
UNITS = ["portal-agents.service", "bxbackup-restore@probe.service"]

# Secrets of each service, and the one account besides root that may read them.
SECRETS = {
    "/etc/shadow": "",
    "/etc/boxlift/database.cnf": "",
    "/etc/ssl/boxlift/*.key /etc/ssl/boxlift/privkey.pem": "",
    "/etc/postfix/relay_password": "",
    "/etc/bxbackup/*/source /etc/bxbackup/*/client.cnf /etc/bxbackup/*/password": "",
    "/etc/push-server/*.json": "push-server",
    "/etc/redis/redis-*.conf": "redis",
    "/srv/portal/current/bitrix/.settings.php /srv/portal/current/bitrix/.settings_extra.php": "portal",
    "/srv/portal/current/bitrix/php_interface/dbconn.php": "portal",
}
ACCOUNTS = ["mysql", "nobody", "portal", "postfix", "push-server", "redis", "www-data"]


def running(host: Host, pattern: str) -> dict[str, str]:
    """Main process of each running unit of a pattern."""
    listed = json.loads(
        host.check_output("systemctl list-units %s --state=running --output=json --no-pager", pattern)
    )
    units = [unit["unit"] for unit in listed]
    return {unit: host.check_output("systemctl show --property MainPID --value %s", unit) for unit in units}


def known(host: Host, unit: str) -> Sandbox:
    """Sandbox of a unit; the test is not meant where nothing has installed it yet."""
    file = re.sub(r"@[^.]*", "@", unit)
    if not host.file(f"/etc/systemd/system/{file}").exists:
        pytest.skip(f"{file} is not installed yet")
    return Sandbox.of(host, unit)


@pytest.mark.parametrize("path", ["/usr", "/etc", "/opt", "/boot"])
@pytest.mark.parametrize("pattern", RUNNING)
def test_no_service_writes_to_the_system(portal: Host, push: Host, pattern: str, path: str) -> None:
    """As root, among the files that the running process sees: this is its sandbox and not its account."""
    units = running(push if pattern.startswith("push") else portal, pattern)
    assert units
    for unit, pid in units.items():
        done = inside(portal, pid, ["sh", "-c", f"touch {path}/boxlift-probe && rm {path}/boxlift-probe"])
        assert done.rc != 0, f"{unit} can write to {path}"
        assert READ_ONLY in done.stderr, done.stderr


@pytest.mark.parametrize("path", ["/usr", "/etc", "/opt", "/var/lib/mysql"])
@pytest.mark.parametrize("unit", UNITS)
def test_no_unit_of_ours_writes_to_the_system(portal: Host, unit: str, path: str) -> None:
    done = known(portal, unit).run(f"touch {path}/boxlift-probe && rm {path}/boxlift-probe", user="root")
    assert done.rc != 0, f"{unit} can write to {path}"
    assert READ_ONLY in done.stderr, done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_they_write_to_the_portal(portal: Host, unit: str) -> None:
    """The proof that the probe works, and that the fence leaves what is needed."""
    probe = "/srv/portal/releases/boxlift-probe"
    done = known(portal, unit).run(f"touch {probe} && rm {probe}")
    assert (done.rc, done.stderr) == (0, "")


def test_php_writes_to_the_portal_and_to_the_queue_of_the_mail(portal: Host) -> None:
    (unit,) = running(portal, PHP)
    probe = "/srv/portal/releases/boxlift-probe"
    done = Sandbox.of(portal, unit).run(
        f"setpriv --reuid=portal --regid=portal --clear-groups sh -c 'touch {probe} && rm {probe}'",
        user="root",
    )
    assert (done.rc, done.stderr) == (0, "")
    done = Sandbox.of(portal, unit).run(
        "touch /var/spool/boxlift-probe && rm /var/spool/boxlift-probe", "root"
    )
    assert (done.rc, done.stderr) == (0, "")


FORBIDDEN = {
    "mount": "mount -t tmpfs none /mnt",
    "namespace": "unshare --user true",
    "raw socket": "python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'",
    "clock": "date --set=@1",
    "kernel settings": "echo 1 > /proc/sys/kernel/sysrq",
}


@pytest.mark.parametrize("act", FORBIDDEN)
@pytest.mark.parametrize("pattern", [*RUNNING, "bxbackup-restore@probe.service"])
def test_no_service_touches_the_kernel(portal: Host, push: Host, pattern: str, act: str) -> None:
    host = push if pattern.startswith("push") else portal
    unit = next(iter(running(host, pattern)), pattern) if "*" in pattern else pattern
    sandbox = known(host, unit) if unit == pattern else Sandbox.of(host, unit)
    done = sandbox.run(FORBIDDEN[act], user="root")
    assert done.rc != 0, f"{unit} can: {act}"
    assert re.search(rf"{DENIED.pattern}|not supported|must be superuser", done.stderr), done.stderr


def test_the_push_server_sees_nothing_of_the_portal(push: Host) -> None:
    for pid in running(push, "push-server@*.service").values():
        for path in ("/srv", "/var/lib", "/etc/boxlift"):
            done = inside(push, pid, ["ls", "-A", path])
            assert done.stdout == "", f"{path}: {done.stdout}"


def test_a_redis_instance_sees_no_other_one_s_settings(portal: Host) -> None:
    for unit, pid in running(portal, "redis-server@*.service").items():
        name = unit.partition("@")[2].removesuffix(".service")
        assert inside(portal, pid, ["ls", "/etc/redis"]).stdout.split() == [f"redis-{name}.conf"]


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("files", SECRETS)
def test_a_secret_is_read_by_its_service_alone(portal: Host, files: str, account: str) -> None:
    if not portal.user(account).exists:
        pytest.skip(f"no account {account}")
    there = portal.check_output(f"ls -d {files} 2>/dev/null || true").split()
    readable = [path for path in there if portal.run("runuser -u %s -- cat %s", account, path).rc == 0]
    assert readable == (there if account == SECRETS[files] else [])


def test_the_portal_cannot_speak_to_the_push_server_s_redis(push: Host, setting: Setting) -> None:
    """A message in it would reach any subscriber, unsigned."""
    if not push.user("portal").exists:
        pytest.skip("the portal is on another host")
    socket = str(setting("push_server_redis_socket", "/run/redis-push/redis.sock"))
    program = f"import socket; socket.socket(socket.AF_UNIX).connect({socket!r})"
    done = push.run("runuser -u portal -- python3 -c %s", program)
    assert done.rc != 0
    assert DENIED.search(done.stderr), done.stderr


@pytest.mark.parametrize("call", ["posix_kill(1, 0)", "posix_setuid(0)", "dl('x.so')"])
def test_pages_cannot_reach_other_processes_and_accounts(portal: Host, call: str) -> None:
    (unit,) = running(portal, PHP)
    version = re.sub(r"[^0-9.]|\.service$", "", unit.removesuffix("-fpm.service"))
    done = portal.run(
        "runuser -u portal -- env PHP_INI_SCAN_DIR=%s php --php-ini %s --run %s",
        f"/etc/php/{version}/fpm/conf.d",
        f"/etc/php/{version}/fpm/php.ini",
        f"{call};",
    )
    assert "Call to undefined function" in done.stdout + done.stderr


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
