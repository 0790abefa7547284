"""Agents and queued mail run from cron, as the same user as the web (portal_runtime A6, A8)."""

from testinfra.host import Host


def test_cron_runs_the_agents_every_minute(portal: Host) -> None:
    lines = portal.check_output("grep -rhE '^[^#].*cron_events' /etc/cron.d /var/spool/cron || true")
    if lines:
        assert lines.startswith("* * * * * portal ")
    else:
        timers = portal.check_output("systemctl list-timers --all --plain --no-legend")
        assert "portal" in timers


def test_settings_tell_the_portal_so(portal: Host) -> None:
    content = portal.file("/srv/portal/current/bitrix/php_interface/dbconn.php").content_string
    assert "BX_CRONTAB_SUPPORT" in content
    assert "'BX_CRONTAB'" not in content
    assert "BX24_HOST_NAME" not in content
