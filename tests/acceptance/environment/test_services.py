"""Services run, come back after a restart, and listen only where they should."""

import json
import socket

import pytest
from testinfra.host import Host

from boxlift.verify.inventory import HostOf, Inventory, Setting

CLOSED_FROM_OUTSIDE = [3306, 6379, 6380, 8010, 8015, 8895, 9010, 9011, 9000]


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


def test_sessions_and_push_have_instances_of_their_own(host_of: HostOf) -> None:
    cache = host_of("cache")
    policies = {}
    for unit in cache.check_output(
        "systemctl list-units 'redis-server*' --type=service --state=running --plain --no-legend"
    ).splitlines():
        name = unit.split()[0]
        pid = cache.check_output("systemctl show --property MainPID --value %s", name)
        policies[name] = cache.check_output("tr '\\0' ' ' < /proc/%s/cmdline", pid)
    assert len(policies) >= 2
