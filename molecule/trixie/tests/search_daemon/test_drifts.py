"""A second run of the role brings back what search_daemon.yml has done, and a start of the host keeps it."""

import pytest
from testinfra.host import Host

from tests.scenarios.drift import Drift, drifts


@pytest.mark.parametrize("drift", drifts("trixie", "search_daemon"), ids=str)
def test_drift_is_repaired(portal: Host, drift: Drift) -> None:
    assert drift.seen(portal) == drift.healthy
