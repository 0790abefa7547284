"""The database server as the product checks it (portal_runtime A4)."""

import pytest

from boxlift.verify.inventory import Inventory, Setting
from boxlift.verify.release import Database

SETTINGS = {
    "sql_mode": "",
    "innodb_strict_mode": "OFF",
    "default_storage_engine": "InnoDB",
    "innodb_default_row_format": "dynamic",
    "tx_isolation": "READ-COMMITTED",
    "character_set_server": "utf8mb4",
    "slow_query_log": "ON",
}


@pytest.fixture(autouse=True)
def own_server(setting: Setting) -> None:
    if setting("portal_database_server", ""):
        pytest.skip("somebody else runs the database server; provisioning looks at it")


@pytest.mark.parametrize(("name", "expected"), SETTINGS.items())
def test_setting(server_database: Database, name: str, expected: str) -> None:
    rows = server_database.rows(f"SHOW GLOBAL VARIABLES LIKE '{name}'")
    assert rows == [[name, expected]]


def test_collation_is_the_chosen_one(server_database: Database, setting: Setting) -> None:
    value = server_database.value("SELECT @@GLOBAL.collation_server")
    assert value == setting("portal_database_collation")


def test_widest_row_fits_a_packet(server_database: Database) -> None:
    # The vendor's writer closes a statement past 1 000 000 bytes plus one row (backup_format 5.5).
    assert int(server_database.value("SELECT @@GLOBAL.max_allowed_packet")) >= 16 * 1024 * 1024


def test_accounts_reach_only_databases_of_the_portal(
    server_database: Database, inventory: Inventory, portal_name: str, target: str
) -> None:
    accounts = server_database.rows("SELECT User, Host FROM mysql.user WHERE User IN ('portal', 'bxbackup')")
    together = portal_name in inventory.names(f"database:&{target}")
    home = "localhost" if together else str(inventory.setting(portal_name, "infrastructure_address"))
    assert sorted(accounts) == [["bxbackup", home], ["portal", home]]
    for user, host in accounts:
        grants = [row[0] for row in server_database.rows(f"SHOW GRANTS FOR '{user}'@'{host}'")]
        for grant in grants:
            assert grant.startswith(("GRANT USAGE ON *.*", "GRANT ALL PRIVILEGES ON `portal\\_%`.*")), grant


def test_no_account_without_a_password(server_database: Database) -> None:
    rows = server_database.rows(
        "SELECT User, Host FROM mysql.global_priv"
        " WHERE JSON_VALUE(Priv, '$.plugin') IN ('mysql_native_password', '')"
        " AND COALESCE(JSON_VALUE(Priv, '$.authentication_string'), '') IN ('', 'invalid')"
        " AND JSON_EXTRACT(Priv, '$.auth_or') IS NULL"
        " AND COALESCE(JSON_VALUE(Priv, '$.account_locked'), 0) = 0"
    )
    assert rows == []
