"""The JSON schemas of docs/contracts that come from models: `python -m boxlift.risks.contract FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import BaseModel

from boxlift.risks.lead import LeadView
from boxlift.risks.view import RiskView

MODELS: dict[str, tuple[str, type[BaseModel]]] = {
    "risks": ("boxlift risks --json", RiskView),
    "leads": ("boxlift risks --leads --json", LeadView),
}


def schema(name: str) -> str:
    """Text of `<name>.schema.json`."""
    title, model = MODELS[name]
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://boxlift.example/contracts/{name}",
    }
    content = model.model_json_schema(by_alias=True, mode="serialization")
    return json.dumps({**head, **content, "title": title}, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    for model_name in MODELS:
        path = Path(sys.argv[1]) / f"{model_name}.schema.json"
        path.write_text(schema(model_name), encoding="utf-8")
