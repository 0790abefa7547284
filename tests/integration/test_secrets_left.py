"""What looks like a secret in a copy: found wherever it stands, and no value of it is read."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.module_utils.boxlift_rules import Holder
from ansible.module_utils.boxlift_sql import Database

from library.portal_unknown_secrets import SHORTEST, Look, Place, is_known
from tests.integration.generated import load_generated
from tests.integration.quiet import DATA, copy_rules

SCHEMA = "portal_clone_20261122193934"
FENCE = Path(__file__).parents[1] / "acceptance" / "staging" / "test_fence.py"


def places(database: Database) -> Iterator[Place]:
    """What the role would tell."""
    for place in Look(database, SCHEMA).places():
        if not is_known(place, DATA["__portal_quiet_secrets_harmless"]):
            yield place


def told(database: Database) -> set[str]:
    return {place.place for place in places(database)}


def test_nothing_of_a_whole_portal_is_left(session: Database) -> None:
    """Accounts at providers, tokens, passwords: the rules leave none that the look would find."""
    load_generated(session, SCHEMA)
    session.run(
        "INSERT INTO b_option (MODULE_ID, NAME, VALUE) VALUES"
        " ('messageservice', 'sender.sms.smsru', 'a:1:{s:8:\"password\";s:3:\"abc\";}'),"
        " ('main', 'dump_temporary_cache', 'AAAA'), ('search', 'opensearch_password', 'abc')"
    )
    session.commit()
    before = told(session)
    assert {
        "b_clouds_file_bucket.SETTINGS",
        "b_ldap_server.ADMIN_PASSWORD",
        "b_mail_mailbox.PASSWORD",
        "b_imconnectors_status.DATA",
        "messageservice/sender.sms.smsru",
        "search/opensearch_password",
    } <= before
    Holder(session, "clone-1", SCHEMA, remember=False).hold(copy_rules())
    assert told(session) == set()


def counted(session: Database) -> dict[str, int]:
    """What the suite `staging` counts in a copy: rows that could act, and accounts of production."""
    found = importlib.util.spec_from_file_location("staging_fence", FENCE)
    assert found is not None
    assert found.loader is not None
    suite = importlib.util.module_from_spec(found)
    found.loader.exec_module(suite)
    columns = {
        (str(table), str(column))
        for table, column in session.rows(
            "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s", [SCHEMA]
        )
    }
    questions = {
        table: f"SELECT COUNT(*) FROM `{table}` WHERE {where}" for table, where in suite.ACTIVE_ROWS.items()
    }
    questions |= {
        f"{table}.{column}": suite.left(table, column, condition)
        for (table, column), condition in suite.ACCOUNTS.items()
        if (table, column) in columns
    }
    return {name: int(session.value(question)) for name, question in questions.items()}


def test_the_suite_counts_what_the_rules_empty(session: Database) -> None:
    load_generated(session, SCHEMA)
    session.run("CREATE TABLE b_sale_bizval (CONSUMER_KEY VARCHAR(50), PROVIDER_VALUE TEXT)")
    session.run("INSERT INTO b_sale_bizval VALUES ('PAYSYSTEM_3', 'shop'), ('COMMON', 'company')")
    session.run(
        "INSERT INTO b_option (MODULE_ID, NAME, VALUE) VALUES ('main', 'dump_temporary_cache', 'AAAA')"
    )
    session.run("UPDATE b_sale_cashbox SET SETTINGS = 'a:1:{i:0;i:1;}', OFD_SETTINGS = 'a:1:{i:0;i:1;}'")
    session.run("UPDATE b_sale_pay_system_action SET PARAMS = 'a:1:{i:0;i:1;}'")
    assert [name for name, rows in counted(session).items() if not rows] == []
    Holder(session, "clone-1", SCHEMA, remember=False).hold(copy_rules())
    assert {name: rows for name, rows in counted(session).items() if rows} == {}
    assert session.rows("SELECT PROVIDER_VALUE FROM b_sale_bizval ORDER BY 1") == [("",), ("company",)]


@pytest.fixture
def copy(session: Database) -> Database:
    """A copy with tables and options that no rule knows."""
    for statement in (
        f"DROP DATABASE IF EXISTS {SCHEMA}",
        f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4",
        f"USE {SCHEMA}",
        "CREATE TABLE b_option (MODULE_ID VARCHAR(50), NAME VARCHAR(100), VALUE MEDIUMTEXT,"
        " PRIMARY KEY (MODULE_ID, NAME))",
        "CREATE TABLE b_user (ID INT PRIMARY KEY, PASSWORD VARCHAR(255), PASSWORD_EXPIRED CHAR(1))",
        "INSERT INTO b_user VALUES (1, '$6$salt$hash', 'N')",
    ):
        session.run(statement)
    return session


@pytest.mark.parametrize(
    ("table", "columns", "row", "expected"),
    [
        ("b_acme", "ID INT PRIMARY KEY, API_TOKEN VARCHAR(64)", "1, 's3cret'", {"b_acme.API_TOKEN"}),
        ("b_acme", "ID INT PRIMARY KEY, SECRET_WORD BLOB", "1, 0xFF00AA", {"b_acme.SECRET_WORD"}),
        ("b_acme", "ID INT PRIMARY KEY, FTP_PWD TINYTEXT", "1, 's3cret'", {"b_acme.FTP_PWD"}),
        ("b_acme", "API_TOKEN VARCHAR(64)", "''", set()),
        (
            "b_acme",
            "PASSWORD_TYPE CHAR(20), TOKEN_EXPIRES VARCHAR(20), TOKEN_ID VARCHAR(20)",
            "'sha', '17', '1'",
            set(),
        ),
        ("b_acme", "KIND CHAR(20), AUTH_KEY INT", "'a', 7", set()),
        (
            "b_acme",
            "ID INT PRIMARY KEY, CONFIG TEXT",
            """1, 'a:1:{s:8:"password";s:3:"abc";}'""",
            {"b_acme.CONFIG"},
        ),
        ("b_acme", "CONFIG TEXT", """'a:1:{s:8:"password";s:0:"";}'""", set()),
        ("b_acme", "CONFIG TEXT", """'{"shop": 1, "secretKey" : "abc"}'""", {"b_acme.CONFIG"}),
        ("b_acme", "CONFIG TEXT", r"""'{\\"api_key\\":\\"abc\\"}'""", {"b_acme.CONFIG"}),
        ("b_acme", "CONFIG TEXT", """'{"token": ""}'""", set()),
        ("b_acme", "CONFIG JSON", """'{"token": "x"}'""", {"b_acme.CONFIG"}),
        ("b_acme", "URL TEXT", "'ftp://shop:s3cret@files.example/x'", {"b_acme.URL"}),
        ("b_acme", "URL TEXT", "'https://shop.example:8443/a@b'", set()),
        ("b_acme", "URL TEXT", "'https://p.example/rest/1/abcdef0123456789/crm.lead.add'", {"b_acme.URL"}),
        ("b_acme", "URL TEXT", "'https://p.example/in?access_token=abcdef'", {"b_acme.URL"}),
        ("b_acme", "BODY TEXT", "'https://p.example/in?token=#TOKEN#'", set()),
        ("b_acme", "PEM TEXT", "'-----BEGIN RSA PRIVATE KEY-----'", {"b_acme.PEM"}),
        (
            "b_sale_delivery",
            "CODE_KEY VARCHAR(50), CONSUMER_KEY VARCHAR(50), PROVIDER_VALUE TEXT",
            "'YANDEX_SECRET_KEY', 'DELIVERY_3', 'abc'",
            {"b_sale_delivery.PROVIDER_VALUE"},
        ),
        (
            "b_sale_delivery",
            "CODE_KEY VARCHAR(50), PROVIDER_VALUE TEXT",
            "'my password is a secret', 'abc'",
            set(),
        ),
        (
            "b_acme",
            "LICENCE_KEY VARCHAR(99)",
            "'0123456789abcdef0123456789abcdef'",
            {"b_acme.LICENCE_KEY"},
        ),
        ("b_acme", "STAGE_KEY VARCHAR(99)", "'preparation_of_the_offers'", set()),
        ("b_acme", "MESSAGE TEXT", "'What is the password? Use a token!'", set()),
        ("b-acme`s", "`the token` TEXT", "'s3cret'", {"b-acme`s.the token"}),
    ],
)
def test_found_wherever_it_stands(
    copy: Database, table: str, columns: str, row: str, expected: set[str]
) -> None:
    name = "`" + table.replace("`", "``") + "`"
    copy.run(f"CREATE TABLE {name} ({columns})")
    copy.run(f"INSERT INTO {name} VALUES ({row})")
    assert told(copy) == expected


@pytest.mark.parametrize(
    ("module", "name", "value", "found"),
    [
        ("acme", "api_secret", "s3cret", True),
        ("acme", "settings", 'a:1:{s:5:"token";s:3:"abc";}', True),
        ("acme", "hook", "https://p.example/rest/1/abcdef0123456789/", True),
        ("main", "signer_default_key", "0123456789abcdef" * 4, True),
        ("crm", "callcard_key", "a word", False),
        ("main", "captcha_restoring_password", "N", False),
        ("main", "password_policy", "strong", False),
        ("pull", "signature_key", "0123456789", False),
        ("acme", "token", "", False),
    ],
)
def test_options_are_told_by_their_names(
    copy: Database, module: str, name: str, value: str, *, found: bool
) -> None:
    copy.run("INSERT INTO b_option VALUES (%s, %s, %s)", [module, name, value])
    found_places = list(places(copy))
    assert [place.place for place in found_places] == ([f"{module}/{name}"] if found else [])
    assert len(value) < SHORTEST or value not in repr(found_places)


def test_the_newest_rows_are_looked_at_in_a_big_table(copy: Database) -> None:
    copy.run("CREATE TABLE b_acme (ID INT PRIMARY KEY, CONFIG TEXT)")
    copy.run("INSERT INTO b_acme SELECT seq, 'nothing' FROM seq_1_to_20000")
    assert told(copy) == set()
    copy.run("""UPDATE b_acme SET CONFIG = '{"token": "x"}' WHERE ID = 19500""")
    assert told(copy) == {"b_acme.CONFIG"}


def test_a_hostile_value_is_no_trap(copy: Database) -> None:
    """Values that make careless patterns search for ever."""
    copy.run("CREATE TABLE b_acme (ID INT PRIMARY KEY, CONFIG LONGTEXT, VALUE TEXT, NAME CHAR(255))")
    for number, word in enumerate(
        ("password" * 500, 'token"' * 700, "://a:" * 900, "a" * 4000, '\\"' * 2000)
    ):
        copy.run("INSERT INTO b_acme VALUES (%s, %s, %s, %s)", [number, word * 20, word, word[:255]])
    copy.run("INSERT INTO b_acme SELECT 1000 * ID + seq + 10, CONFIG, VALUE, NAME FROM b_acme, seq_1_to_150")
    assert isinstance(told(copy), set)


def test_a_table_that_cannot_be_looked_at_is_told(copy: Database) -> None:
    copy.run("CREATE TABLE b_acme (ID INT PRIMARY KEY, API_TOKEN TEXT)")
    copy.run("INSERT INTO b_acme VALUES (1, 's3cret')")
    copy.run("CREATE TABLE b_merged (ID INT, NOTE TEXT) ENGINE=MERGE UNION=(b_nothing)")
    found = list(places(copy))
    assert [place.place for place in found] == ["b_acme.API_TOKEN", "b_merged.*"]
    assert "s3cret" not in repr(found)


def test_somebody_has_looked_at_it() -> None:
    place = Place("b_acme.API_TOKEN", "b_acme", "API_TOKEN", "called like a secret", 1)
    assert is_known(place, ["B_ACME.*"])
    assert not is_known(place, ["b_acme.token", "acme/*"])
