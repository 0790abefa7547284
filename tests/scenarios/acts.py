"""What a story does to its hosts, act by act, as its files say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from tests.scenarios.story import REPOSITORY

_PLAYBOOKS = REPOSITORY / "playbooks"
_IMPORT_PLAYBOOK, _IMPORT_TASKS = "ansible.builtin.import_playbook", "ansible.builtin.import_tasks"
_IMPORT_ROLE, _INCLUDE_ROLE = "ansible.builtin.import_role", "ansible.builtin.include_role"
_BLOCKS = ("block", "rescue", "always")
_SECTIONS = ("pre_tasks", "tasks", "post_tasks", "handlers")


class Kind(Enum):
    """What is done with a playbook, or with the host."""

    RUN = "run"
    CHECKED = "checked"
    KILLED = "killed"
    RESTART = "restart"


_SHARED = {"checked.yml": Kind.CHECKED, "interrupt.yml": Kind.KILLED}


@dataclass(frozen=True)
class Act:
    """One thing that a story does; `killed_in` are the tasks in which a playbook is killed."""

    kind: Kind
    playbook: str = ""
    killed_in: tuple[str, ...] = ()


def acts(story: str) -> list[Act]:
    """What a story's sequence does, in its order."""
    folder = REPOSITORY / "molecule" / story
    told = yaml.safe_load((folder / "molecule.yml").read_text(encoding="utf-8"))
    converge = folder / told["ansible"].get("playbooks", {}).get("converge", "converge.yml")
    found: list[Act] = []
    for step in told.get("scenario", {}).get("test_sequence", ["converge"]):
        verb, *places = step.split()
        if verb == "converge":
            found += _of_file(converge)
        elif verb == "side_effect":
            for place in places:
                found += _of_file(folder / place)
    return found


def roles_of(playbook: str) -> set[str]:
    """Roles that a playbook names, those of the playbooks that it imports among them."""
    plays = _read(_PLAYBOOKS / f"{playbook}.yml")
    found: set[str] = set()
    for play in plays:
        if _IMPORT_PLAYBOOK in play:
            found |= roles_of(Path(play[_IMPORT_PLAYBOOK]).stem)
        found |= {role if isinstance(role, str) else role["role"] for role in play.get("roles", [])}
        for task in _tasks(play):
            for verb in (_IMPORT_ROLE, _INCLUDE_ROLE):
                if verb in task:
                    found.add(task[verb]["name"])
    return found


def _of_file(path: Path) -> Iterator[Act]:
    path = path.resolve()
    if path.parent == _PLAYBOOKS:
        yield Act(Kind.RUN, path.stem)
        return
    if path.name == "restart.yml":
        yield Act(Kind.RESTART)
        return
    for play in _read(path):
        if _IMPORT_PLAYBOOK in play:
            yield from _of_file(path.parent / play[_IMPORT_PLAYBOOK])
            continue
        for task in _tasks(play):
            kind = _SHARED.get(Path(task.get(_IMPORT_TASKS, "")).name)
            if kind is not None:
                given = {**play.get("vars", {}), **task.get("vars", {})}
                yield Act(kind, Path(given["playbook"]).stem, tuple(given.get("killed_in", ())))


def _read(path: Path) -> list[dict[str, Any]]:
    plays: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return plays


def _tasks(play: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for section in _SECTIONS:
        yield from _flat(play.get(section, []))


def _flat(tasks: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for task in tasks:
        yield task
        for block in _BLOCKS:
            yield from _flat(task.get(block, []))
