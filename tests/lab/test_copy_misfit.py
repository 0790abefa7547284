"""A rule that misses its table ends a copy, unless the table is empty or somebody has looked at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boxlift.verify.release import Release
from tests.lab.support import Play

pytestmark = pytest.mark.long

TABLE = "b_boxlift_probe"
RULE = {
    "id": "probe",
    "table": TABLE,
    "where": "ACTIVE = 'Y'",
    "set": {"ACTIVE": "N"},
    "reason": "it would act",
    "opening": "keep",
}


@pytest.fixture
def other_column(copy: Release) -> Iterator[None]:
    """A table of the product whose column has another name than the rule's, with a row that acts."""
    copy.database.rows(f"CREATE TABLE {TABLE} (ID INT PRIMARY KEY, ENABLED CHAR(1))")
    copy.database.rows(f"INSERT INTO {TABLE} VALUES (1, 'Y')")
    try:
        yield
    finally:
        copy.database.rows(f"DROP TABLE {TABLE}")


@pytest.mark.usefixtures("other_column")
@pytest.mark.parametrize("tasks", ["main", "counted"])
def test_what_no_rule_could_hold_is_not_served(play: Play, copy: Release, tasks: str) -> None:
    def told(**more: object) -> tuple[int, str]:
        recap = play(
            "../tests/lab/copy_counted.yml", counted_tasks=tasks, portal_quiet_rules_custom=[RULE], **more
        )
        return recap.returncode, recap.output

    code, output = told()
    assert code != 0
    assert "has rules that do not fit their table: probe (b_boxlift_probe.ACTIVE; 1 rows)" in output
    assert told(portal_quiet_misfits_known=["probe"])[0] == 0
    copy.database.rows(f"DELETE FROM {TABLE}")
    assert told()[0] == 0
