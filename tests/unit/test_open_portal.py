"""The playbook that opens the portal: what may fail comes after what must be known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

PLAYBOOK = Path(__file__).parents[2] / "playbooks" / "open_portal.yml"


def roles(play: dict[str, Any]) -> list[str]:
    used = (task.get("ansible.builtin.import_role", {}) for task in play["tasks"])
    return [role["name"] for role in used if role]


def test_hosts_know_that_the_portal_is_open_before_what_can_wait() -> None:
    plays = yaml.safe_load(PLAYBOOK.read_text(encoding="utf-8"))
    opens = next(place for place, play in enumerate(plays) if "portal_quiet" in roles(play))
    (known,) = [
        place
        for place, play in enumerate(plays)
        if any(task.get("environment_marker", {}).get("lifecycle") == "open" for task in play["tasks"])
    ]
    waits = next(place for place, play in enumerate(plays) if "monitoring" in roles(play))
    assert opens < known < waits
    assert roles(plays[opens]) == ["portal_quiet", "portal_settings", "portal", "portal_cache"]
