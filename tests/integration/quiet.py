"""The rules that a copy is made quiet with, as role portal_quiet has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.boxlift_rules import Rule

ROLE = Path(__file__).parents[2] / "roles" / "portal_quiet"
DATA: dict[str, Any] = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))


def copy_rules() -> list[Rule]:
    """All rules of a copy, the name of its cookies filled in."""
    return [
        Rule.parse({**raw, "value": "BITRIX_COPY"} if raw["id"] == "copy-cookies" else raw)
        for raw in DATA["__portal_quiet_rules"] + DATA["__portal_quiet_rules_copy"]
    ]
