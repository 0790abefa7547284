"""Where role portal_domain puts the portal's own name (portal_runtime D2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.templates.renderer import Renderer

GIVEN: dict[str, Any] = {"portal_release": "final-1"}
URL = "https://portal.example.com"
EVERYWHERE = {
    "main/server_name": "portal.example.com",
    "main/mail_link_protocol": "https",
    "main/last_site_url": URL,
    "main/email_from": "no-reply@portal.example.com",
    "call/public_url": URL,
    "sign/public_url": URL,
    "sign/current_domain": "portal.example.com",
    "imbot/portal_url": URL,
    "imopenlines/portal_url": URL,
    "intranet/portal_url": URL,
    "landing/portal_url": URL,
}
CALLBACKS = {"voximplant/portal_url": URL, "transformer/portal_url": URL}


def options(renderer: Renderer, **given: Any) -> dict[str, str]:
    found = renderer.value("portal_domain", "__portal_domain_options", **GIVEN, **given)
    return {f"{item['module']}/{item['name']}": item["value"] for item in found}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, EVERYWHERE | CALLBACKS),
        ({"portal_domain_callbacks": False}, EVERYWHERE),
        ({"portal_domain_site_name": "Acme"}, EVERYWHERE | CALLBACKS | {"main/site_name": "Acme"}),
    ],
)
def test_every_option_of_the_facts_and_no_other(
    example: Renderer, given: dict[str, Any], expected: dict[str, str]
) -> None:
    assert options(example, **given) == expected


def test_the_sites_have_the_portal_s_name_where_there_is_one(example: Renderer) -> None:
    def names(**given: Any) -> list[Any]:
        rules = example.value("portal_domain", "__portal_domain_rules", **GIVEN, **given)
        return [rule["set"]["SITE_NAME"] for rule in rules if "SITE_NAME" in rule.get("set", {})]

    assert names() == []
    assert names(portal_domain_site_name="Acme") == ["Acme"]
