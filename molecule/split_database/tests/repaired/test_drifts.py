"""A second run repairs what spoil.yml has done to the way between the hosts."""

import pytest

from boxlift.verify.inventory import Inventory
from tests.scenarios.drift import Drift, drifts


@pytest.mark.parametrize("drift", drifts("split_database"), ids=str)
def test_drift_is_repaired(inventory: Inventory, drift: Drift) -> None:
    assert drift.seen(inventory.connect(drift.host)) == drift.healthy
