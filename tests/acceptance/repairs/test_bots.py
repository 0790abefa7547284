"""No bot that nobody answers for is left to be written to (portal_runtime J4)."""

import pytest

from boxlift.verify.release import Release

# Bots of applications that were in use when the backup was taken come back when those are installed again.
# Until the portal is opened no application is active: what was is remembered.
HELD = (
    "SELECT 1 FROM boxlift.held_value h WHERE h.release_name = '{release}' AND h.table_name = 'b_rest_app'"
    " AND h.returned_at IS NULL AND JSON_VALUE(h.row_key, '$.ID') = a.ID"
    " AND JSON_VALUE(h.old_value, '$.ACTIVE') = 'Y'"
)


def test_bots_of_absent_modules_are_switched_off(active_release: Release) -> None:
    if "b_im_bot" not in active_release.database.tables():
        pytest.skip("the portal has no bots")
    dead = active_release.database.rows(
        "SELECT b.CODE FROM b_im_bot b JOIN b_user u ON u.ID = b.BOT_ID AND u.ACTIVE = 'Y'"
        " LEFT JOIN b_module m ON m.ID = b.MODULE_ID WHERE m.ID IS NULL"
    )
    assert dead == []


def test_bots_of_applications_that_were_not_in_use_are_switched_off(active_release: Release) -> None:
    if not {"b_im_bot", "b_rest_app"} <= active_release.database.tables():
        pytest.skip("the portal has no bots or no applications")
    dead = active_release.database.rows(
        "SELECT b.CODE FROM b_im_bot b JOIN b_user u ON u.ID = b.BOT_ID AND u.ACTIVE = 'Y'"
        " WHERE b.MODULE_ID = 'rest' AND NOT EXISTS (SELECT 1 FROM b_rest_app a WHERE a.CLIENT_ID = b.APP_ID"
        f" AND (a.ACTIVE = 'Y' OR EXISTS ({HELD.format(release=active_release.name)})))"
    )
    assert dead == []
