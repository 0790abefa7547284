"""What tests made in a restored release: the list that a person agrees to, and the proof that it is gone.

Both lie in the project's evidence, written by playbooks/delete_test_data.yml.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from boxlift.figures import count
from boxlift.risks import evidence
from boxlift.risks.model import Line

LIST, PROOF = "test-data", "test-data-proof"
_TITLES = 5
"""Titles of a table that are shown."""
Number = Annotated[int, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Rows(_Frozen):
    """A table and how many of its rows."""

    table: str
    count: Number


class Made(_Frozen):
    """What tests made in one table. `kept`: rows that were made after the list was closed."""

    table: str
    kind: str
    ids: tuple[int, ...]
    titles: tuple[Line, ...]
    kept: Number


class MadeByTests(_Frozen):
    """`test-data.json`. `closed`: rows that are made later never get onto it. `collected`: ISO 8601, UTC.

    `other` are new rows of tables that nobody deletes, `missing` rows of the backup that somebody deleted.
    """

    schema_version: Literal[1] = Field(alias="schema")
    release: str
    collected: str
    closed: bool
    tables: tuple[Made, ...]
    other: tuple[Rows, ...]
    missing: tuple[Rows, ...]

    @property
    def rows(self) -> int:
        return sum(len(made.ids) for made in self.tables)

    @property
    def kept(self) -> int:
        return sum(made.kept for made in self.tables)

    def lines(self) -> Iterator[str]:
        """For people: counts and the first titles of each table."""
        yield f"made by tests since the restore: {count(self.rows, 'row')}" + (
            ", the list is closed" if self.closed else ""
        )
        for made in self.tables:
            if made.ids:
                titles = "; ".join(made.titles[:_TITLES])
                more = "; …" if titles and len(made.ids) > _TITLES else ""
                yield f"  {made.kind}: {len(made.ids)}" + (f"  ({titles}{more})" if titles else "")
        if self.kept:
            yield f"  kept, because newer than the list: {count(self.kept, 'row')}"
        for rows in self.other:
            yield f"  left alone: {count(rows.count, 'new row')} of {rows.table}"
        for rows in self.missing:
            yield f"  ! somebody deleted {count(rows.count, 'row')} of the backup in {rows.table}"


class Proved(_Frozen):
    """One table after the deletion: rows of tests left, rows now, rows at the end of the restore."""

    left: Number
    kept: Number
    rows: Number
    baseline: Number


class Proof(_Frozen):
    """`test-data-proof.json`. `deleted`: rows that the last run deleted; `collected`: ISO 8601, UTC."""

    schema_version: Literal[1] = Field(alias="schema")
    release: str
    collected: str
    deleted: Number
    tables: dict[str, Proved]
    other: tuple[Rows, ...]
    missing: tuple[Rows, ...]

    def line(self) -> str:
        """For people."""
        kept = sum(table.kept for table in self.tables.values())
        gone = f"proved: {count(self.deleted, 'row')} of tests deleted, none is left"
        lost = ", ".join(f"{count(rows.count, 'row')} in {rows.table}" for rows in self.missing)
        backup = f"but somebody deleted {lost} of the backup" if lost else "every row of the backup is there"
        return f"{gone}, {backup}" + (f"; {count(kept, 'newer row')} kept" if kept else "")


def made_by_tests(root: Path, release: str) -> MadeByTests | None:
    """The list of a release; None where nobody has made one."""
    return evidence.read(root, release, LIST, MadeByTests)


def proof(root: Path, release: str) -> Proof | None:
    """The proof of a release; None where nothing was deleted yet."""
    return evidence.read(root, release, PROOF, Proof)
