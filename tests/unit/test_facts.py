"""docs/facts.md names files that exist, with words that stand in them, and goes through every section."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "facts.md"
SECTIONS = (
    [f"0.{number}" for number in range(1, 11)]
    + [f"A{number}" for number in range(1, 10)]
    + ["B", "B2.1-2", "B2.3", "B2.4", "B2.5", "B2.6", "B2.7"]
    + [
        f"{letter}{number}"
        for letter, last in (("C", 5), ("D", 4), ("E", 6), ("F", 5))
        for number in range(1, last + 1)
    ]
    + ["G", "H", "I", "J1", "J2", "J3", "J4", "K"]
)
"""Sections of portal_runtime that hold facts which concern a role."""
COLUMNS = 4


def rows() -> list[list[str]]:
    """The table's lines, as cells without their bars."""
    lines = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] != "fact"]


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row[0]))
def test_a_fact_is_realised_where_the_table_says(row: list[str]) -> None:
    assert len(row) == COLUMNS, row
    _, short, where, remark = row
    assert short
    if where == "-":
        assert remark, "a fact that is not realised says why"
        return
    named = re.findall(r"`([^`]+)`(?: \(([^()]*)\))?", where)
    assert named
    assert re.sub(r"`[^`]+`(?: \([^()]*\))?|, ", "", where) == ""
    for path, words in named:
        file = ROOT / path
        assert file.is_file(), path
        text = file.read_text(encoding="utf-8")
        assert [word for word in words.split(", ") if word and word not in text] == [], path


def test_every_section_is_gone_through() -> None:
    told = {row[0].split()[0] for row in rows()}
    assert set(SECTIONS) - told == set()
    assert told - set(SECTIONS) == set()
