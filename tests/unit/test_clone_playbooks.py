"""The playbooks of copies: an interrupted one goes on from each stage, and none is served without a fence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def tasks(path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return found


def test_a_copy_that_an_earlier_run_filled_has_its_server_and_the_right_key() -> None:
    pulled = [task["name"] for task in tasks("roles/portal_clone/tasks/pull.yml")]
    every = tasks("roles/portal_clone/tasks/main.yml")
    pull = next(place for place, task in enumerate(every) if task["name"] == "Pull the copy")
    after = {task["name"]: task for task in every[pull:]}
    for name in ("The copy's own server runs", "Key of encrypted columns"):
        assert "filled_at" not in str(after[name]["when"])
        assert not any(name in one for one in pulled)
    # It stays where it was filled, whatever way would be chosen today.
    names = [task["name"] for task in tasks("roles/portal_clone/tasks/main.yml")]
    assert names.index("The way that a filled copy came") < names.index("Pull the copy")
    # Another key than production's makes its encrypted columns unreadable, without a word.
    (settings,) = (
        line
        for line in (ROOT / "playbooks/clone_to_preproduction.yml").read_text(encoding="utf-8").splitlines()
        if "portal_settings_crypto_key" in line
    )
    assert "default" not in settings


def test_nothing_is_switched_on_staging_without_a_fence() -> None:
    for playbook, where in (
        ("clone_to_preproduction.yml", "include_role"),
        ("rollback_release.yml", "import_role"),
    ):
        told = str(tasks(f"playbooks/{playbook}"))
        fence = told.index("'fenced'")
        switch = told.index(f"'name': 'Switch', 'ansible.builtin.{where}': {{'name': 'release'")
        assert fence < switch


def test_a_copy_is_asked_itself_after_it_was_made_quiet_and_before_it_is_served() -> None:
    told = str(tasks("playbooks/clone_to_preproduction.yml"))
    places = [
        told.index(f"'name': '{role}'{entry}")
        for role, entry in (
            ("portal_quiet", ""),
            ("firewall", ", 'tasks_from': 'fenced'"),
            ("portal_clone", ", 'tasks_from': 'serve'"),
            ("portal_clone", ", 'tasks_from': 'verified'"),
            ("release", ""),
        )
    ]
    assert places == sorted(places)


def test_the_key_goes_from_this_host_even_when_the_source_has_gone_away() -> None:
    away = ["delegate_to" in task for task in tasks("roles/portal_reader/tasks/withdraw.yml")]
    assert away == sorted(away)


@pytest.mark.parametrize("playbook", ["clone_to_preproduction.yml", "backup_production.yml"])
def test_the_one_key_of_a_host_is_kept_from_before_it_is_made_until_it_is_gone(playbook: str) -> None:
    told = str(tasks(f"playbooks/{playbook}"))
    places = [
        told.index(f"{{'name': 'portal_reader', 'tasks_from': '{entry}'}}")
        for entry in ("lock", "admit", "withdraw", "unlock")
    ]
    assert places == sorted(places)
    (play,) = (one for one in tasks(f"playbooks/{playbook}") if "'unlock'" in str(one))
    (kept,) = (task for task in play["tasks"] if "'admit'" in str(task))
    assert "'unlock'" in str(kept["always"])
