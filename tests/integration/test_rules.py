"""Rules hold rows of a real database still and give the old values back."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.boxlift_names import present_names
from ansible.module_utils.boxlift_rules import Holder, Rule, RuleError
from ansible.module_utils.boxlift_sql import Database, SqlError

from library import portal_rules

SCHEMA = "portal_test"


@pytest.fixture
def database(session: Database) -> Database:
    for statement in (
        f"DROP DATABASE IF EXISTS {SCHEMA}",
        f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4",
        f"CREATE TABLE {SCHEMA}.b_option (MODULE_ID VARCHAR(50), NAME VARCHAR(100), VALUE MEDIUMTEXT,"
        " PRIMARY KEY (MODULE_ID, NAME))",
        f"CREATE TABLE {SCHEMA}.b_option_site (MODULE_ID VARCHAR(50), NAME VARCHAR(100), SITE_ID CHAR(2),"
        " VALUE MEDIUMTEXT, PRIMARY KEY (MODULE_ID, NAME, SITE_ID))",
        f"CREATE TABLE {SCHEMA}.b_mail_mailbox (ID INT PRIMARY KEY, ACTIVE CHAR(1), NAME TEXT)",
        f"CREATE TABLE {SCHEMA}.b_sip"
        " (ID INT PRIMARY KEY, LINE BLOB, CHANGED TIMESTAMP NULL, SUM DECIMAL(30,9))",
        f"INSERT INTO {SCHEMA}.b_mail_mailbox VALUES (1,'Y','50 % больше'), (2,'N','b'), (3,'Y','c')",
        f"INSERT INTO {SCHEMA}.b_sip"
        " VALUES (1, 0xFF00, '2026-11-20 10:00:00', 123456789012345678901.123456789)",
    ):
        session.run(statement)
    session.commit()
    return session


@pytest.fixture
def holder(database: Database) -> Holder:
    return Holder(database, "final-1", SCHEMA)


def rule(**raw: Any) -> Rule:
    return Rule.parse({"id": "r", "reason": "because", "opening": "restore", **raw})


MAILBOXES = rule(table="b_mail_mailbox", where="ACTIVE = 'Y'", set={"ACTIVE": "N"})
LINES = rule(table="b_sip", delete=True)
AGENTS = rule(option={"module": "main", "name": "check_agents"}, value="N", opening={"set": "Y"})


def state(database: Database, table: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = database.rows(f"SELECT * FROM {SCHEMA}.{table} ORDER BY 1")
    return rows


def test_holds_and_gives_back_columns(database: Database, holder: Holder) -> None:
    before = state(database, "b_mail_mailbox")
    assert holder.hold([MAILBOXES])[0].rows == 2
    assert [row[1] for row in state(database, "b_mail_mailbox")] == ["N", "N", "N"]
    assert holder.hold([MAILBOXES])[0].rows == 0
    assert holder.give_back([MAILBOXES])[0].rows == 2
    assert state(database, "b_mail_mailbox") == before
    assert holder.give_back([MAILBOXES])[0].rows == 0


def test_gives_back_deleted_rows_byte_for_byte(database: Database, holder: Holder) -> None:
    before = state(database, "b_sip")
    assert holder.hold([LINES])[0].rows == 1
    assert state(database, "b_sip") == []
    holder.give_back([LINES])
    assert state(database, "b_sip") == before


def test_a_percent_sign_in_a_condition_is_a_pattern(database: Database, holder: Holder) -> None:
    held = rule(table="b_mail_mailbox", where="NAME LIKE '50 %'", set={"ACTIVE": "N"})
    assert holder.count([held])[0].rows == 1
    assert holder.hold([held])[0].rows == 1


def test_keeps_what_somebody_changed_meanwhile(database: Database, holder: Holder) -> None:
    holder.hold([MAILBOXES])
    database.run(f"UPDATE {SCHEMA}.b_mail_mailbox SET ACTIVE = 'X' WHERE ID = 3")
    outcome = holder.give_back([MAILBOXES])[0]
    assert outcome.rows == 2
    assert outcome.kept == ['b_mail_mailbox {"ID": "3"}']
    assert [row[1] for row in state(database, "b_mail_mailbox")] == ["Y", "N", "X"]


def test_an_option_without_row_is_set_and_opened(database: Database, holder: Holder) -> None:
    assert holder.hold([AGENTS])[0].rows == 1
    assert state(database, "b_option") == [("main", "check_agents", "N")]
    holder.give_back([AGENTS])
    assert state(database, "b_option") == [("main", "check_agents", "Y")]


def test_an_option_that_was_held_already_is_opened_too(database: Database, holder: Holder) -> None:
    database.run(f"INSERT INTO {SCHEMA}.b_option VALUES ('main', 'check_agents', 'N')")
    assert holder.hold([AGENTS])[0].rows == 0
    assert holder.give_back([AGENTS])[0].rows == 1
    assert state(database, "b_option") == [("main", "check_agents", "Y")]


def test_an_absent_option_is_empty(database: Database, holder: Holder) -> None:
    held = rule(option={"module": "rest", "name": "service_client_id"}, value="", opening="keep")
    assert holder.hold([held])[0].rows == 0
    assert state(database, "b_option") == []


def test_an_option_without_row_goes_again(database: Database, holder: Holder) -> None:
    held = rule(option={"module": "main", "name": "x"}, value="N")
    holder.hold([held])
    holder.give_back([held])
    assert state(database, "b_option") == []


def test_a_value_of_one_site_is_held_too(database: Database, holder: Holder) -> None:
    database.run(f"INSERT INTO {SCHEMA}.b_option_site VALUES ('main', 'check_agents', 's1', 'Y')")
    assert holder.hold([AGENTS])[0].rows == 2
    assert state(database, "b_option_site") == [("main", "check_agents", "s1", "N")]


def test_absent_tables_and_columns_do_not_apply(holder: Holder) -> None:
    outcomes = holder.hold(
        [rule(table="b_none", delete=True), rule(table="b_mail_mailbox", set={"STATUS": "N"})]
    )
    assert [outcome.applies for outcome in outcomes] == [False, False]


def test_a_dry_run_changes_nothing(database: Database, holder: Holder) -> None:
    before = state(database, "b_mail_mailbox")
    assert holder.hold([MAILBOXES, LINES, AGENTS], dry=True)[0].rows == 2
    assert state(database, "b_mail_mailbox") == before
    assert not database.has_database("boxlift")


def test_a_value_held_again_after_opening_is_remembered_anew(database: Database, holder: Holder) -> None:
    holder.hold([MAILBOXES])
    holder.give_back([MAILBOXES])
    database.run(f"UPDATE {SCHEMA}.b_mail_mailbox SET ACTIVE = 'N' WHERE ID = 1")
    assert holder.hold([MAILBOXES])[0].rows == 1
    holder.give_back([MAILBOXES])
    assert [row[1] for row in state(database, "b_mail_mailbox")] == ["N", "N", "Y"]


@pytest.mark.parametrize(
    "raw",
    [
        {"table": "b_x"},
        {"table": "b_x", "delete": True, "set": {"A": 1}},
        {"table": "b_x", "delete": True, "opening": "later"},
        {"table": "b_x", "delete": True, "reason": ""},
        {"table": "b_x", "delete": True, "opening": {"set": "Y"}},
    ],
)
def test_a_rule_that_is_not_clear_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(RuleError):
        rule(**raw)


def test_a_table_without_the_column_is_told_with_its_rows(database: Database, holder: Holder) -> None:
    absent = rule(table="b_nowhere", delete=True)
    other_column = rule(table="b_mail_mailbox", where="ENABLED = 1", set={"ACTIVE": "N"})
    no_column = rule(table="b_mail_mailbox", set={"SMTP_ACTIVE": "N"})
    outcomes = holder.hold([absent, other_column, no_column, MAILBOXES])
    assert [(one.applies, one.lacks, one.exposed) for one in outcomes] == [
        (False, ["b_nowhere"], 0),
        (False, ["b_mail_mailbox: ENABLED = 1"], 3),
        (False, ["b_mail_mailbox.SMTP_ACTIVE"], 3),
        (True, [], 0),
    ]
    assert outcomes[-1].rows == 2


def test_a_condition_that_is_wrong_otherwise_is_an_error(holder: Holder) -> None:
    with pytest.raises(SqlError):
        holder.count([rule(table="b_mail_mailbox", where="ACTIVE = ", set={"ACTIVE": "N"})])


def test_a_copy_keeps_no_old_values(database: Database) -> None:
    database.run("DROP DATABASE IF EXISTS boxlift")
    Holder(database, "clone-1", SCHEMA, remember=False).hold([MAILBOXES, LINES, AGENTS])
    assert [row[1] for row in state(database, "b_mail_mailbox")] == ["N", "N", "N"]
    assert state(database, "b_sip") == []
    assert "held_value" not in database.tables("boxlift")


OLD_NAME, NEW_NAME = "acme.bitrix24.ru", "portal.acme.example"
SITES = {
    "id": "domain-sites",
    "table": "b_lang",
    "where": "TRUE",
    "set": {"SERVER_NAME": NEW_NAME},
    "reason": "because",
    "opening": "keep",
}


@pytest.fixture
def hooks(database: Database) -> list[Rule]:
    """Webhooks and lines that name the portal, held before it got its own name; and then it got one."""
    packed = f'a:1:{{s:3:"url";s:{len(OLD_NAME) + 8}:"https://{OLD_NAME}";}}'
    objects = f'O:8:"stdClass":1:{{s:1:"a";s:{len(OLD_NAME)}:"{OLD_NAME}";}}'
    for statement in (
        f"CREATE TABLE {SCHEMA}.b_lang (LID CHAR(2) PRIMARY KEY, DEF CHAR(1), SERVER_NAME VARCHAR(255),"
        " EMAIL VARCHAR(255))",
        f"INSERT INTO {SCHEMA}.b_lang VALUES ('ex', 'N', '', 'extranet@x.example'),"
        f" ('s1', 'Y', '{OLD_NAME}', 'no-reply@{NEW_NAME}')",
        f"CREATE TABLE {SCHEMA}.b_hook (ID INT PRIMARY KEY, URL TEXT)",
        f"INSERT INTO {SCHEMA}.b_hook VALUES (1, 'https://{OLD_NAME}/in/?a=robot@{OLD_NAME}'),"
        f" (2, 'https://elsewhere.example/'), (3, '{packed}'), (4, '{objects}')",
        f"CREATE TABLE {SCHEMA}.b_line (NAME VARCHAR(100), SERVER VARCHAR(100), PRIMARY KEY (NAME))",
        f"INSERT INTO {SCHEMA}.b_line VALUES ('{OLD_NAME}', 'sip.{OLD_NAME}'), ('b', '{OLD_NAME}')",
    ):
        database.run(statement)
    rules = [
        rule(id="hooks", table="b_hook", where="URL <> ''", set={"URL": ""}),
        rule(id="lines", table="b_line", delete=True),
    ]
    Holder(database, "final-1", SCHEMA).hold([*rules, Rule.parse(SITES)])
    return rules


def test_what_was_held_before_the_portal_got_its_name_comes_back_with_it(
    database: Database, hooks: list[Rule]
) -> None:
    names = present_names(database, SCHEMA)
    assert names is not None
    returned = Holder(database, "final-1", SCHEMA).give_back(hooks, put=names.put_into)
    urls = dict(state(database, "b_hook"))
    assert urls["1"] == f"https://{NEW_NAME}/in/?a=no-reply@{NEW_NAME}"
    assert urls["2"] == "https://elsewhere.example/"
    assert urls["3"] == f'a:1:{{s:3:"url";s:{len(NEW_NAME) + 8}:"https://{NEW_NAME}";}}'
    assert OLD_NAME in urls["4"], "objects are not taken apart"
    # A longer name is another one, and a row's key stays: others may name the row by it.
    assert state(database, "b_line") == [(OLD_NAME, f"sip.{OLD_NAME}"), ("b", NEW_NAME)]
    assert [one.former for one in returned] == [
        ['b_hook {"ID": "4"}: URL: neither a list nor a text nor a number at byte 0'],
        [f'b_line {{"NAME": "{OLD_NAME}"}}: NAME: part of the row\'s key'],
    ]
    assert [one.kept for one in returned] == [[], []]


def test_the_module_gives_back_with_the_present_name(
    database: Database, hooks: list[Rule], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[dict[str, Any]] = []

    class Module:
        check_mode = False

        def __init__(self, **_: object) -> None:
            raw = {"id": "hooks", "table": "b_hook", "where": "URL <> ''", "set": {"URL": ""}}
            self.params = {
                "state": "returned",
                "release": "final-1",
                "database": SCHEMA,
                "remember": True,
                "rules": [{**raw, "reason": "because", "opening": "restore"}],
            }

        def exit_json(self, **answer: Any) -> None:
            answers.append(answer)

        def fail_json(self, **answer: Any) -> None:
            pytest.fail(str(answer))

    monkeypatch.setattr(portal_rules, "AnsibleModule", Module)
    monkeypatch.setattr(portal_rules, "Database", lambda _: database)
    portal_rules.main()
    assert answers[0]["rows"] == len(hooks) + 2
    assert [len(outcome["former"]) for outcome in answers[0]["rules"]] == [1]
    assert NEW_NAME in dict(state(database, "b_hook"))["1"]


def test_a_portal_without_a_name_of_its_own_gets_its_values_as_they_were(
    database: Database, hooks: list[Rule]
) -> None:
    database.run(f"UPDATE {SCHEMA}.b_lang SET SERVER_NAME = ''")
    assert present_names(database, SCHEMA) is None
    Holder(database, "final-1", SCHEMA).give_back(hooks)
    assert dict(state(database, "b_hook"))["1"] == f"https://{OLD_NAME}/in/?a=robot@{OLD_NAME}"


def test_a_database_without_sites_has_no_names(database: Database) -> None:
    assert present_names(database, SCHEMA) is None


def test_a_row_without_a_key_is_not_shown(database: Database) -> None:
    database.run(f"CREATE TABLE {SCHEMA}.b_loose (TOKEN VARCHAR(50))")
    database.run(f"INSERT INTO {SCHEMA}.b_loose VALUES ('s3cret')")
    loose = rule(table="b_loose", delete=True)
    holder = Holder(database, "final-1", SCHEMA)
    holder.hold([loose])
    database.run(f"INSERT INTO {SCHEMA}.b_loose VALUES ('s3cret')")
    (outcome,) = holder.give_back([loose])
    assert outcome.kept == ["b_loose, a row without a key"]
