"""Who gets a new account and a letter, read from a real database."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.boxlift_people import People
from ansible.module_utils.boxlift_sql import Database

from library import portal_letters
from library.portal_letters import Sender, handed_over, moment_of

SCHEMA = "portal_people"
HASH = "$6$salt$" + "x" * 80
GIVEN = {
    "release": "final-1",
    "database": SCHEMA,
    "only": None,
    "default_site": "s1",
    "run_began": 0,
    "per_minute": 60,
}


@pytest.fixture
def database(session: Database) -> Database:
    for statement in (
        f"DROP DATABASE IF EXISTS {SCHEMA}",
        f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4",
        f"CREATE TABLE {SCHEMA}.b_user (ID INT PRIMARY KEY, LOGIN VARCHAR(50), EMAIL VARCHAR(255),"
        " ACTIVE CHAR(1), BLOCKED CHAR(1), EXTERNAL_AUTH_ID VARCHAR(255), LID CHAR(2),"
        " PASSWORD VARCHAR(255), CONFIRM_CODE VARCHAR(8))",
    ):
        session.run(statement)
    people = [
        (1, "network", "a@x.example", "Y", "N", "socservices", ""),
        (2, "local", "b@x.example", "Y", "N", None, HASH),
        (3, "gone", "c@x.example", "N", "N", "socservices", ""),
        (4, "bot", "d@x.example", "Y", "N", "bot", ""),
        (5, "mail", "e@x.example", "Y", "N", "email", ""),
        (6, "empty", "f@x.example", "Y", "N", "", "*"),
        (7, "blocked", "g@x.example", "Y", "Y", "socservices", ""),
        (8, "old", "h@x.example", "Y", "N", "Bitrix24Net", ""),
    ]
    for person in people:
        session.run(
            f"INSERT INTO {SCHEMA}.b_user"
            " (ID, LOGIN, EMAIL, ACTIVE, BLOCKED, EXTERNAL_AUTH_ID, PASSWORD) VALUES (%s,%s,%s,%s,%s,%s,%s)",
            person,
        )
    session.commit()
    return session


@pytest.fixture
def people(database: Database) -> People:
    return People(database, "final-1", SCHEMA)


def test_only_persons_of_the_network(people: People) -> None:
    assert [person.login for person in people.network()] == ["network", "old"]


def test_an_invitation_is_no_employee(database: Database, people: People) -> None:
    database.run(f"UPDATE {SCHEMA}.b_user SET CONFIRM_CODE = 'abc' WHERE ID = 8")
    assert [person.login for person in people.network()] == ["network"]


def test_an_employee_has_a_department(database: Database, people: People) -> None:
    database.run(f"CREATE TABLE {SCHEMA}.b_uts_user (VALUE_ID INT PRIMARY KEY, UF_DEPARTMENT TEXT)")
    database.run(f"INSERT INTO {SCHEMA}.b_uts_user VALUES (1, 'a:0:{{}}'), (8, 'a:1:{{i:0;i:1;}}')")
    assert [person.login for person in people.network()] == ["old"]


def test_letters_for_empty_passwords_and_switched_accounts(database: Database, people: People) -> None:
    assert [person.login for person in people.without_password()] == ["empty"]
    people.prepare()
    people.enter(people.network()[0])
    people.note_switch(1, "")
    database.run(f"UPDATE {SCHEMA}.b_user SET EXTERNAL_AUTH_ID = '', PASSWORD = %s WHERE ID = 1", [HASH])
    assert [person.login for person in people.without_password()] == ["network", "empty"]


def test_the_ledger_remembers(people: People) -> None:
    people.prepare()
    person = people.network()[0]
    people.enter(person)
    people.note_letter(person.id, "sending", started_us=12)
    people.enter(person)
    assert people.letters() == {1: ("sending", "", 12)}
    people.note_letter(person.id, "sent")
    assert people.letters() == {1: ("sent", "", 12)}


def journal(moment: int, message: str) -> str:
    return json.dumps({"__REALTIME_TIMESTAMP": str(moment), "MESSAGE": message})


def test_the_relay_tells() -> None:
    sent = journal(50, "1A2: to=<a@x.example>, relay=mail[10.0.0.1]:25, status=sent")
    assert handed_over([sent], 40, "A@x.example")
    assert not handed_over([sent], 60, "a@x.example")
    assert not handed_over([sent, "no json"], 40, "b@x.example")
    waiting = {"queue_id": "1", "arrival_time": 7, "recipients": [{"address": "b@x.example"}]}
    assert handed_over([json.dumps(waiting)], 7_400_000, "b@x.example")
    assert not handed_over([json.dumps(waiting)], 9_000_000, "b@x.example")


Run = Callable[..., list[str]]


@pytest.fixture
def run(database: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run all calls of one run of the letters; the portal refuses some logins. Returns who was tried."""
    database.run(f"UPDATE {SCHEMA}.b_user SET EXTERNAL_AUTH_ID = '', PASSWORD = '' WHERE ID IN (1, 8)")

    def of_a_run(began: int, refused: tuple[str, ...] = ()) -> list[str]:
        tried: list[str] = []

        def php(_module: Any, _body: str, payload: dict[str, str], **_options: Any) -> dict[str, Any]:
            tried.append(payload["login"])
            return {"sent": payload["login"] not in refused, "message": "no such site"}

        monkeypatch.setattr(portal_letters, "run_php", php)
        module = SimpleNamespace(params=GIVEN | {"per_minute": 60_000, "seconds": 0, "run_began": began})
        for _ in range(10):  # with no seconds to spend, a call ends after one letter
            sender = Sender(module, database)
            if not sender.left():
                return tried
            sender.send(0)
        pytest.fail(f"the run does not end: {tried}")

    return of_a_run


def test_what_failed_is_tried_again_once_in_each_run(run: Run, people: People) -> None:
    people.prepare()
    now = time.time_ns() // 1000
    assert run(now, refused=("empty", "old")) == ["network", "empty", "old"]
    assert run(now) == []
    assert run(time.time_ns() // 1000, refused=("old",)) == ["empty", "old"]
    assert {state for state, _, _ in people.letters().values()} == {"sent", "failed"}
    assert run(time.time_ns() // 1000) == ["old"]
    assert run(time.time_ns() // 1000) == []


def test_a_clock_that_is_set_back_makes_no_endless_run(run: Run) -> None:
    tomorrow = (time.time_ns() // 1000) + 86_400_000_000
    assert run(tomorrow, refused=("empty",)) == ["network", "empty", "old"]


def test_a_doubt_is_never_sent_again(run: Run, people: People) -> None:
    people.prepare()
    people.enter(people.without_password()[0])
    people.note_letter(1, "doubt", "interrupted")
    assert run(time.time_ns() // 1000) == ["empty", "old"]


def test_links_live_as_long_as_the_strictest_group_says(database: Database, people: People) -> None:
    run_all(
        database,
        f"CREATE TABLE {SCHEMA}.b_group (ID INT PRIMARY KEY, SECURITY_POLICY TEXT)",
        f"CREATE TABLE {SCHEMA}.b_user_group (USER_ID INT, GROUP_ID INT)",
        f"INSERT INTO {SCHEMA}.b_group VALUES (1, 'a:1:{{s:17:\"CHECKWORD_TIMEOUT\";i:60;}}'),"
        " (3, 'a:1:{s:17:\"CHECKWORD_TIMEOUT\";s:4:\"1440\";}'), (4, 'a:0:{}'), (5, NULL)",
        f"INSERT INTO {SCHEMA}.b_user_group VALUES (1, 1), (1, 3), (8, 3), (8, 5)",
    )
    found = people.network()
    assert people.link_minutes(found) == {1: 60, 8: 1440}
    database.run(f"INSERT INTO {SCHEMA}.b_group VALUES (2, 'a:1:{{s:17:\"CHECKWORD_TIMEOUT\";i:600;}}')")
    assert people.link_minutes(found) == {1: 60, 8: 600}


def test_without_groups_links_live_two_days(people: People) -> None:
    assert set(people.link_minutes(people.network()).values()) == {2880}


def test_accounts_are_counted_by_kind(people: People) -> None:
    counted = {(item["kind"], item["active"]): item["count"] for item in people.accounts()}
    assert counted["socservices", True] == 2
    assert counted["socservices", False] == 1
    assert counted["bot", True] == 1


def test_letters_whose_links_end_before_work_begins_are_named(database: Database, people: People) -> None:
    people.prepare()
    sender = Sender(SimpleNamespace(params=GIVEN), database)
    now = moment_of("2026-11-20 18:00", "Europe/Moscow")
    assert sender.expiring(moment_of("2026-11-22 17:59", "Europe/Moscow"), now) == []
    assert sender.expiring(moment_of("2026-11-23 09:00", "Europe/Moscow"), now) == ["empty"]
    assert sender.expiring(moment_of("2026-11-22 15:01", "UTC"), now) == ["empty"]


def test_each_site_of_a_recipient_must_have_exactly_one_template(database: Database, people: People) -> None:
    """portal_runtime G: without one the portal answers OK and no mail exists; two are two mails."""
    people.prepare()
    run_all(
        database,
        f"UPDATE {SCHEMA}.b_user SET EXTERNAL_AUTH_ID = '', PASSWORD = '', LID = IF(ID = 8, 'ex', '')"
        " WHERE ID IN (1, 8)",
    )
    sender = Sender(SimpleNamespace(params=GIVEN), database)
    assert sender.unfit() == [{"site": "ex", "templates": []}, {"site": "s1", "templates": []}]
    run_all(
        database,
        f"CREATE TABLE {SCHEMA}.b_event_message (ID INT, EVENT_NAME VARCHAR(255), ACTIVE CHAR(1))",
        f"CREATE TABLE {SCHEMA}.b_event_message_site (EVENT_MESSAGE_ID INT, SITE_ID CHAR(2))",
        f"INSERT INTO {SCHEMA}.b_event_message VALUES (1, 'USER_PASS_REQUEST', 'Y'), (2, 'USER_INFO', 'Y'),"
        " (3, 'USER_PASS_REQUEST', 'N'), (4, 'USER_PASS_REQUEST', 'Y')",
        f"INSERT INTO {SCHEMA}.b_event_message_site VALUES (1, 's1'), (2, 'ex'), (3, 'ex'), (4, 's1')",
    )
    assert sender.unfit() == [{"site": "ex", "templates": []}, {"site": "s1", "templates": [1, 4]}]
    run_all(
        database,
        f"DELETE FROM {SCHEMA}.b_event_message_site WHERE EVENT_MESSAGE_ID = 4 AND SITE_ID = 's1'",
        f"INSERT INTO {SCHEMA}.b_event_message_site VALUES (4, 'ex')",
    )
    assert sender.unfit() == []


def test_a_site_without_recipients_is_nobody_s_business(database: Database, people: People) -> None:
    people.prepare()
    sender = Sender(SimpleNamespace(params=GIVEN | {"only": ["nobody@x.example"]}), database)
    assert sender.unfit() == []


def test_who_was_not_taken_over_is_in_the_list(database: Database, people: People) -> None:
    people.prepare()
    people.enter(people.network()[0])
    people.note_switch(1, "A user with this login is already there.")
    sender = Sender(SimpleNamespace(params=GIVEN), database)
    assert [(item["login"], item["letter"], item["note"]) for item in sender.refused()] == [
        ("network", "no account", "A user with this login is already there."),
        ("old", "no account", "was not given an account of the portal's own"),
    ]


@pytest.mark.parametrize(
    ("text", "zone"), [("tomorrow", "UTC"), ("2026-11-23", "UTC"), ("2026-11-23 09:00", "Moon/Sea")]
)
def test_a_moment_that_is_none_is_refused(text: str, zone: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        moment_of(text, zone)


def run_all(database: Database, *statements: str) -> None:
    for statement in statements:
        database.run(statement)
