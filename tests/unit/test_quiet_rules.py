"""The rules that keep a portal quiet are whole, and a copy has all of production's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.boxlift_rules import Rule

DATA: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "roles" / "portal_quiet" / "vars" / "main.yml").read_text(encoding="utf-8")
)
COMMON: list[dict[str, Any]] = DATA["__portal_quiet_rules"]
COPY: list[dict[str, Any]] = DATA["__portal_quiet_rules_copy"]


@pytest.mark.parametrize("raw", COMMON + COPY, ids=lambda raw: str(raw["id"]))
def test_rule_is_whole(raw: dict[str, Any]) -> None:
    rule = Rule.parse(raw)
    assert all(isinstance(value, str) for value in rule.values.values())


def test_ids_are_unique() -> None:
    names = [raw["id"] for raw in COMMON + COPY]
    assert len(names) == len(set(names))


def test_a_copy_never_gives_anything_back() -> None:
    assert {raw["opening"] for raw in COPY} == {"keep"}


@pytest.mark.parametrize(
    "concern",
    [
        "agents",
        "mail-queue",
        "mailboxes",
        "campaigns",
        "sms-queue",
        "open-lines",
        "calendar-accounts",
        "webhooks",
        "applications",
        "sip-connectors",
        "payments",
        "mobile-push",
    ],
)
def test_every_concern_has_a_rule(concern: str) -> None:
    assert concern in {raw["id"] for raw in COMMON}
