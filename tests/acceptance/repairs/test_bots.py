"""No bot that nobody answers for is left to be written to (portal_runtime J4)."""

from boxlift.verify.release import Release


def test_bots_of_absent_modules_are_switched_off(active_release: Release) -> None:
    if "b_im_bot" not in active_release.database.tables():
        return
    dead = active_release.database.rows(
        "SELECT b.CODE FROM b_im_bot b JOIN b_user u ON u.ID = b.BOT_ID AND u.ACTIVE = 'Y'"
        " LEFT JOIN b_module m ON m.ID = b.MODULE_ID WHERE m.ID IS NULL"
    )
    assert dead == []
