"""When agents ran is a local time of the portal, whatever zone its database server begins a session in."""

from __future__ import annotations

import time
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
TimerIs = Callable[[str, float], None]


@pytest.fixture(autouse=True)
def timer_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TimerIs:
    """Set what systemctl tells of the agents' timer: its state, and for how many minutes it has been so."""
    folder = tmp_path / "programs"
    folder.mkdir()
    systemctl = folder / "systemctl"
    monkeypatch.setenv("PATH", str(folder), prepend=":")

    def told(state: str, minutes: float) -> None:
        since = int((time.monotonic() - 60 * minutes) * 1e6)
        systemctl.write_text(
            "#!/bin/sh\n"
            '[ "$1 $3" = "show portal-agents.timer" ] || exit 1\n'
            f"echo ActiveState={state}\necho ActiveEnterTimestampMonotonic={since}\n"
        )
        systemctl.chmod(0o755)

    told("active", 24 * 60)
    return told


@pytest.fixture
def look(monitor: ModuleType, foreign: Database, client_options: Path, tmp_path: Path) -> Look:
    """Look at the portal's database; returns the checks by name."""
    (tmp_path / "releases" / "looked-at").mkdir(parents=True)
    current = tmp_path / "current"
    current.symlink_to(tmp_path / "releases" / "looked-at")
    settings = {
        "current": str(current),
        "database_options_file": str(client_options),
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
    measured = found["agents"].measured
    assert measured == "kept quiet" if told == {"agents": "ok"} else measured.startswith("never ran")


@pytest.mark.parametrize("ran", [None, 600])
@pytest.mark.parametrize(
    ("state", "minutes", "level"), [("active", 1, "ok"), ("active", 20, "bad"), ("inactive", 1, "bad")]
)
def test_agents_get_their_time_after_a_start(
    foreign: Database, look: Look, timer_is: TimerIs, ran: int | None, state: str, minutes: int, level: str
) -> None:
    """Of the host, or of the portal that was installed or opened just now."""
    if ran is not None:
        foreign.run(f"INSERT INTO {SCHEMA}.b_agent VALUES (1, NOW() + INTERVAL 180 - %s MINUTE, 'N')", [ran])
    timer_is(state, minutes)
    found = look("stock")["agents"]
    assert found.level == level
    said = "never ran" if ran is None else "last ran 600 min ago"
    assert found.measured == said + (f", due for {minutes} min" if state == "active" else "")
    assert found.value == (None if ran is None else pytest.approx(600, abs=1))
