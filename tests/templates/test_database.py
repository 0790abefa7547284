"""MariaDB's settings (portal_runtime A4)."""

import configparser
from typing import Any

from tests.templates.renderer import Renderer


def settings(renderer: Renderer, **given: Any) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(allow_no_value=True, interpolation=None)
    parser.read_string(renderer.text("database", "server.cnf.j2", **given))
    return parser["mysqld"]


def test_what_the_portal_checks(example: Renderer) -> None:
    found = settings(example)
    assert found["sql_mode"] == '""'
    assert found["innodb_strict_mode"] == "OFF"
    assert found["default_storage_engine"] == "InnoDB"
    assert found["innodb_default_row_format"] == "dynamic"
    assert found["transaction-isolation"] == "READ-COMMITTED"
    assert found["character-set-server"] == "utf8mb4"
    assert found["collation-server"] == "utf8mb4_uca1400_nopad_ai_ci"


def test_the_one_collation_reaches_the_server(example: Renderer) -> None:
    assert (
        settings(example, portal_database_collation="utf8mb4_unicode_ci")["collation-server"]
        == "utf8mb4_unicode_ci"
    )


def test_sizes_come_from_usable_memory(example: Renderer) -> None:
    found = settings(example)
    assert found["innodb_buffer_pool_size"] == "3276M"
    assert found["innodb_log_file_size"] == "819M"


def test_sizes_can_be_given(example: Renderer) -> None:
    found = settings(example, database_buffer_pool_mb=512)
    assert found["innodb_buffer_pool_size"] == "512M"
    assert found["innodb_log_file_size"] == "128M"


def test_slow_statements_are_logged(example: Renderer) -> None:
    assert settings(example)["slow_query_log"] == "ON"
    assert settings(example)["slow_query_log_file"] == "/var/log/mysql/slow.log"
    assert settings(example)["long_query_time"] == "2"
    assert settings(example, database_slow_query_seconds=0.5)["long_query_time"] == "0.5"


def test_server_lives_in_the_portals_time_zone(lab: Renderer) -> None:
    assert "Environment=TZ=Europe/Moscow\n" in lab.text("database", "timezone.conf.j2")


def test_accounts_reach_databases_of_the_portal_only(example: Renderer) -> None:
    accounts = example.value("database", "__database_accounts")
    assert [(account["name"], account["hosts"], account["privileges"]) for account in accounts] == [
        ("portal", ["localhost"], r"portal\_%.*:ALL"),
        ("bxbackup", ["localhost"], r"portal\_%.*:ALL"),
    ]
