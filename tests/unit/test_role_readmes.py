"""Each role's README has a play that the role takes as it stands: names, values, and all that it requires."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from tests.playbook import ansible_playbook

ROOT = Path(__file__).parents[2]
ROLES = sorted(path.parent for path in ROOT.glob("roles/*/README.md"))
IMPORTS = ("import_role", "include_role", "ansible.builtin.import_role", "ansible.builtin.include_role")
CHORES = {"role", "tasks_from", "vars", "tags", "when", "name", "become"}


def plays(role: Path) -> list[dict[str, Any]]:
    """Plays of a README's examples; blocks that hold no play are parts of one."""
    texts = re.findall(r"```yaml\n(.*?)```", (role / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    blocks = [yaml.safe_load(text) for text in texts]
    return [play for block in blocks if isinstance(block, list) for play in block if "hosts" in play]


def uses(play: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Role, entry point and variables of each use of a role in a play."""
    around: dict[str, Any] = play.get("vars") or {}
    for listed in play.get("roles") or []:
        part: dict[str, Any] = {"role": listed} if isinstance(listed, str) else listed
        given = {name: value for name, value in part.items() if name not in CHORES}
        around = around | given
        yield part["role"], part.get("tasks_from", "main"), around | (part.get("vars") or {})
    for section in ("pre_tasks", "tasks", "post_tasks"):
        yield from _uses_of_tasks(play.get(section) or [], around)


def _uses_of_tasks(
    tasks: list[dict[str, Any]], around: dict[str, Any]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for task in tasks:
        here = around | (task.get("vars") or {})
        for part in ("block", "rescue", "always"):
            yield from _uses_of_tasks(task.get(part) or [], here)
        for module in IMPORTS:
            if module in task:
                yield task[module]["name"], task[module].get("tasks_from", "main"), here


def options_of(role: str, entry: str) -> dict[str, dict[str, Any]]:
    """Options of an entry point, and of the roles that it depends on."""
    folder = ROOT / "roles" / role
    specs = folder / "meta" / "argument_specs.yml"
    found = yaml.safe_load(specs.read_text(encoding="utf-8"))["argument_specs"]
    options: dict[str, dict[str, Any]] = dict((found.get(entry) or {}).get("options") or {})
    meta = yaml.safe_load((folder / "meta" / "main.yml").read_text(encoding="utf-8"))
    for needed in meta.get("dependencies") or []:
        options |= options_of(needed["role"], "main")
    return options


@pytest.mark.parametrize("role", ROLES, ids=lambda path: str(path.name))
def test_an_example_shows_the_role_alone(role: Path) -> None:
    found = [use for play in plays(role) for use in uses(play)]
    assert role.name in {name for name, _, _ in found}, "no play uses the role"
    for name, entry, given in found:
        options = options_of(name, entry)
        lacking = {option for option, spec in options.items() if spec.get("required") and option not in given}
        assert lacking == set(), f"{name} {entry}"
        mine = {option: value for option, value in given.items() if option.startswith(f"{name}_")}
        every = {
            option
            for entries in [yaml.safe_load((ROOT / "roles" / name / "meta/argument_specs.yml").read_text())]
            for spec in entries["argument_specs"].values()
            for option in spec.get("options") or {}
        }
        others = {option for option in mine if option not in every}
        assert {option for option in others if not _belongs_to_another(option, name)} == set(), name
        plain = {option: value for option, value in mine.items() if option in options and _literal(value)}
        specs = {option: {**options[option], "required": False} for option in plain}
        assert ArgumentSpecValidator(specs).validate(plain).error_messages == []


def _belongs_to_another(option: str, name: str) -> bool:
    """`portal_cache_release` begins like an option of role `portal` and is one of `portal_cache`."""
    longer = [role.name for role in ROLES if role.name.startswith(f"{name}_")]
    return any(option.startswith(f"{other}_") for other in longer)


def _literal(value: object) -> bool:
    return "{{" not in str(value)


@pytest.mark.parametrize("role", ROLES, ids=lambda path: str(path.name))
def test_a_readme_leads_to_all_variables(role: Path) -> None:
    text = (role / "README.md").read_text(encoding="utf-8")
    assert f"](../../docs/variables.md#{role.name})" in text


def test_ansible_reads_every_example(tmp_path: Path) -> None:
    everything = [play for role in ROLES for play in plays(role)]
    (tmp_path / "plays.yml").write_text(yaml.safe_dump(everything), encoding="utf-8")
    (tmp_path / "inventory.yml").write_text("all:\n  hosts:\n    one:\n", encoding="utf-8")
    ended = ansible_playbook(tmp_path, "--syntax-check", "-i", "inventory.yml", "plays.yml")
    assert ended.returncode == 0, ended.stderr
