"""The acceptance suites run from an installed wheel, where the rest of tests/ is not."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.unit.acceptance import SUITES


def imported(path: Path) -> set[str]:
    """Top packages that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def test_suites_need_nothing_that_a_wheel_lacks() -> None:
    wrong = {
        str(path.relative_to(SUITES)): sorted(imported(path) & {"bench", "lab", "tests"})
        for path in SUITES.rglob("*.py")
    }
    assert {name: found for name, found in wrong.items() if found} == {}
