"""Another restore and another opening bring back what second.yml and reopen.yml have done."""

import pytest
from testinfra.host import Host

from tests.scenarios.drift import Drift, drifts


@pytest.mark.parametrize("drift", [*drifts("trixie", "second"), *drifts("trixie", "opened")], ids=str)
def test_drift_is_repaired(portal: Host, drift: Drift) -> None:
    assert drift.seen(portal) == drift.healthy
