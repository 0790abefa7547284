"""When agents ran is a local time of the portal, whatever zone its database server begins a session in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.boxlift_sql import Database

SCHEMA = "portal_looked_at"


@pytest.fixture
def foreign(session: Database) -> Iterator[Database]:
    """A server whose sessions begin in another zone than the portal's."""
    (was,) = session.rows("SELECT @@GLOBAL.time_zone")[0]
    session.run("SET GLOBAL time_zone = '-07:00'")
    for statement in (
        f"DROP DATABASE IF EXISTS {SCHEMA}",
        f"CREATE DATABASE {SCHEMA}",
        f"CREATE TABLE {SCHEMA}.b_option (MODULE_ID VARCHAR(50), NAME VARCHAR(100), VALUE TEXT)",
        f"CREATE TABLE {SCHEMA}.b_agent (ID INT PRIMARY KEY, LAST_EXEC DATETIME, RUNNING CHAR(1))",
        f"CREATE TABLE {SCHEMA}.b_event (ID INT PRIMARY KEY, SUCCESS_EXEC CHAR(1), DATE_INSERT DATETIME)",
    ):
        session.run(statement)
    session.commit()
    yield session
    session.run("SET GLOBAL time_zone = %s", [was])


Look = Callable[[str], dict[str, Any]]


@pytest.fixture
def look(monitor: ModuleType, foreign: Database, mariadb_socket: Path, tmp_path: Path) -> Look:
    """Look at the portal's database; returns the checks by name."""
    (tmp_path / "releases" / "looked-at").mkdir(parents=True)
    current = tmp_path / "current"
    current.symlink_to(tmp_path / "releases" / "looked-at")
    settings = {
        "current": str(current),
        "database_options_file": str(mariadb_socket.with_name("client.cnf")),
        "timezone": "Europe/Moscow",
        "agent_minutes": 10,
        "queue_minutes": 15,
        "slower_than_usual": 0.25,
    }

    def looked(mode: str) -> dict[str, Any]:
        foreign.commit()
        found = monitor.Monitor({**settings, "agents_mode": mode}, [])._database()
        return {check.name: check for check in found}

    return looked


@pytest.mark.parametrize(("minutes", "level"), [(2, "ok"), (20, "bad")])
def test_agents_are_as_late_as_they_are(foreign: Database, look: Look, minutes: int, level: str) -> None:
    # The portal writes its own local time: Moscow's, three hours ahead of the UTC of this session.
    foreign.run(f"INSERT INTO {SCHEMA}.b_agent VALUES (1, NOW() + INTERVAL 180 - %s MINUTE, 'N')", [minutes])
    foreign.run(f"INSERT INTO {SCHEMA}.b_event VALUES (1, 'N', NOW() + INTERVAL 180 - %s MINUTE)", [minutes])
    checks = look("stock")
    assert checks["agents"].value == pytest.approx(minutes, abs=1)
    assert checks["mail queue"].value == pytest.approx(minutes, abs=1)
    assert (checks["agents"].level, checks["mail queue"].level) == (level, level)


@pytest.mark.parametrize(
    ("mode", "agents", "events", "told"),
    [
        ("stock", "N", "Y", {"agents": "ok"}),
        ("stock", "Y", "N", {"agents": "bad"}),
        ("everything", "N", "Y", {"agents": "bad", "agents of page views": "ok"}),
        ("everything", "Y", "Y", {"agents": "bad", "agents of page views": "warn"}),
        ("everything", "N", "N", {"agents": "ok"}),
    ],
)
def test_a_quiet_portal_is_known_by_the_switch_of_its_mode(
    foreign: Database, look: Look, mode: str, agents: str, events: str, told: dict[str, str]
) -> None:
    for name, value in (("check_agents", agents), ("check_events", events)):
        foreign.run(f"INSERT INTO {SCHEMA}.b_option VALUES ('main', %s, %s)", [name, value])
    found = look(mode)
    assert {name: check.level for name, check in found.items() if name.startswith("agents")} == told
    assert found["agents"].measured == ("kept quiet" if told == {"agents": "ok"} else "never ran")
