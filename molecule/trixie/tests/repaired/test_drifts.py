"""A second run of activation and repair brings back what spoil.yml has done to each role's work."""

import pytest
from testinfra.host import Host

from tests.scenarios.drift import Drift, drifts


@pytest.mark.parametrize("drift", drifts("trixie"), ids=str)
def test_drift_is_repaired(portal: Host, drift: Drift) -> None:
    assert drift.seen(portal) == drift.healthy
