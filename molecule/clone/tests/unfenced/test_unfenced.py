"""A staging that came up without its fence serves nothing and sends nothing."""

import pytest
from testinfra.host import Host


@pytest.fixture(autouse=True)
def booted(staging_host: Host) -> None:
    staging_host.run("systemctl is-system-running --wait")
    assert staging_host.run("systemctl is-failed nftables.service").rc == 0
    assert staging_host.run("nft list table inet boxlift").rc != 0


@pytest.mark.parametrize(
    "pattern", ["nginx.service", "php*-fpm.service", "push-server@*.service", "portal-agents.service"]
)
def test_nothing_came_up(staging_host: Host, pattern: str) -> None:
    shown = staging_host.check_output("systemctl list-units --plain --no-legend --state=active %s", pattern)
    assert shown == ""
    if "*" not in pattern:
        assert staging_host.run("systemctl start %s", pattern).rc != 0


def test_nobody_answers(staging_host: Host) -> None:
    for address in ("http://localhost/", "https://localhost/"):
        assert staging_host.run("curl --insecure --silent --max-time 5 %s", address).rc == 7
