"""The results of a run: kept as JSON, shown as a table, written down as a document."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from rich.table import Table

from bench.figure import Outcome
from bench.rows import Row

_FORMAT = 1


@dataclass(frozen=True)
class Results:
    """A run of the bench.

    :param machine: see `bench.machine.describe`.
    :param note: what a reader should know of the run.
    :param quick: on small data; good to find faults of the bench, no figures to rely on.
    """

    started: datetime
    seconds: float
    quick: bool
    repeats: int
    machine: dict[str, str]
    settings: tuple[str, ...]
    outcomes: list[Outcome] = field(default_factory=list)
    note: str = ""

    @property
    def reached(self) -> bool:
        """Whether every row that was asked for was measured and reached."""
        return all(outcome.reached for outcome in self.outcomes)

    def entered(self, outcome: Outcome, seconds: float) -> Results:
        """With an outcome, in place of an earlier one of the same row; `seconds` of all measuring so far."""
        others = [one for one in self.outcomes if one.row != outcome.row]
        at = next((at for at, one in enumerate(self.outcomes) if one.row == outcome.row), len(others))
        return replace(self, seconds=seconds, outcomes=[*others[:at], outcome, *others[at:]])

    def write(self, path: Path) -> None:
        """Keep them."""
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = {
            "format": _FORMAT,
            "started": self.started.isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 1),
            "quick": self.quick,
            "repeats": self.repeats,
            "note": self.note,
            "machine": self.machine,
            "settings": list(self.settings),
            "rows": [outcome.as_json() for outcome in self.outcomes],
        }
        path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read what `write` wrote.

        :raises ValueError: it is something else.
        """
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise ValueError(f"{path} holds no results of this bench")
        return cls(
            started=datetime.fromisoformat(found["started"]),
            seconds=found["seconds"],
            quick=found["quick"],
            repeats=found["repeats"],
            note=found.get("note", ""),
            machine=found["machine"],
            settings=tuple(found["settings"]),
            outcomes=[Outcome.from_json(row) for row in found["rows"]],
        )

    def table(self, rows: dict[str, Row]) -> Table:
        """What a person reads at the end."""
        table = Table(title=self.title(), title_justify="left", show_lines=True)
        for heading in ("row", "what", "against", "reach", "measured", ""):
            table.add_column(heading, overflow="fold")
        for cells in self.lines(rows):
            table.add_row(*(cell.replace("`", "") for cell in cells))
        return table

    def lines(self, rows: dict[str, Row]) -> list[tuple[str, str, str, str, str, str]]:
        """Cells of the table, a line a figure."""
        found = []
        for outcome in self.outcomes:
            row = rows[outcome.row]
            front = (row.id, row.what, row.against)
            if outcome.trouble is not None:
                found.append((*front, "", outcome.trouble, "not measured"))
            for number, figure in enumerate(outcome.figures):
                name = f"{figure.name}: " if len(outcome.figures) > 1 else ""
                verdict = "✓" if figure.reached else "✗"
                cells = (name + figure.reach, name + figure.measured, verdict)
                found.append((*(front if number == 0 else ("", "", "")), *cells))
        return found

    def title(self) -> str:
        """When, on what, how often."""
        size = " (quick: small data, no figures to rely on)" if self.quick else ""
        return (
            f"{self.started:%Y-%m-%d %H:%M}, {self.machine['CPU']}, {self.machine['cores']} cores,"
            f" medians of {self.repeats}{size}"
        )
