"""Sessions, cache and push messages live on their own host, closed to all but the portal."""

from __future__ import annotations

import socket
from http import HTTPStatus

import pytest
from testinfra.host import Host

from boxlift.verify.browser import Browser
from boxlift.verify.inventory import HostOf, Inventory

PASSWORD = "$(sed -n 's/^requirepass //p' /etc/redis/redis-sessions.conf)"
KEYS = f"REDISCLI_AUTH={PASSWORD} redis-cli -p 6380 --scan --pattern 'BX-box*' | wc --lines"


@pytest.fixture(scope="module")
def cache(host_of: HostOf) -> Host:
    return host_of("cache")


async def test_a_session_is_kept_on_the_cache_host(cache: Host, signed_in: Browser) -> None:
    page = await signed_in.get("/")
    assert page.status == HTTPStatus.OK, page.text
    assert int(cache.check_output(KEYS)) > 0


def test_the_portals_host_keeps_neither_sessions_nor_rows(portal: Host) -> None:
    for unit in ("redis-server@sessions", "redis-server@cache", "mariadb", "push-server@sub-8010"):
        assert not portal.service(unit).is_running, unit


@pytest.mark.parametrize("port", [6380, 6381, 8010, 8011, 9010])
def test_the_portal_alone_gets_in(portal: Host, inventory: Inventory, port: int) -> None:
    address = inventory.address(inventory.names("cache")[0])
    assert portal.run(f"timeout 5 bash -c '</dev/tcp/{address}/{port}'").succeeded
    # The control node is not the portal's host.
    with pytest.raises(TimeoutError):
        socket.create_connection((address, port), 2).close()


def test_a_message_finds_the_push_server(portal: Host) -> None:
    answer = portal.check_output(
        "curl --silent --output /dev/null --write-out '%{http_code}' http://127.0.0.1:8895/bitrix/pub/"
    )
    assert answer not in {"000", "502", "504"}
