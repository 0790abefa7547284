"""A second run repairs what spoil.yml has done to each role's work."""

import pytest
from testinfra.host import Host

from tests.scenarios.drift import Drift, drifts


@pytest.mark.parametrize("drift", drifts("infrastructure"), ids=str)
def test_drift_is_repaired(portal: Host, drift: Drift) -> None:
    assert drift.seen(portal) == drift.healthy


def test_the_web_server_says_it(portal: Host) -> None:
    """Files that are in order again count only when the service has read them."""
    assert portal.check_output("nginx -T 2>/dev/null | grep -c 'server_name portal.acme.example'") != "0"
    assert (
        portal.check_output("systemctl show --property NeedDaemonReload --value push-server@sub-8010") == "no"
    )
