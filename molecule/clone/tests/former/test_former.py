"""After the way back the copy before serves from its own database, which started first."""

from testinfra.host import Host

from boxlift.verify.release import Release


def test_the_copy_before_serves(staging_host: Host, copy: Release) -> None:
    names = sorted(
        name for name in staging_host.check_output("ls /var/lib/boxlift/clones").split() if "clone-" in name
    )
    assert copy.name == names[-2]
    assert staging_host.service(f"boxlift-database@{copy.name}").is_running
    assert staging_host.service(f"boxlift-database@{copy.name}").is_enabled
    ask = "curl --insecure --silent --output /dev/null --write-out %{http_code} https://localhost/auth/"
    assert staging_host.check_output(ask) in {"200", "401"}


def test_what_somebody_switched_on_in_it_is_off_again(staging_host: Host, copy: Release) -> None:
    switches = "SELECT DISTINCT VALUE FROM b_option WHERE NAME IN ('check_agents', 'check_events')"
    assert copy.database.value(switches) == "N"
    assert copy.database.value("SELECT COUNT(*) FROM b_event WHERE SUCCESS_EXEC = 'N'") == "0"
    assert not staging_host.service("portal-agents.timer").is_running
