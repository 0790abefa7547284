"""The portal lives on a server that somebody else runs, and that server is as its people left it."""

from __future__ import annotations

import json
from http import HTTPStatus

import pytest
from testinfra.host import Host

from boxlift.verify.browser import Browser
from boxlift.verify.inventory import Inventory

# As the portal's own scripts begin (portal_runtime F4).
ASK = """
define('NO_KEEP_STATISTIC', true);
define('NOT_CHECK_PERMISSIONS', true);
define('NO_AGENT_CHECK', true);
$_SERVER['DOCUMENT_ROOT'] = '/srv/portal/current';
require $_SERVER['DOCUMENT_ROOT'] . '/bitrix/modules/main/include/prolog_before.php';
$connection = \\Bitrix\\Main\\Application::getConnection();
$rows = $connection->query("SELECT @@SESSION.time_zone AS zone, @@GLOBAL.time_zone AS servers,"
    . " @@SESSION.sql_mode AS mode, UNIX_TIMESTAMP() AS now, DATE_FORMAT(NOW(), '%Y-%m-%d %H:%i') AS here,"
    . " @@hostname AS host, (SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS"
    . " WHERE VARIABLE_NAME = 'Ssl_cipher') AS cipher");
$row = $rows->fetch();
echo json_encode($row + ['php' => date('Y-m-d H:i', (int)$row['now'])]);
"""
THEIR_SETTINGS = [
    "[mysqld]",
    "bind-address = 0.0.0.0",
    "ssl_cert = /etc/mysql/their/server.pem",
    "ssl_key = /etc/mysql/their/server.key",
    "default_time_zone = -03:00",
    "innodb_strict_mode = OFF",
    "sql_mode = STRICT_TRANS_TABLES",
]


@pytest.fixture(scope="module")
def server(inventory: Inventory) -> Host:
    """The other people's host."""
    return inventory.connect("database-1")


async def test_the_portal_answers(signed_in: Browser) -> None:
    page = await signed_in.get("/")
    assert page.status == HTTPStatus.OK, page.text


def test_the_portals_session_has_the_portals_time_zone(portal: Host, server: Host) -> None:
    told = json.loads(portal.check_output("runuser -u portal -- php -r %s", ASK))
    assert (told["zone"], told["servers"], told["mode"]) == ("Europe/Moscow", "-03:00", "")
    assert told["here"] == told["php"]
    assert told["host"] == server.check_output("hostname")
    assert told["cipher"].startswith(("TLS_", "ECDHE-"))


def test_the_server_is_as_its_people_left_it(server: Host) -> None:
    text = server.check_output("cat /etc/mysql/mariadb.conf.d/90-their.cnf")
    assert text.splitlines() == THEIR_SETTINGS
    for path in (
        *("/etc/boxlift", "/etc/mysql/boxlift", "/etc/mysql/mariadb.conf.d/70-boxlift.cnf"),
        *("/srv/portal", "/etc/systemd/system/mariadb.service.d"),
    ):
        assert not server.file(path).exists, path
    assert not server.package("nftables").is_installed


def test_accounts_and_databases_are_theirs_and_those_that_they_made(
    server: Host, inventory: Inventory, portal_name: str
) -> None:
    accounts = server.check_output(
        "mariadb -N -e %s", "SELECT CONCAT(User, '@', Host) FROM mysql.user ORDER BY 1"
    )
    ours = {f"{name}@{inventory.address(portal_name)}" for name in ("boxlift", "bxbackup", "portal")}
    assert set(accounts.split()) == {"mariadb.sys@localhost", "mysql@localhost", "root@localhost", *ours}
    databases = set(server.check_output("mariadb -N -e 'SHOW DATABASES'").split())
    assert {"boxlift", "portal_box", "their_shop"} <= databases
    assert server.check_output("mariadb -N -e 'SHOW TABLES' their_shop") == "orders"


def test_the_marker_is_on_the_server(server: Host) -> None:
    row = server.check_output("mariadb -N -e 'SELECT environment, portal_id FROM boxlift.environment'")
    assert row.split() == ["production", "acme"]
