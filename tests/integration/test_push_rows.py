"""What role portal_push takes away of the cloud's push server, in a real database."""

from __future__ import annotations

import pytest
from ansible.module_utils.boxlift_rules import Holder, Rule
from ansible.module_utils.boxlift_sql import Database

from library.portal_release import in_zone
from tests.templates.renderer import Renderer, renderer_of

SCHEMA = "portal_pushed"
FILLED = "2026-11-22 10:00:00.250000"
TABLES = ("b_pull_channel", "b_pull_stack", "b_pull_push")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    return renderer_of("example", tmp_path_factory.mktemp("inventory"))


@pytest.fixture
def database(session: Database) -> Database:
    for statement in (
        f"DROP DATABASE IF EXISTS {SCHEMA}",
        f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4",
        f"CREATE TABLE {SCHEMA}.b_option (MODULE_ID VARCHAR(50), NAME VARCHAR(100), VALUE TEXT)",
        *(
            f"CREATE TABLE {SCHEMA}.{table} (ID INT PRIMARY KEY, DATE_CREATE DATETIME NOT NULL)"
            for table in TABLES
        ),
    ):
        session.run(statement)
    session.commit()
    return session


def hold(database: Database, renderer: Renderer, timezone: str) -> None:
    """What the role's task does, with the record that it registers before."""
    record = {"release": {"filled_at": FILLED}, "filled_local": in_zone(FILLED, timezone)}
    rules = renderer.value(
        "portal_push",
        "__portal_push_rules",
        portal_push_release="pushed",
        portal_push_signature_key="k",
        __portal_push_record=record,
    )
    Holder(database, "pushed", SCHEMA).hold([Rule.parse(rule) for rule in rules])


def test_rows_with_addresses_and_keys_of_the_cloud_go(database: Database, example: Renderer) -> None:
    gone = (
        "path_to_listener_secure",
        "shared_server_address",
        "shared_server_key",
        "registered_on_shared_server",
        "push_service_url",
        "host_id",
    )
    stay = ("push", "path_to_publish", "server_mode", "exclude_sites")
    for name in gone + stay:
        database.run(f"INSERT INTO {SCHEMA}.b_option VALUES ('pull', %s, 'x')", [name])
    database.run(f"INSERT INTO {SCHEMA}.b_option VALUES ('main', 'push_service_url', 'x')")
    hold(database, example, "UTC")
    left = database.rows(f"SELECT MODULE_ID, NAME FROM {SCHEMA}.b_option ORDER BY 1, 2")
    assert left == [("main", "push_service_url"), *(("pull", name) for name in sorted(stay))]


@pytest.mark.parametrize(
    ("timezone", "before", "after"),
    [
        ("Australia/Brisbane", "2026-11-22 19:59:59", "2026-11-22 20:00:01"),
        ("America/Bogota", "2026-11-22 04:59:59", "2026-11-22 05:00:01"),
        ("UTC", "2026-11-22 09:59:59", "2026-11-22 10:00:01"),
    ],
)
def test_what_the_box_made_itself_stays_in_every_time_zone(
    database: Database, example: Renderer, timezone: str, before: str, after: str
) -> None:
    for table in TABLES:
        database.run(f"INSERT INTO {SCHEMA}.{table} VALUES (1, %s), (2, %s)", [before, after])
    hold(database, example, timezone)
    for table in TABLES:
        assert database.rows(f"SELECT ID FROM {SCHEMA}.{table}") == [("2",)], table


def test_a_zone_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="there is no time zone Moon/Sea"):
        in_zone(FILLED, "Moon/Sea")
