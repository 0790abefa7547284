"""Whoever registers applications and webhooks anew has them all on a list (portal_runtime J4)."""

import csv
from pathlib import Path

import pytest

from boxlift.verify.inventory import Setting
from boxlift.verify.release import Release

LISTED = {"b_rest_app": "application", "b_rest_event": "outgoing webhook", "b_rest_ap": "inbound webhook"}
# Those of an application come back with it.
OWN = {"b_rest_event": "COALESCE(APP_ID, '') IN ('', '0')"}


@pytest.fixture
def listed(active_release: Release, setting: Setting, is_open: bool) -> set[tuple[str, str]]:
    """Kind and ID of everything on the list."""
    if is_open:
        pytest.skip("the portal is open: what is registered since stands on no list")
    path = Path(str(setting("portal_apps_folder"))) / active_release.name / "applications.csv"
    if not path.exists():
        pytest.skip("the active release was not repaired by this project")
    with path.open(encoding="utf-8", newline="") as file:
        return {(row["kind"], row["id"]) for row in csv.DictReader(file, delimiter=";")}


@pytest.mark.parametrize(("table", "kind"), LISTED.items())
def test_none_is_missing(
    active_release: Release, listed: set[tuple[str, str]], table: str, kind: str
) -> None:
    if table not in active_release.database.tables():
        pytest.skip(f"the portal has no {table}")
    stored = active_release.database.rows(f"SELECT ID FROM {table} WHERE {OWN.get(table, 'TRUE')}")
    assert {(kind, row[0]) for row in stored} - listed == set()
