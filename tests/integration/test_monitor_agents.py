"""When agents ran is a local time of the portal, whatever zone its database server begins a session in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

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


@pytest.mark.parametrize(("minutes", "level"), [(2, "ok"), (20, "bad")])
def test_agents_are_as_late_as_they_are(
    monitor: ModuleType, foreign: Database, mariadb_socket: Path, tmp_path: Path, minutes: int, level: str
) -> None:
    # The portal writes its own local time: Moscow's, three hours ahead of the UTC of this session.
    foreign.run(f"INSERT INTO {SCHEMA}.b_agent VALUES (1, NOW() + INTERVAL 180 - %s MINUTE, 'N')", [minutes])
    foreign.run(f"INSERT INTO {SCHEMA}.b_event VALUES (1, 'N', NOW() + INTERVAL 180 - %s MINUTE)", [minutes])
    foreign.commit()
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
    checks = {check.name: check for check in monitor.Monitor(settings, [])._database()}
    assert checks["agents"].value == pytest.approx(minutes, abs=1)
    assert checks["mail queue"].value == pytest.approx(minutes, abs=1)
    assert (checks["agents"].level, checks["mail queue"].level) == (level, level)
