"""Another copy, another backup and another run of provision repair what spoil.yml has done."""

import pytest

from boxlift.verify.inventory import Inventory
from tests.scenarios.drift import Drift, drifts


@pytest.mark.parametrize("drift", drifts("split_clone"), ids=str)
def test_drift_is_repaired(inventory: Inventory, drift: Drift) -> None:
    assert drift.seen(inventory.connect(drift.host)) == drift.healthy
