"""The published schemas are those of the models."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxlift.risks.contract import MODELS, schema

CONTRACTS = Path(__file__).parents[3] / "docs" / "contracts"


@pytest.mark.parametrize("name", MODELS)
def test_the_published_schema_is_the_models(name: str) -> None:
    path = CONTRACTS / f"{name}.schema.json"
    cure = "write it anew: python -m boxlift.risks.contract docs/contracts"
    assert path.read_text(encoding="utf-8") == schema(name), cure
