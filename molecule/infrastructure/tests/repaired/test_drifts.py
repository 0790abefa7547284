"""A second run repairs what spoil.yml has done to each role's work."""

from pathlib import Path

import pytest
import yaml
from testinfra.host import Host

ROLES = Path(__file__).parents[4] / "roles"
DRIFTS = yaml.safe_load((Path(__file__).parents[2] / "vars" / "drifts.yml").read_text(encoding="utf-8"))[
    "drifts"
]


@pytest.mark.parametrize("drift", DRIFTS, ids=[drift["name"] for drift in DRIFTS])
def test_drift_is_repaired(portal: Host, drift: dict[str, str]) -> None:
    assert portal.run(drift["probe"]).stdout.strip() == drift["healthy"]


def test_the_web_server_says_it(portal: Host) -> None:
    """Files that are in order again count only when the service has read them."""
    assert portal.check_output("nginx -T 2>/dev/null | grep -c 'server_name portal.acme.example'") != "0"
    assert (
        portal.check_output("systemctl show --property NeedDaemonReload --value push-server@sub-8010") == "no"
    )
