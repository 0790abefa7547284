"""One time zone for host, PHP and database, and clocks that agree (portal_runtime A4)."""

from testinfra.host import Host

from boxlift.verify.inventory import Setting
from boxlift.verify.release import Database


def test_time_zone_is_one(portal: Host, server_database: Database, setting: Setting) -> None:
    zone = str(setting("portal_timezone"))
    assert portal.check_output("timedatectl show --property Timezone --value") == zone
    assert portal.check_output("php -r %s", "echo date_default_timezone_get();") == zone


def test_database_session_has_the_offset_of_the_host(
    portal: Host, server_database: Database, setting: Setting
) -> None:
    offset = portal.check_output("date +%:z")
    # What the portal's own sessions begin with, where the server's zone is not theirs.
    named = setting("portal_settings_database_timezone", "")
    before = f"SET time_zone = '{named}'; " if named else ""
    seconds = server_database.value(f"{before}SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW())")
    sign = -1 if offset.startswith("-") else 1
    hours, minutes = offset[1:].split(":")
    assert int(seconds) == sign * (int(hours) * 3600 + int(minutes) * 60)


def test_clocks_agree(portal: Host, server_database: Database) -> None:
    # Looked at before and after: however long the question takes, it is no difference of the clocks.
    before = float(portal.check_output("date +%s.%N"))
    database = float(server_database.value("SELECT UNIX_TIMESTAMP(NOW(3))"))
    after = float(portal.check_output("date +%s.%N"))
    assert before - 1 <= database <= after + 1
