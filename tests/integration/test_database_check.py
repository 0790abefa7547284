"""A server that somebody else runs: everything that is wrong is told at once, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.boxlift_sql import Database

from library.database_check import (
    account_problems,
    clock_problems,
    grant_problems,
    server_problems,
    time_problems,
    version_problems,
)
from tests.integration.tls_server import TlsServer, tls_server

COLLATION = "utf8mb4_uca1400_nopad_ai_ci"
GIVEN = {"collation": COLLATION, "packet_mb": 16}
RIGHT = (
    "SET GLOBAL innodb_strict_mode = OFF",
    "SET GLOBAL innodb_default_row_format = 'dynamic'",
    "SET GLOBAL max_allowed_packet = 64 * 1024 * 1024",
)
WRONG = (
    "SET GLOBAL innodb_strict_mode = ON",
    "SET GLOBAL innodb_default_row_format = 'compact'",
    "SET GLOBAL max_allowed_packet = 1024 * 1024",
)


@pytest.fixture
def server(session: Database) -> Iterator[Database]:
    yield session
    for statement in RIGHT:
        session.run(statement)


def test_a_right_server_has_no_problem(server: Database) -> None:
    for statement in RIGHT:
        server.run(statement)
    assert list(server_problems(server, GIVEN)) == []
    assert list(time_problems(server, "UTC")) == []
    assert list(time_problems(server, "UTC", "SYSTEM")) == []


def test_all_problems_are_told_at_once(server: Database) -> None:
    for statement in WRONG:
        server.run(statement)
    told = list(server_problems(server, {"collation": "utf8mb4_0900_ai_ci", "packet_mb": 16}))
    assert told == [
        "innodb_strict_mode is ON, the portal needs OFF",
        "innodb_default_row_format is compact, the portal needs dynamic",
        "max_allowed_packet is 1048576 bytes, the portal needs 16 MiB",
        "it has no collation utf8mb4_0900_ai_ci; choose another portal_database_collation",
    ]


@pytest.mark.parametrize(
    ("version", "right"),
    [
        ("10.11.19-MariaDB-0+deb12u1-log", True),
        ("11.8.3-MariaDB", True),
        ("5.5.5-10.11.6-MariaDB", True),
        ("8.0.42", True),
        ("8.4.5-commercial", True),
        ("10.6.22-MariaDB", False),
        ("5.7.44-log", False),
        ("9.1.0", False),
        ("PostgreSQL", False),
    ],
)
def test_versions(version: str, right: bool) -> None:
    assert (list(version_problems(version)) == []) == right


@pytest.mark.parametrize(
    ("grant", "right"),
    [
        (r"GRANT ALL PRIVILEGES ON `portal\_%`.* TO `boxlift`@`192.0.2.1`", True),
        ("GRANT ALL PRIVILEGES ON *.* TO `admin`@`%` WITH GRANT OPTION", True),
        ("GRANT SELECT, INSERT, CREATE, DROP, CREATE ROUTINE ON *.* TO `admin`@`%`", True),
        (r"GRANT SELECT ON `portal\_%`.* TO `boxlift`@`192.0.2.1`", False),
        ("GRANT ALL PRIVILEGES ON `other`.* TO `boxlift`@`192.0.2.1`", False),
        ("GRANT USAGE ON *.* TO `boxlift`@`192.0.2.1` REQUIRE SSL", False),
    ],
)
def test_rights(grant: str, right: bool) -> None:
    assert (list(grant_problems("boxlift", [grant], [r"portal\_%"])) == []) == right


def test_zone_and_clock() -> None:
    winter, summer = (1768478400, "2026-01-15 15:00:00"), (1784116800, "2026-07-15 15:00:00")
    assert list(clock_problems([winter, summer], (100.0, 100.5), "Europe/Moscow")) == []
    (zone,) = clock_problems([winter, summer], (100.0, 100.5), "Europe/Athens")
    assert "time zone is another one" in zone
    (named,) = clock_problems([winter], (100.0, 100.5), "Europe/Athens", "Europe/Athens")
    assert named.startswith("it knows another Europe/Athens than the tz database: 2026-01-15 15:00:00 is ")
    (clock,) = clock_problems([winter], (100.0, 104.0), "Europe/Moscow")
    assert clock == "its clock is 4.0 s off the portal's"


def test_a_server_without_time_zone_tables_cannot_carry_the_portals_sessions(server: Database) -> None:
    (problem,) = time_problems(server, "Europe/Berlin", "Europe/Berlin")
    assert problem.startswith("it does not know the time zone Europe/Berlin, which the portal's sessions set")
    assert "mariadb-tzinfo-to-sql" in problem


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    yield from tls_server(tmp_path_factory.mktemp("check"))


def test_accounts_are_tried(remote: TlsServer, tmp_path: Path) -> None:
    options = tmp_path / "database.cnf"
    options.write_text(f"[client]\nhost=127.0.0.1\nport={remote.port}\nssl-ca={remote.ca}\nuser=nobody\n")
    given: dict[str, Any] = {"config_file": str(options)}
    assert list(account_problems(given, "portal", "portal-secret")) == []
    (problem,) = account_problems(given, "portal", "canary")
    assert "account portal cannot enter" in problem
    assert "canary" not in problem
