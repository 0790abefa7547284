"""`make bench`: bxbackup and boxlift against the tools that people use today, row by row."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import pymysql
from rich.console import Console

from bench import machine
from bench.database import SETTINGS
from bench.document import DOCUMENT, document
from bench.figure import Outcome
from bench.program import BenchError
from bench.result import Results
from bench.rows import Row, clone, line, memory, rooms, runner, whole
from bench.server import ROOT
from bench.workshop import FULL, QUICK, Workshop

ROWS: dict[str, Row] = {
    row.id: row for row in (*whole.ROWS, *rooms.ROWS, *line.ROWS, *memory.ROWS, *runner.ROWS, *clone.ROWS)
}
WORK = ROOT / ".bench"
"""Not the system's folder for temporary files, which may be in memory."""
_MISSED, _USAGE, _INTERRUPTED = 1, 2, 130


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"by default all: {', '.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="small data: to see that everything works")
    parser.add_argument("--repeats", type=int, default=5, help="counted runs of each pair (default: 5)")
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="rows that would begin later are left out"
    )
    parser.add_argument(
        "--work", type=Path, default=WORK, help="folder for the data, on the disk that counts"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results there")
    parser.add_argument(
        "--from",
        type=Path,
        metavar="FILE",
        dest="kept",
        help="kept results; rows that are named are measured anew",
    )
    parser.add_argument("--write-docs", action="store_true", help="write docs/bench.md from a full run")
    parser.add_argument("--note", default="", help="what a reader of the results should know of the run")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a figure is not reached")
    arguments = parser.parse_args(words)
    unknown = [name for name in arguments.rows if name not in ROWS]
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    if arguments.repeats < 1:
        parser.error("--repeats is at least 1")
    return arguments


def main(words: Sequence[str] | None = None) -> int:
    """Measure, show, keep; returns the exit code."""
    arguments = _arguments(words)
    console = Console()
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        results = Results.read(arguments.kept) if arguments.kept else None
        if results is None or arguments.rows:
            results = _measured(arguments, results, console)
    except KeyboardInterrupt:
        console.print("interrupted; nothing is left of the run")
        return _INTERRUPTED
    except (BenchError, ValueError, OSError) as error:
        console.print(f"✗ {error}", markup=False)
        return _USAGE
    if arguments.note:
        results = replace(results, note=arguments.note)
        if arguments.json:
            results.write(arguments.json)
    console.print(results.table(ROWS))
    if arguments.write_docs:
        try:
            DOCUMENT.write_text(document(results, ROWS), encoding="utf-8")
        except ValueError as error:
            console.print(f"✗ {error}", markup=False)
            return _USAGE
    return _MISSED if arguments.strict and not results.reached else 0


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(number, frame)


def _measured(arguments: argparse.Namespace, kept: Results | None, console: Console) -> Results:
    """Measure the rows that were asked for; kept results of other rows stay."""
    chosen = [ROWS[name] for name in dict.fromkeys(arguments.rows)] or list(ROWS.values())
    started, began = datetime.now(UTC), time.monotonic()
    arguments.work.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix="boxlift-bench-", dir=arguments.work, ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        here = machine.describe(folder)
        results = Results(started, 0.0, arguments.quick, arguments.repeats, here, SETTINGS)
        if kept is not None:
            results = replace(kept, machine=here, settings=SETTINGS)
        before = results.seconds
        scale = QUICK if arguments.quick else FULL
        with (
            console.status("") as status,
            Workshop(folder, scale, arguments.repeats, status.update) as shop,
        ):
            for row in chosen:
                outcome = _outcome(row, shop, began + 60 * arguments.minutes)
                for cells in replace(results, outcomes=[outcome]).lines(ROWS):
                    console.print("  ".join(filter(None, (row.id, *cells[3:]))), markup=False, soft_wrap=True)
                results = results.entered(outcome, before + time.monotonic() - began)
                if arguments.json:
                    results.write(arguments.json)
    return results


def _outcome(row: Row, shop: Workshop, deadline: float) -> Outcome:
    began = time.monotonic()
    if began > deadline:
        return Outcome(row.id, trouble="the time of the run was over")
    try:
        outcome = row.measure(shop)
    except (BenchError, OSError, pymysql.MySQLError) as error:
        return Outcome(row.id, seconds=time.monotonic() - began, trouble=str(error))
    return replace(outcome, seconds=time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
