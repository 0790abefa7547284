"""Tasks that are repeated until what a module tells of has finished, or no longer runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).parents[2]


def awaited(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        for part in ("block", "rescue", "always"):
            yield from awaited(task.get(part, []))
        if any(field in str(task.get("until")) for field in (".finished", ".running")):
            yield task


TASKS = [
    pytest.param(task, id=f"{path.parts[-3]}: {task['name']}")
    for path in sorted(ROOT.glob("roles/*/tasks/*.yml"))
    for task in awaited(yaml.safe_load(path.read_text(encoding="utf-8")) or [])
]


def test_there_are_some() -> None:
    assert len(TASKS) >= 6


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("result", "ends"),
    # A module that failed says why, and nothing of an end.
    [
        ({"failed": True, "msg": "why"}, True),
        ({"finished": True, "running": False}, True),
        ({"finished": False, "running": True}, False),
    ],
)
def test_what_failed_is_not_asked_whether_it_has_finished(
    task: dict[str, Any], result: dict[str, Any], ends: bool
) -> None:
    templar = Templar(loader=DataLoader(), variables={task["register"]: result})
    assert templar.evaluate_conditional(trust_as_template(task["until"])) is ends
