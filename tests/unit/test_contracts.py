"""The published schemas are those of the models."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxlift.compare.contract import MODELS as COMPARE
from boxlift.contract import Models, text_of
from boxlift.forecast.contract import MODELS as FORECAST
from boxlift.risks.contract import MODELS as RISKS

CONTRACTS = Path(__file__).parents[2] / "docs" / "contracts"
ROOMS = [
    (room, models, name)
    for room, models in (("compare", COMPARE), ("forecast", FORECAST), ("risks", RISKS))
    for name in models
]


@pytest.mark.parametrize(("room", "models", "name"), ROOMS)
def test_the_published_schema_is_the_models(room: str, models: Models, name: str) -> None:
    cure = f"write it anew: python -m boxlift.{room}.contract docs/contracts"
    assert (CONTRACTS / f"{name}.schema.json").read_text(encoding="utf-8") == text_of(models, name), cure
