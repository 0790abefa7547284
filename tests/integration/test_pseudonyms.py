"""Pseudonyms given in a real database: everywhere the same, once, also after a killed run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.boxlift_rules import Holder
from ansible.module_utils.boxlift_sql import Database, SqlError

from filter_plugins.pseudonyms import pseudonym_pools
from library.portal_pseudonyms import Copy, Pseudonyms, Rule
from tests.integration.generated import load_generated
from tests.integration.quiet import copy_rules

ROLE = Path(__file__).parents[2] / "roles" / "portal_pseudonyms"

SCHEMA = "portal_clone_20261122120000"
RELEASE = "clone-20261122120000"
GIVEN = Pseudonyms("key", pseudonym_pools("ru_RU"))
RULES = [
    Rule("b_user", ("NAME",), "first_name", ""),
    Rule("b_user", ("EMAIL", "PERSONAL_*"), "email", ""),
    Rule("b_crm_contact", ("NAME",), "first_name", ""),
    Rule("b_crm_field_multi", ("VALUE",), "phone", "TYPE_ID = 'PHONE'"),
    Rule("b_im_message", ("MESSAGE",), "text", ""),
    Rule("b_crm_act", ("SETTINGS",), "array", ""),
    Rule("b_event", (), "delete", "ID NOT IN (SELECT ID FROM b_crm_act WHERE ID > 1)"),
    Rule("b_absent", ("NAME",), "text", ""),
    Rule("b_user", ("LOGIN",), "login", ""),
]


@pytest.fixture
def database(session: Database) -> Database:
    for statement in (
        f"DROP DATABASE IF EXISTS {SCHEMA}",
        f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
        f"CREATE TABLE {SCHEMA}.b_user (ID INT PRIMARY KEY, LOGIN VARCHAR(50), NAME VARCHAR(50),"
        " EMAIL VARCHAR(255))",
        f"CREATE TABLE {SCHEMA}.b_crm_contact (ID INT PRIMARY KEY, NAME VARCHAR(50) CHARACTER SET cp1251)",
        f"CREATE TABLE {SCHEMA}.b_crm_field_multi (ID INT PRIMARY KEY, TYPE_ID VARCHAR(16),"
        " VALUE VARCHAR(50))",
        f"CREATE TABLE {SCHEMA}.b_im_message (ID INT PRIMARY KEY, MESSAGE MEDIUMTEXT)",
        f"CREATE TABLE {SCHEMA}.b_crm_act (ID INT PRIMARY KEY, SETTINGS LONGTEXT)",
        f"CREATE TABLE {SCHEMA}.b_event (ID INT PRIMARY KEY, C_FIELDS LONGTEXT)",
        f"CREATE TABLE {SCHEMA}.b_uts_crm_lead (VALUE_ID INT PRIMARY KEY, UF_NOTE TEXT, UF_EMPTY TEXT)",
        f"INSERT INTO {SCHEMA}.b_user VALUES (1, 'boxlift', 'Админ', 'admin@acme.example'),"
        " (2, 'anna', 'Анна', 'anna@acme.example'), (3, 'lena', 'Лена', NULL)",
        f"INSERT INTO {SCHEMA}.b_crm_contact VALUES (1, 'Анна'), (2, ''), (3, 'АННА')",
        f"INSERT INTO {SCHEMA}.b_crm_field_multi VALUES (1, 'PHONE', '+7 912 345 67 89'),"
        " (2, 'WEB', 'x.example')",
        f"INSERT INTO {SCHEMA}.b_im_message VALUES (1, 'Звоните: +7 912!\nÜber [b]uns[/b] 😀')",
        f"INSERT INTO {SCHEMA}.b_crm_act VALUES (1, 'a:1:{{i:0;s:4:\"Anna\";}}')",
        f"INSERT INTO {SCHEMA}.b_event VALUES (1, 'Anna')",
        f"INSERT INTO {SCHEMA}.b_uts_crm_lead VALUES (1, 'passport', '')",
    ):
        session.run(statement)
    session.commit()
    return session


def rows(database: Database, table: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = database.rows(f"SELECT * FROM {SCHEMA}.{table} ORDER BY 1")
    return found


def give(database: Database, rules: Sequence[Rule] = RULES) -> int:
    """One run; the number of rules that were still to be done."""
    copy = Copy(database, RELEASE, SCHEMA, ["boxlift"])
    copy.prepare()
    found, _ = copy.resolved(rules)
    undone = copy.undone(found)
    for rule in undone:
        copy.apply(rule, GIVEN)
    return len(undone)


def test_persons_get_the_same_names_everywhere(database: Database) -> None:
    give(database)
    anna = GIVEN.of("first_name", "Анна")
    assert rows(database, "b_user") == [
        ("1", "boxlift", "Админ", "admin@acme.example"),
        ("2", GIVEN.of("login", "anna"), anna, GIVEN.of("email", "anna@acme.example")),
        ("3", GIVEN.of("login", "lena"), GIVEN.of("first_name", "Лена"), None),
    ]
    assert rows(database, "b_crm_contact") == [("1", anna), ("2", ""), ("3", anna)]


def test_telephones_texts_settings_and_logs(database: Database) -> None:
    give(database)
    assert rows(database, "b_crm_field_multi") == [
        ("1", "PHONE", GIVEN.of("phone", "+7 912 345 67 89")),
        ("2", "WEB", "x.example"),
    ]
    assert rows(database, "b_im_message") == [("1", "xxxxxxx: +0 000!\nxxxx [x]xxx[/x] 😀")]
    assert rows(database, "b_crm_act") == [("1", "a:0:{}")]
    assert rows(database, "b_event") == []


def test_a_second_run_replaces_nothing_twice(database: Database) -> None:
    give(database)
    before = rows(database, "b_user")
    assert give(database) == 0
    assert rows(database, "b_user") == before


def test_a_run_that_broke_off_goes_on(database: Database) -> None:
    broken = [*RULES[:3], Rule("b_im_message", ("MESSAGE",), "text", "NO_COLUMN = 1")]
    with pytest.raises(SqlError, match="NO_COLUMN"):
        give(database, broken)
    database.run("ROLLBACK")
    assert give(database) == len(RULES) - 1 - 3
    assert rows(database, "b_crm_contact")[0] == ("1", GIVEN.of("first_name", "Анна"))


def test_what_the_portal_lacks_and_what_no_rule_knows_is_told(database: Database) -> None:
    copy = Copy(database, RELEASE, SCHEMA, [])
    _, lacking = copy.resolved(RULES)
    assert lacking == ["b_user.PERSONAL_*", "b_absent"]
    assert copy.unhandled() == ["b_uts_crm_lead.UF_NOTE"]


@pytest.mark.parametrize(
    ("columns", "row", "expected"),
    [
        ("NOTE TEXT", "'call anna@acme.example!'", {"b_acme.NOTE": ["mail"]}),
        ("NOTE TEXT", "'p0123456789ab@pseudonym.invalid'", {}),
        ("NOTE BLOB", "'Anna: +7 (912) 345-67-89'", {"b_acme.NOTE": ["telephone"]}),
        ("NOTE TEXT", "'89123456789 or 8 912 345 67 89'", {"b_acme.NOTE": ["telephone"]}),
        ("NOTE TEXT", "'+49 30 123456'", {"b_acme.NOTE": ["telephone"]}),
        ("NOTE TEXT", "'2026-11-22 10:00:00, no 1795000000, a89123456789, 7912345678901234'", {}),
        ("NOTE TEXT", "'user@localhost, @anna, 8 800'", {}),
        ("CONTACT_NAME VARCHAR(50)", "'Anna'", {"b_acme.CONTACT_NAME": ["name"]}),
        ("CONTACT_NAME VARCHAR(50)", "''", {}),
        ("EMAIL_CONFIRMED CHAR(1), EMAIL_TYPE VARCHAR(50)", "'Y', 'WORK'", {}),
        ("PHONE VARCHAR(50)", "'+7 912 345 67 89'", {"b_acme.PHONE": ["telephone", "name"]}),
        ("KNOWN TEXT", "'anna@acme.example'", {}),
    ],
)
def test_persons_without_a_rule_are_told_by_their_place(
    database: Database, columns: str, row: str, expected: dict[str, list[str]]
) -> None:
    database.run(f"CREATE TABLE {SCHEMA}.b_acme (ID INT PRIMARY KEY, {columns})")
    database.run(f"INSERT INTO {SCHEMA}.b_acme VALUES (1, {row})")
    copy = Copy(database, RELEASE, SCHEMA, [])
    rules, _ = copy.resolved(RULES)
    found = dict(copy.persons(rules, ["b_acme.KNOWN"]))
    assert {place: looks for place, looks in found.items() if place.startswith("b_acme.")} == expected


def test_a_table_that_cannot_be_looked_at_is_told(database: Database) -> None:
    database.run(f"USE {SCHEMA}")
    database.run(f"CREATE TABLE {SCHEMA}.b_merged (ID INT, NOTE TEXT) ENGINE=MERGE UNION=(b_nothing)")
    assert dict(Copy(database, RELEASE, SCHEMA, []).persons([], []))["b_merged.*"] == ["not seen"]


def test_a_whole_portal_keeps_persons_only_where_they_are_told(session: Database) -> None:
    load_generated(session, SCHEMA)
    role = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    rules = [
        Rule(raw["table"], tuple(raw.get("columns", ())), raw["kind"], raw.get("where", ""))
        for raw in role["__portal_pseudonyms_rules"]
    ]
    Holder(session, RELEASE, SCHEMA, remember=False).hold(copy_rules())
    session.commit()
    give(session, rules)
    copy = Copy(session, RELEASE, SCHEMA, [])
    found, _ = copy.resolved(rules)
    assert dict(copy.persons(found, role["__portal_pseudonyms_known"])) == {}


def test_a_look_changes_nothing_on_the_server(database: Database) -> None:
    database.run("DROP DATABASE IF EXISTS boxlift")
    copy = Copy(database, RELEASE, SCHEMA, [])
    found, _ = copy.resolved(RULES)
    assert copy.undone(found) == found
    assert not database.rows("SHOW DATABASES LIKE 'boxlift'")


def test_a_column_that_takes_each_value_once_gets_each_pseudonym_once(database: Database) -> None:
    database.run(f"CREATE TABLE {SCHEMA}.b_sender_contact (ID INT PRIMARY KEY, CODE VARCHAR(50) UNIQUE)")
    # Behind country and 000 seven-digit numbers keep three digits: of 100 some meet.
    numbers = [f"2{number:06}" for number in range(100)]
    assert len({GIVEN.of("phone", number) for number in numbers}) < len(numbers)
    values = ", ".join(f"({place}, '{number}')" for place, number in enumerate(numbers))
    database.run(f"INSERT INTO {SCHEMA}.b_sender_contact VALUES {values}")
    database.commit()
    assert give(database, [Rule("b_sender_contact", ("CODE",), "phone", "")]) == 1
    given = [str(code) for _, code in rows(database, "b_sender_contact")]
    assert len(set(given)) == len(numbers)
    assert all(code.startswith("2000") for code in given)
