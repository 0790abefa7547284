"""The register of releases on a real server: order of activations, and what an activation would lose."""

from __future__ import annotations

import pytest
from ansible.module_utils.boxlift_sql import Database

from library.portal_release import RefusedError, Register

SCHEMA = "portal_final_1"


@pytest.fixture
def database(session: Database) -> Database:
    for statement in (
        f"DROP DATABASE IF EXISTS {SCHEMA}",
        f"CREATE DATABASE {SCHEMA}",
        f"CREATE TABLE {SCHEMA}.b_crm_lead (ID INT PRIMARY KEY)",
        f"CREATE TABLE {SCHEMA}.b_tasks (ID INT PRIMARY KEY)",
        f"INSERT INTO {SCHEMA}.b_crm_lead VALUES (1), (2)",
    ):
        session.run(statement)
    session.commit()
    return session


@pytest.fixture
def register(database: Database) -> Register:
    return Register(database)


def record(register: Register, name: str, event: str, active: str = "") -> bool:
    return register.record(name, "restore", f"portal_{name.replace('-', '_')}", event, active, dry=False)


def test_an_event_is_noted_once(register: Register) -> None:
    assert record(register, "final-1", "filled")
    first = register.read("final-1")["filled_at"]
    assert not record(register, "final-1", "filled")
    assert register.read("final-1")["filled_at"] == first


def test_the_way_back_is_the_release_that_was_active_last(register: Register) -> None:
    for name, before in (("box", ""), ("rehearsal-1", "box"), ("final-1", "rehearsal-1")):
        assert record(register, name, "activated", before)
    assert register.previous("final-1") == "rehearsal-1"
    assert not record(register, "final-1", "activated", "final-1")
    assert record(register, "rehearsal-1", "activated", "final-1")
    assert register.previous("rehearsal-1") == "final-1"


def test_a_switch_that_was_cut_after_its_link_is_made_good_by_the_next_one(register: Register) -> None:
    record(register, "rehearsal-1", "activated", "")
    record(register, "final-1", "filled")
    # The link led to final-1 and nobody noted it: box became active after it.
    assert register.previous("final-1") == "rehearsal-1"
    assert record(register, "box", "activated", "final-1")
    assert register.previous("box") == "final-1"
    assert register.previous("final-1") == "box"


def test_nothing_is_refused_before_the_opening(register: Register) -> None:
    record(register, "final-1", "filled")
    register.refuse_loss("rehearsal-1", "final-1", "final")


@pytest.mark.parametrize("lifecycle", ["open", "final"])
def test_an_open_portal_is_not_left_and_the_rows_are_counted(
    database: Database, register: Register, lifecycle: str
) -> None:
    record(register, "final-1", "opened")
    database.run(f"INSERT INTO {SCHEMA}.b_crm_lead VALUES (3), (4)")
    database.run(f"INSERT INTO {SCHEMA}.b_tasks VALUES (7)")
    with pytest.raises(RefusedError, match=r"^refused: .*3 rows .*b_crm_lead 2, b_tasks 1.*rehearsal-1"):
        register.refuse_loss("rehearsal-1", "final-1", lifecycle)
    register.refuse_loss("final-1", "final-1", lifecycle)


def test_a_dry_run_notes_nothing(database: Database, register: Register) -> None:
    assert register.record("final-1", "restore", SCHEMA, "filled", "", dry=True)
    assert not database.has_database("boxlift")
