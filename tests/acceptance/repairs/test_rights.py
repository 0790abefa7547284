"""Nobody lost a right, and nobody won one: tables of groups, roles and rights are those of the dump."""

from typing import Any

import pytest

from boxlift.verify.inventory import Setting
from boxlift.verify.release import Release
from bxbackup.rights import TABLES, digest_statement


@pytest.fixture(scope="module")
def held(active_release: Release) -> set[str]:
    """Tables in which the rules of a quiet portal hold rows: those differ from the dump on purpose."""
    rows = active_release.database.rows(
        "SELECT DISTINCT table_name FROM boxlift.held_value"
        f" WHERE release_name = '{active_release.name}' AND returned_at IS NULL"
    )
    return {row[0] for row in rows}


@pytest.fixture(scope="module")
def added(active_release: Release, setting: Setting) -> str:
    """Condition for the rows that the movers' own account added: it is no user of the dump."""
    login = str(setting("portal_administrator_login"))
    ids = active_release.database.rows(f"SELECT ID FROM b_user WHERE LOGIN = '{login}'")
    return f"USER_ID IN ({', '.join(row[0] for row in ids) or 'NULL'})"


@pytest.fixture(autouse=True)
def restored(active_release: Release, restored_release: Release, is_open: bool) -> None:
    if active_release.name != restored_release.name:
        pytest.skip("the active release was not restored from a backup")
    if is_open:
        pytest.skip("people give and take rights since the portal is open")


def theirs(table: str, added: str) -> str:
    """Condition for the rows that are not ours."""
    return f"NOT ({added})" if table == "b_user_group" else "TRUE"


def test_rows_equal_the_dump_table_by_table(
    active_release: Release, held: set[str], added: str, manifest: dict[str, Any]
) -> None:
    expected = {
        name: table["after_import"]
        for name, table in manifest["tables"].items()
        if TABLES.fullmatch(name) and name not in held
    }
    assert {"b_group", "b_user_group"} <= expected.keys()
    found = {}
    for name, table in expected.items():
        order = f" ORDER BY {table['order_by']}" if table["order_by"] else ""
        found[name] = active_release.database.digest(
            f"SELECT * FROM `{name}` WHERE {theirs(name, added)}{order}"
        )
    assert found == {name: table["tsv_md5"] for name, table in expected.items()}


def test_counts_equal_the_baseline_table_by_table(
    active_release: Release, held: set[str], added: str, baseline: dict[str, Any]
) -> None:
    expected = {
        name: rows for name, rows in baseline["rows"].items() if TABLES.fullmatch(name) and name not in held
    }
    assert "b_user_group" in expected
    found = {}
    for name in expected:
        counted = f"SELECT COUNT(*) FROM `{name}` WHERE {theirs(name, added)}"
        found[name] = int(active_release.database.value(counted))
    assert found == expected


def test_rows_equal_the_baseline_table_by_table(
    active_release: Release, held: set[str], added: str, baseline: dict[str, Any]
) -> None:
    if "rights" not in baseline:
        pytest.skip("the restore was one of an older bxbackup, which counted these rows and no more")
    expected = {name: rows["digest"] for name, rows in baseline["rights"].items() if name not in held}
    assert "b_user_group" in expected
    found = {}
    for name in expected:
        question = digest_statement(name, baseline["rights"][name]["columns"], theirs(name, added))
        found[name] = active_release.database.value(f"SET time_zone = '+00:00'; {question}")
    assert found == expected
