"""The vendor's two ways to run agents, as the inventory joins them (portal_runtime A6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.templates.renderer import ROOT, Renderer

GIVEN: dict[str, Any] = {"portal_release": "final-1"}


@pytest.mark.parametrize(
    ("mode", "script", "page_views"),
    [
        ("stock", "bitrix/modules/main/tools/cron_events.php", "Y"),
        ("everything", "bitrix/php_interface/cron_events.php", "N"),
    ],
)
def test_timer_quiet_rule_and_monitor_follow_one_mode(
    example: Renderer, mode: str, script: str, page_views: str
) -> None:
    given = {**GIVEN, "portal_agents_mode": mode}
    unit = example.text("portal", "portal-agents.service.j2", **given)
    assert f"ConditionPathExists=/srv/portal/current/{script}\n" in unit
    assert f"ExecStart=/usr/bin/php -f /srv/portal/current/{script}\n" in unit
    options = example.value("portal", "__portal_agents_options[portal_agents_mode]", **given)
    assert {"module": "main", "name": "check_agents", "value": page_views} in options
    rules = {rule["id"]: rule for rule in example.value("portal_quiet", "__portal_quiet_rules", **given)}
    assert rules["agents"]["value"] == "N"
    assert rules["agents"]["opening"] == {"set": page_views}
    assert rules["mail-queue"]["opening"] == {"set": "Y"}
    assert example.value("monitoring", "monitoring_agents_mode", **given) == mode


def test_the_way_of_cron_alone_needs_the_other_switch_off_too(example: Renderer) -> None:
    options = example.value("portal", "__portal_agents_options.everything", **GIVEN)
    assert {f"{item['module']}/{item['name']}": item["value"] for item in options} == {
        "main/check_agents": "N",
        "main/agents_use_crontab": "N",
    }


def uses(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Variables of each task that lets agents run."""
    for task in tasks:
        yield from uses(task.get("block", []))
        for way in ("ansible.builtin.import_role", "ansible.builtin.include_role"):
            if task.get(way, {}).get("tasks_from") == "agents":
                yield task["vars"]


def test_switches_are_those_of_the_release_whose_agents_run() -> None:
    """Another release than the one that becomes active may be quiet, and must stay so."""
    found = {
        file.stem: given["portal_agents_release"]
        for file in sorted((ROOT / "playbooks").glob("*.yml"))
        for play in yaml.safe_load(file.read_text(encoding="utf-8"))
        for given in uses(play.get("tasks", []))
        if given["portal_agents_enabled"] is not False
    }
    assert found == {
        "activate_release": "{{ portal_release }}",
        "install_portal": "box",
        "open_portal": "{{ portal_release }}",
        "rollback_release": "{{ __release_target.release.name }}",
    }
