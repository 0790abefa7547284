"""Converters and indexers of the product go on: none has lost what calls it (portal_runtime A6, F3, J4)."""

import pytest

from boxlift.verify.release import Release

UNDER_WAY = "FROM b_option o WHERE o.MODULE_ID LIKE 'main.stepper.%'"
CALLED = "FROM b_agent a WHERE INSTR(a.NAME, CONCAT(o.NAME, '::execAgent')) > 0"


def test_each_converter_has_an_agent(active_release: Release) -> None:
    lost = active_release.database.rows(
        f"SELECT o.MODULE_ID, o.NAME {UNDER_WAY} AND NOT EXISTS (SELECT 1 {CALLED} AND a.ACTIVE = 'Y')"
    )
    assert [f"{module.removeprefix('main.stepper.')}: {name}" for module, name in lost] == []


def test_none_waits_for_page_views_in_vain(active_release: Release, is_open: bool) -> None:
    """With agents in cron they advance on page views alone; a portal in which people work has those."""
    if not is_open:
        pytest.skip("agents stand still until the portal is open")
    late = active_release.database.rows(
        f"SELECT o.MODULE_ID, o.NAME {UNDER_WAY}"
        f" AND EXISTS (SELECT 1 {CALLED} AND a.NEXT_EXEC < NOW() - INTERVAL 1 DAY)"
    )
    assert [f"{module.removeprefix('main.stepper.')}: {name}" for module, name in late] == []
