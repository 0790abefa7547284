"""What the portal and its database say to each other is encrypted, and nobody else gets in."""

from __future__ import annotations

import json
import socket
from http import HTTPStatus

import pytest
from testinfra.host import Host

from boxlift.verify.browser import Browser
from boxlift.verify.inventory import Inventory
from boxlift.verify.release import Database

# As the portal's own scripts begin (portal_runtime F4).
ASK = """
define('NO_KEEP_STATISTIC', true);
define('NOT_CHECK_PERMISSIONS', true);
define('NO_AGENT_CHECK', true);
$_SERVER['DOCUMENT_ROOT'] = '/srv/portal/current';
require $_SERVER['DOCUMENT_ROOT'] . '/bitrix/modules/main/include/prolog_before.php';
$connection = \\Bitrix\\Main\\Application::getConnection();
$rows = $connection->query("SHOW SESSION STATUS LIKE 'Ssl_cipher'");
echo json_encode(array_values($rows->fetch()));
"""
# The portal's own account, from the portal's own host, past the tunnel.
PLAIN = """
mysqli_report(MYSQLI_REPORT_OFF);
$own = (include '/srv/portal/current/bitrix/.settings.php')['connections']['value']['default'];
$session = mysqli_init();
$session->real_connect($argv[1], $own['login'], $own['password'], $own['database'], 3306);
echo $session->connect_errno, ' ', $session->connect_error;
"""
OPTIONS = "/etc/boxlift/database.cnf"


@pytest.fixture(scope="module")
def database_address(inventory: Inventory) -> str:
    return inventory.address(inventory.names("database")[0])


async def test_the_portal_answers(signed_in: Browser) -> None:
    page = await signed_in.get("/")
    assert page.status == HTTPStatus.OK, page.text


def test_the_portals_own_session_is_encrypted(portal: Host) -> None:
    answer = portal.check_output("runuser -u portal -- php -r %s", ASK)
    assert json.loads(answer)[1].startswith(("TLS_", "ECDHE-"))


def test_the_administrators_session_is_encrypted(portal: Host) -> None:
    answer = portal.check_output(
        f"mariadb --defaults-file={OPTIONS} -N -e %s", "SHOW SESSION STATUS LIKE 'Ssl_cipher'"
    )
    assert answer.split("\t")[1].startswith(("TLS_", "ECDHE-"))


def test_a_plain_session_is_refused(portal: Host, database_address: str) -> None:
    answer = portal.check_output("runuser -u portal -- php -r %s %s", PLAIN, database_address)
    assert answer.startswith("1045 Access denied for user 'portal'@")


def test_a_server_of_another_authority_is_refused(portal: Host) -> None:
    tried = portal.run(
        f"mariadb --defaults-file={OPTIONS} --ssl-ca=/etc/ssl/certs/ca-certificates.crt -e 'SELECT 1'"
    )
    assert tried.rc != 0
    assert "certificate" in tried.stderr


@pytest.mark.parametrize("account", ["portal", "bxbackup", "boxlift", "root"])
def test_an_address_that_is_not_the_portals_is_refused(
    database: Host, database_address: str, account: str
) -> None:
    tried = database.run(
        f"mariadb --no-defaults --ssl --host={database_address} --user={account} -e 'SELECT 1'"
    )
    assert tried.rc != 0
    assert "is not allowed to connect" in tried.stderr or "Access denied" in tried.stderr


def test_the_firewall_lets_the_portal_alone_through(database_address: str) -> None:
    # The control node is neither the portal's host nor the database's.
    with pytest.raises(TimeoutError):
        socket.create_connection((database_address, 3306), 3).close()


def test_accounts_are_bound_to_the_portals_address_and_to_tls(
    server_database: Database, inventory: Inventory, portal_name: str
) -> None:
    accounts = server_database.rows(
        "SELECT User, Host, ssl_type FROM mysql.user WHERE User IN ('portal', 'bxbackup', 'boxlift')"
    )
    address = inventory.address(portal_name)
    assert sorted(accounts) == [[name, address, "ANY"] for name in ("boxlift", "bxbackup", "portal")]


def test_secrets_of_the_way_are_roots_alone(portal: Host, database: Host) -> None:
    assert portal.file(OPTIONS).mode == 0o600
    assert portal.file(OPTIONS).user == "root"
    key = database.file("/etc/mysql/boxlift/server.key")
    assert (key.user, key.mode) == ("mysql", 0o600)
    assert not portal.run("ls /etc/boxlift/*.key /etc/mysql/boxlift").succeeded


def test_the_tunnel_is_there_after_a_restart(portal: Host) -> None:
    assert portal.service("boxlift-database-tunnel").is_enabled


def test_the_tunnel_may_do_nothing_else(portal: Host) -> None:
    unit = portal.check_output("systemctl show -p MainPID --value boxlift-database-tunnel")
    status = portal.file(f"/proc/{unit}/status").content_string
    assert "CapEff:\t0000000000000000" in status
    assert "\nUid:\t0\t" not in status
    assert portal.run(f"nsenter --mount --target={unit} -- touch /usr/boxlift-probe").rc != 0
