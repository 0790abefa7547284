"""JSON schemas of docs/contracts that come from models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

Models = Mapping[str, tuple[str, type[BaseModel]]]
"""Name of a contract to its title and its model."""


def text_of(models: Models, name: str) -> str:
    """Text of `<name>.schema.json`."""
    title, model = models[name]
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://boxlift.example/contracts/{name}",
    }
    content = model.model_json_schema(by_alias=True, mode="serialization")
    return json.dumps({**head, **content, "title": title}, ensure_ascii=False, indent=2) + "\n"


def write(models: Models, folder: Path) -> None:
    """Write all schemas of some models into a folder."""
    for name in models:
        (folder / f"{name}.schema.json").write_text(text_of(models, name), encoding="utf-8")
