"""The list of what tests made, as people read it, and the files that the playbook writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from boxlift.errors import UsageError
from boxlift.testdata import made_by_tests, proof

RELEASE = "final-1"
HEAD = {"schema": 1, "release": RELEASE, "collected": "2026-11-22T10:00:00Z"}
LEADS = {
    "table": "b_crm_lead",
    "kind": "lead",
    "ids": list(range(7)),
    "titles": ["0: a", "1: b"] * 3,
    "kept": 2,
}


def lay(root: Path, name: str, **content: Any) -> None:
    path = root / "evidence" / RELEASE / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(HEAD | content))


def test_the_list_in_lines(tmp_path: Path) -> None:
    assert made_by_tests(tmp_path, RELEASE) is None
    lay(
        tmp_path,
        "test-data",
        closed=True,
        tables=[LEADS, LEADS | {"ids": [], "titles": [], "kept": 1}],
        other=[{"table": "b_crm_webform", "count": 1}],
        missing=[{"table": "b_tasks", "count": 2}],
    )
    found = made_by_tests(tmp_path, RELEASE)
    assert found is not None
    assert (found.rows, found.kept) == (7, 3)
    assert list(found.lines()) == [
        "made by tests since the restore: 7 rows, the list is closed",
        "  lead: 7  (0: a; 1: b; 0: a; 1: b; 0: a; …)",
        "  kept, because newer than the list: 3 rows",
        "  left alone: 1 new row of b_crm_webform",
        "  ! somebody deleted 2 rows of the backup in b_tasks",
    ]


def test_an_empty_list(tmp_path: Path) -> None:
    lay(tmp_path, "test-data", closed=False, tables=[], other=[], missing=[])
    found = made_by_tests(tmp_path, RELEASE)
    assert found is not None
    assert list(found.lines()) == ["made by tests since the restore: 0 rows"]


def test_the_proof(tmp_path: Path) -> None:
    assert proof(tmp_path, RELEASE) is None
    table = {"left": 0, "kept": 1, "rows": 11, "baseline": 10}
    lay(tmp_path, "test-data-proof", deleted=7, tables={"b_crm_lead": table}, other=[], missing=[])
    found = proof(tmp_path, RELEASE)
    assert found is not None
    assert found.tables["b_crm_lead"].rows == 11
    assert found.line() == (
        "proved: 7 rows of tests deleted, none is left, every row of the backup is there; 1 newer row kept"
    )


def test_the_proof_does_not_hide_what_somebody_deleted_of_the_backup(tmp_path: Path) -> None:
    gone = [{"table": "b_tasks", "count": 2}]
    lay(tmp_path, "test-data-proof", deleted=0, tables={}, other=[], missing=gone)
    found = proof(tmp_path, RELEASE)
    assert found is not None
    assert found.line() == (
        "proved: 0 rows of tests deleted, none is left, but somebody deleted 2 rows in b_tasks of the backup"
    )


def test_a_broken_list_is_named(tmp_path: Path) -> None:
    lay(tmp_path, "test-data", closed="maybe not")
    with pytest.raises(UsageError, match=r"test-data\.json"):
        made_by_tests(tmp_path, RELEASE)
