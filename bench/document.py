"""Writes docs/bench.md from the results of a run."""

from __future__ import annotations

import tomllib
from pathlib import Path

from bench.figure import Outcome
from bench.result import Results
from bench.rows import Row
from bench.server import ROOT

DOCUMENT = ROOT / "docs" / "bench.md"
REASONS = Path(__file__).with_name("reasons.toml")

_HEAD = """\
# How fast, and against what

Written by `make bench BENCH=--write-docs` from its results; nothing in it is typed by hand but the
reasons for figures that are not reached, and a note on how the rows came about. All figures are
ratios of commands that ran in turn in one run of their row (A B A B …), so a machine that gets
slower half-way changes both sides. The value is the
median of the ratios pair by pair, with the smallest and largest in brackets, unless a row says
otherwise. What a command wrote is on the disk (`sync`) before its clock stops, on both sides.
"""

_DATA = """\
## The data

Made by `bench/backup.py` in the vendor's form: 320 MB before compression in 20 parts, 30 % of it a
dump of 806 tables (six large ones with 2 to 7 secondary indexes, one of these unique, and 800 small
ones), 70 % files, of which six in seven bytes cannot be compressed. Rows that look at one thing
alone have backups of their own, named with the row. All servers are on the same machine and share
its cores with what is measured: the HTTP server sends with `sendfile` from a process of its own;
the database server has these settings for both sides, and else its own defaults:
"""


def document(results: Results, rows: dict[str, Row]) -> str:
    """The whole text.

    :raises ValueError: a run on small data, or one that lacks a row, is no base for a document.
    """
    lacking = sorted(set(rows) - {outcome.row for outcome in results.outcomes})
    if results.quick or lacking:
        raise ValueError(
            "docs are written from a full run only"
            + (f"; not measured: {', '.join(lacking)}" if lacking else "")
        )
    parts = [
        _HEAD,
        f"Measured on {results.started:%Y-%m-%d} in {results.seconds / 60:.0f} minutes,"
        f" {results.repeats} repeats.{' ' + results.note if results.note else ''}\n",
        _table(results, rows),
        _missed(results.outcomes),
        _DATA + "\n```\n" + "\n".join(results.settings) + "\n```\n",
        "## The rows\n",
        *(_row(outcome, rows[outcome.row]) for outcome in results.outcomes),
        _machine(results),
        _again(),
    ]
    return "\n".join(part for part in parts if part)


def _table(results: Results, rows: dict[str, Row]) -> str:
    lines = ["| row | what | against | reach | measured | |", "|---|---|---|---|---|---|"]
    for cells in results.lines(rows):
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _missed(outcomes: list[Outcome]) -> str:
    """Why a figure is not reached, as people found out by profiling."""
    reasons = tomllib.loads(REASONS.read_text(encoding="utf-8"))
    missed = [outcome for outcome in outcomes if not outcome.reached]
    if not missed:
        return ""
    parts = ["## Not reached, and why\n"]
    for outcome in missed:
        reason = (
            "Not measured in this run." if outcome.trouble else reasons.get(outcome.row, "Not known yet.")
        )
        parts.append(f"**{outcome.row}.** {' '.join(reason.split())}\n")
    return "\n".join(parts)


def _row(outcome: Outcome, row: Row) -> str:
    numbers = ", ".join(f"{name} {value:,.2f}" for name, value in outcome.details.items())
    text = f"**{row.id}** ({outcome.seconds:.0f} s): {row.method}"
    return text + (f"\n  Medians: {numbers}.\n" if numbers else "\n")


def _machine(results: Results) -> str:
    lines = [f"| {name} | {value} |" for name, value in results.machine.items()]
    return "\n".join(["## The machine\n", "| | |", "|---|---|", *lines]) + "\n"


def _again() -> str:
    return """\
## Run it yourself

```
make bench                             all rows; installs aria2, pigz and MariaDB when they are missing
make bench BENCH="--quick"             small data: a look at whether everything works, no figures to rely on
make bench BENCH="unpack load"         these rows
make bench BENCH="--json out.json"     the results as JSON
make bench BENCH="--strict"            exit code 1 when a figure is not reached
```
"""
