"""Modules of the active portal are updated after a backup, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.playbook import ansible_playbook

ROOT = Path(__file__).parents[2]
INVENTORY = "[portal]\nportal-1\n[backup]\nbackup-1\n[all:vars]\nansible_connection=local\n"


def guard() -> dict[str, Any]:
    """What stands before the first thing that is done to the portal."""
    plays = yaml.safe_load((ROOT / "playbooks" / "update_modules.yml").read_text(encoding="utf-8"))
    tasks: list[dict[str, Any]] = plays[-1]["tasks"]
    return tasks[0]


@pytest.mark.parametrize(("limit", "code"), [("all", 0), ("portal", 2)])
def test_without_a_backup_in_this_run_nothing_is_updated(tmp_path: Path, limit: str, code: int) -> None:
    proof = {"ansible.builtin.debug": {"msg": "proved"}, "register": "__production_backup_proof"}
    plays = [
        {"hosts": "backup", "gather_facts": False, "tasks": [proof]},
        {"hosts": "portal", "gather_facts": False, "tasks": [guard()]},
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
    (tmp_path / "hosts").write_text(INVENTORY, encoding="utf-8")
    ended = ansible_playbook(tmp_path, "-i", "hosts", "play.yml", "--limit", limit)
    assert ended.returncode == code, ended.stdout
    assert ("refused: nothing has backed production up" in ended.stdout) == bool(code)
