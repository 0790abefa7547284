"""Services run, come back after a restart, and listen only where they should."""

import json
import socket

import pytest
from testinfra.host import Host

from boxlift.verify.inventory import HostOf, Inventory, Setting

CLOSED_FROM_OUTSIDE = [3306, 6379, 6380, 8010, 8015, 8895, 9010, 9011, 9000]

CACHES = "redis-server@*.service"
# Asked over its socket; the password, where an instance has one, stays on the host.
POLICY = """
file=/etc/redis/redis-$1.conf
REDISCLI_AUTH=$(sed -n 's/^requirepass //p' "$file"); export REDISCLI_AUTH
redis-cli -s "$(sed -n 's/^unixsocket //p' "$file")" CONFIG GET maxmemory-policy | tail -n 1
"""


@pytest.mark.parametrize(("group", "name"), [("portal", "nginx"), ("database", "mariadb")])
def test_service_runs_and_is_enabled(host_of: HostOf, setting: Setting, group: str, name: str) -> None:
    if group == "database" and setting("portal_database_server", ""):
        pytest.skip("somebody else runs the database server")
    host = host_of(group)
    for service in (host.service(name), host.service("nftables")):
        assert service.is_running
        assert service.is_enabled


def test_nothing_failed(portal: Host) -> None:
    assert portal.check_output("systemctl --failed --no-legend --plain") == ""


def test_push_instances_run(push: Host) -> None:
    units = json.loads(
        push.check_output("systemctl list-units 'push-server*' --type=service --output=json --no-pager")
    )
    assert units
    assert {unit["sub"] for unit in units} == {"running"}


def test_web_server_answers(inventory: Inventory, portal_name: str) -> None:
    with socket.create_connection((inventory.address(portal_name), 80), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert connection.recv(16).startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize("port", CLOSED_FROM_OUTSIDE)
def test_port_is_closed_from_outside(inventory: Inventory, portal_name: str, port: int) -> None:
    with socket.socket() as connection:
        connection.settimeout(2)
        assert connection.connect_ex((inventory.address(portal_name), port)) != 0


def settings_of_caches(host: Host) -> dict[str, str]:
    """Eviction policy of each Redis instance that runs, as the instance says itself, by its name."""
    listed = json.loads(
        host.check_output("systemctl list-units %s --state=running --output=json --no-pager", CACHES)
    )
    names = [unit["unit"].partition("@")[2].removesuffix(".service") for unit in listed]
    return {name: host.check_output("sh -c %s sh %s", POLICY, name) for name in names}


def test_sessions_caches_and_push_have_instances_of_their_own(host_of: HostOf) -> None:
    """portal_runtime A7: what evicts anything would drop sessions."""
    found = settings_of_caches(host_of("cache")) | settings_of_caches(host_of("push"))
    assert found == {"sessions": "noeviction", "cache": "allkeys-lru", "push": "allkeys-lru"}
