"""What the suite of a restore sees in a database's definitions, asked of a server of the tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import testinfra
from ansible.module_utils.boxlift_sql import Database as Session

from boxlift.verify.release import Database, Release
from tests.acceptance.restore import test_tables as tables

SCHEMA = "suite_schema"
COLLATION = "utf8mb4_unicode_ci"


@pytest.fixture
def run(session: Session) -> Callable[[str], None]:
    """A statement in a fresh database with two sound tables."""

    def statement(text: str) -> None:
        session.run(text)

    session.run(f"CREATE OR REPLACE DATABASE {SCHEMA} CHARACTER SET utf8mb4 COLLATE {COLLATION}")
    session.run(f"USE {SCHEMA}")
    session.run("CREATE TABLE b_sound (ID INT, NAME VARCHAR(20), CODE VARCHAR(9) COLLATE utf8mb4_bin)")
    session.run("CREATE TABLE other (NAME VARCHAR(20) CHARACTER SET ascii) ROW_FORMAT=COMPACT")
    return statement


@pytest.fixture
def release(run: object, client_options: Path) -> Release:
    database = Database(testinfra.get_host("local://"), SCHEMA, str(client_options))
    return Release("rehearsal-1", "/nowhere", "/nowhere", database)


def chosen(name: str, default: object = ...) -> object:
    return COLLATION


def test_a_sound_database_is_silent(release: Release) -> None:
    tables.test_one_collation(release, chosen)
    tables.test_other_charsets_are_told(release)
    tables.test_no_table_has_an_old_row_format(release)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (f"ALTER DATABASE {SCHEMA} COLLATE utf8mb4_general_ci", "the database"),
        ("ALTER TABLE b_sound DEFAULT COLLATE utf8mb4_general_ci", "b_sound"),
        ("ALTER TABLE b_sound MODIFY NAME VARCHAR(20) COLLATE utf8mb4_general_ci", "b_sound.NAME"),
    ],
)
def test_a_second_collation_is_named(
    release: Release, run: Callable[[str], None], statement: str, named: str
) -> None:
    run(statement)
    with pytest.raises(AssertionError, match=f"'{named}'"):
        tables.test_one_collation(release, chosen)


def test_another_charset_is_told(release: Release, run: Callable[[str], None]) -> None:
    run("CREATE TABLE b_old (NAME VARCHAR(20)) CHARACTER SET cp1251")
    tables.test_one_collation(release, chosen)
    with pytest.raises(pytest.skip.Exception, match=r"b_old \(cp1251\)"):
        tables.test_other_charsets_are_told(release)


@pytest.mark.parametrize("name", ["COMPACT", "REDUNDANT"])
def test_an_old_row_format_is_named(release: Release, run: Callable[[str], None], name: str) -> None:
    run(f"ALTER TABLE b_sound ROW_FORMAT={name}")
    with pytest.raises(AssertionError, match="b_sound"):
        tables.test_no_table_has_an_old_row_format(release)
