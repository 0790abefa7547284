"""A session outlives an hour without a click, and lies where nothing evicts it (portal_runtime A7)."""

from collections.abc import Callable

import pytest
from testinfra.host import Host

from boxlift.verify.browser import Browser
from boxlift.verify.inventory import Setting

HOUR = 3600
ASK = (
    "REDISCLI_AUTH=$(sed -n 's/^requirepass //p' /etc/redis/redis-sessions.conf);"
    ' export REDISCLI_AUTH; redis-cli -p "$1" %s'
)


@pytest.fixture
def host_of_sessions(host_of: Callable[[str], Host]) -> Host:
    return host_of("cache")


async def test_session_outlives_an_hour(signed_in: Browser, host_of_sessions: Host, setting: Setting) -> None:
    identifier = signed_in.cookie("PHPSESSID")
    assert identifier
    port = str(setting("portal_session_port"))
    keys = host_of_sessions.check_output("sh -c %s sh %s", ASK % f"--scan --pattern '*{identifier}*'", port)
    assert keys, "the session lies in another store"
    for key in keys.splitlines():
        left = host_of_sessions.check_output("sh -c %s sh %s %s", ASK % 'TTL "$2"', port, key)
        # what lives for ever is fine as well
        assert int(left) > HOUR or int(left) == -1


def test_sessions_are_never_evicted(host_of_sessions: Host, setting: Setting) -> None:
    port = str(setting("portal_session_port"))
    policy = host_of_sessions.check_output("sh -c %s sh %s", ASK % "CONFIG GET maxmemory-policy", port)
    assert policy.split()[-1] == "noeviction"
    stats = host_of_sessions.check_output("sh -c %s sh %s", ASK % "INFO stats", port)
    assert "evicted_keys:0" in stats.split()
