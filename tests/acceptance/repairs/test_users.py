"""No employee needs the vendor's network to come in (portal_runtime G)."""

from boxlift.verify.release import Database, Release

NETWORK = "('socservices', 'Bitrix24Net')"
"""Kinds of account whose password the network keeps; others are no persons."""
NO_DEPARTMENT = "('', 'a:0:{}')"


def columns(database: Database, table: str) -> set[str]:
    rows = database.rows(
        "SELECT COLUMN_NAME FROM information_schema.COLUMNS"
        f" WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{table}'"
    )
    return {row[0] for row in rows}


def told_of(release: Release) -> set[str]:
    """IDs of those whom the portal did not take, with the reason that role portal_users told."""
    ledger = release.database.value(
        "SELECT COUNT(*) FROM information_schema.TABLES"
        " WHERE TABLE_SCHEMA = 'boxlift' AND TABLE_NAME = 'person'"
    )
    if ledger == "0":
        return set()
    rows = release.database.rows(
        "SELECT user_id FROM boxlift.person WHERE switched_at IS NULL AND note <> ''"
        f" AND release_name = '{release.name}'"
    )
    return {row[0] for row in rows}


def test_every_employee_has_an_account_of_the_portals_own(active_release: Release) -> None:
    """An employee has a department; an invitation that nobody accepted is none yet.

    Whom the portal refused, for a login that another one has say, a person has been told of by name: that is
    no matter for a program.
    """
    database = active_release.database
    known = columns(database, "b_user")
    conditions = ["u.ACTIVE = 'Y'", f"u.EXTERNAL_AUTH_ID IN {NETWORK}"]
    if "BLOCKED" in known:
        conditions.append("COALESCE(u.BLOCKED, 'N') <> 'Y'")
    if "CONFIRM_CODE" in known:
        conditions.append("COALESCE(u.CONFIRM_CODE, '') = ''")
    if "UF_DEPARTMENT" in columns(database, "b_uts_user"):
        conditions.append(
            "EXISTS (SELECT 1 FROM b_uts_user d WHERE d.VALUE_ID = u.ID"
            f" AND COALESCE(d.UF_DEPARTMENT, '') NOT IN {NO_DEPARTMENT})"
        )
    left = database.rows(f"SELECT u.ID FROM b_user u WHERE {' AND '.join(conditions)} ORDER BY u.ID")
    assert [f"user {row[0]}" for row in left if row[0] not in told_of(active_release)] == []


def test_no_login_is_there_twice(active_release: Release) -> None:
    """Two local accounts of one name: nobody knows whose password counts."""
    twice = active_release.database.rows(
        "SELECT COUNT(*) FROM b_user WHERE COALESCE(EXTERNAL_AUTH_ID, '') = ''"
        " GROUP BY LOWER(LOGIN) HAVING COUNT(*) > 1"
    )
    assert twice == []
