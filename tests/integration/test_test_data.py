"""What tests made in a portal is listed, deleted and proved deleted; nothing of the backup is touched."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.boxlift_sql import Database

from bxbackup.baseline import SUBJECTS
from library.portal_test_data import RefusedError, TestData
from tests.integration.generated import load_generated

DATABASE = "portal_final_1"
MOST = 1000
TABLES = (
    *("b_crm_field_multi", "b_crm_lead", "b_crm_webform", "b_forum_message", "b_forum_topic"),
    *("b_search_content", "b_search_content_text", "b_tasks", "b_tasks_member", "b_user", "b_uts_crm_lead"),
)


@pytest.fixture
def baseline(session: Database) -> dict[str, Any]:
    """A generated portal, and its baseline as bxbackup writes it."""
    load_generated(session, DATABASE, only=TABLES)
    tables = sorted(session.tables(DATABASE))
    counting = dict(
        session.rows(
            "SELECT TABLE_NAME, AUTO_INCREMENT FROM information_schema.TABLES"
            f" WHERE TABLE_SCHEMA = '{DATABASE}' AND AUTO_INCREMENT IS NOT NULL"
        )
    )
    ids = {}
    for table, following in counting.items():
        if table.startswith(SUBJECTS):
            highest = session.value(f"SELECT MAX(ID) FROM {DATABASE}.{table}")
            ids[table] = {
                "max_id": None if highest is None else int(highest),
                "auto_increment": int(following),
            }
    rows = {table: int(session.value(f"SELECT COUNT(*) FROM {DATABASE}.{table}")) for table in tables}
    return {"database": DATABASE, "ids": ids, "rows": rows}


def counted(session: Database) -> dict[str, int]:
    """Rows of every table."""
    return {
        table: int(session.value(f"SELECT COUNT(*) FROM {DATABASE}.{table}"))
        for table in sorted(session.tables(DATABASE))
    }


def work(session: Database) -> int:
    """What a tester does: a lead with a telephone, a task, a comment on an old task; gives the lead."""
    lead = insert(
        session,
        "b_crm_lead",
        TITLE="Test\n<b>lead</b> [URL=/x/]50 %[/URL]",
        STATUS_ID="NEW",
        DATE_CREATE="2026-11-22 10:00:00",
    )
    insert(session, "b_crm_field_multi", ENTITY_ID="LEAD", ELEMENT_ID=lead, TYPE_ID="PHONE", VALUE="+70001")
    session.run(f"INSERT INTO {DATABASE}.b_uts_crm_lead (VALUE_ID) VALUES (%s)", [lead])
    task = insert(session, "b_tasks", TITLE="Test task", CREATED_BY=1)
    session.run(f"INSERT INTO {DATABASE}.b_tasks_member (TASK_ID, USER_ID, TYPE) VALUES (%s, 1, 'R')", [task])
    old_topic = session.value(f"SELECT MIN(ID) FROM {DATABASE}.b_forum_topic")
    insert(session, "b_forum_message", TOPIC_ID=old_topic, POST_MESSAGE="Test comment", FORUM_ID=1)
    element = insert(session, "b_search_content", MODULE_ID="crm", ITEM_ID=f"LEAD.{lead}", TITLE="Test lead")
    session.run(
        f"INSERT INTO {DATABASE}.b_search_content_text"
        " (SEARCH_CONTENT_ID, SEARCH_CONTENT_MD5, SEARCHABLE_CONTENT) VALUES (%s, '', 'TEST')",
        [element],
    )
    insert(session, "b_crm_webform", NAME="A form that tests made", SECURITY_CODE="x")
    session.commit()
    return lead


def insert(session: Database, table: str, **values: object) -> int:
    columns = ", ".join(values)
    marks = ", ".join(["%s"] * len(values))
    session.run(f"INSERT INTO {DATABASE}.{table} ({columns}) VALUES ({marks})", list(values.values()))
    return int(session.value("SELECT LAST_INSERT_ID()"))


def only(found: dict[str, Any]) -> dict[str, list[int]]:
    return {table["table"]: table["ids"] for table in found["tables"]}


def test_nothing_was_made(session: Database, baseline: dict[str, Any]) -> None:
    data = TestData(session, DATABASE, baseline)
    assert data.listed(None, MOST) == {"tables": [], "other": [], "missing": [], "rows": 0}
    assert data.delete({}) == 0
    assert data.prove({}, data.backup_rows()) == {}


def test_what_was_made_is_listed_deleted_and_proved(session: Database, baseline: dict[str, Any]) -> None:
    before = counted(session)
    lead = work(session)
    data = TestData(session, DATABASE, baseline)
    found = data.listed(None, MOST)
    told = {table["table"]: table for table in found["tables"]}
    assert set(told) == {"b_crm_lead", "b_crm_field_multi", "b_tasks", "b_forum_message"}
    assert (told["b_crm_lead"]["kind"], told["b_crm_lead"]["titles"]) == ("lead", [f"{lead}: Test lead 50 %"])
    assert told["b_crm_field_multi"]["titles"][0].endswith(": +70001")
    assert found["other"] == [{"table": "b_crm_webform", "count": 1}]
    assert found["rows"] == 4
    old = data.backup_rows()
    assert data.delete(only(found)) == 4
    proof = data.prove(only(found), old)
    assert proof["b_crm_lead"] == {
        "left": 0,
        "kept": 0,
        "rows": baseline["rows"]["b_crm_lead"],
        "baseline": baseline["rows"]["b_crm_lead"],
    }
    # all is as after the restore, but for what no list names
    assert counted(session) == before | {"b_crm_webform": before["b_crm_webform"] + 1}
    assert data.delete(only(found)) == 0
    assert data.prove(only(found), old) == proof


def test_rows_made_after_a_closed_list_are_kept(session: Database, baseline: dict[str, Any]) -> None:
    work(session)
    data = TestData(session, DATABASE, baseline)
    closed = only(data.listed(None, MOST))
    carried = insert(session, "b_crm_lead", TITLE="Carried over", STATUS_ID="NEW")
    insert(session, "b_crm_field_multi", ENTITY_ID="LEAD", ELEMENT_ID=carried, TYPE_ID="PHONE", VALUE="+7")
    session.commit()
    found = data.listed(closed, MOST)
    assert only(found) == closed
    assert {table["table"]: table["kept"] for table in found["tables"]}["b_crm_lead"] == 1
    old = data.backup_rows()
    data.delete(closed)
    assert data.prove(closed, old)["b_crm_lead"]["kept"] == 1
    title = session.value(f"SELECT TITLE FROM {DATABASE}.b_crm_lead WHERE ID = {carried}")
    assert title == "Carried over"


def test_a_killed_run_is_gone_on_with(session: Database, baseline: dict[str, Any]) -> None:
    before = counted(session)
    lead = work(session)
    data = TestData(session, DATABASE, baseline)
    listed = only(data.listed(None, MOST))
    # killed when the lead was gone and what belongs to it was not
    session.run(f"DELETE FROM {DATABASE}.b_crm_lead WHERE ID = {lead}")
    session.commit()
    data.delete(listed)
    assert counted(session) == before | {"b_crm_webform": before["b_crm_webform"] + 1}


def test_rows_of_the_backup_are_never_touched(session: Database, baseline: dict[str, Any]) -> None:
    before = counted(session)
    data = TestData(session, DATABASE, baseline)
    highest = baseline["ids"]["b_crm_lead"]["max_id"]
    assert data.delete({"b_crm_lead": [1, 2, highest]}) == 0
    assert counted(session) == before
    with pytest.raises(RefusedError, match="b_user is no table of test data"):
        data.delete({"b_user": [10_000]})
    session.run(f"DELETE FROM {DATABASE}.b_crm_lead WHERE ID = {highest}")
    assert data.listed(None, MOST)["missing"] == [{"table": "b_crm_lead", "count": 1}]


def test_what_cannot_be_proved_is_said(session: Database, baseline: dict[str, Any]) -> None:
    work(session)
    data = TestData(session, DATABASE, baseline)
    listed = only(data.listed(None, MOST))
    old = data.backup_rows()
    with pytest.raises(RefusedError, match="not proved: b_crm_field_multi still has 1 rows"):
        data.prove(listed, old)
    data.delete(listed)
    with pytest.raises(RefusedError, match="rows of the backup"):
        data.prove(listed, {table: rows + 1 for table, rows in old.items()})


def test_other_portals_and_too_many_rows_are_refused(session: Database, baseline: dict[str, Any]) -> None:
    work(session)
    with pytest.raises(RefusedError, match="4 rows"):
        TestData(session, DATABASE, baseline).listed(None, 3)
    with pytest.raises(RefusedError, match=r"refused: baseline.json is that of portal_other"):
        TestData(session, DATABASE, baseline | {"database": "portal_other"})
