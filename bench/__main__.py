"""`make bench`: bxbackup against the tools that people use today, on a generated backup."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.pair import Pair, measure


def main() -> None:
    """Generate a backup, measure, print one row a comparison."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--size", default="200M", help="content of the backup before compression")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each command")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="boxlift-bench-") as name:
        folder = Path(name)
        subprocess.run(
            [
                sys.executable,
                "-m",
                "lab.generator",
                "--quiet",
                "--size",
                arguments.size,
                "--out",
                str(folder),
            ],
            check=True,
        )
        names = [part["name"] for part in json.loads((folder / "manifest.json").read_text())["parts"]]
        first = folder / names[0]
        bxbackup = str(Path(sys.executable).with_name("bxbackup"))
        parts = shlex.join(str(folder / name) for name in names)
        rows = {
            "verify a backup, against gzip -t": measure(
                [bxbackup, "verify", str(first)], ["sh", "-c", f"cat {parts} | gzip -t"], arguments.runs
            ),
            "verify and unpack, against gunzip | tar": measure(
                [
                    "sh",
                    "-c",
                    f"rm -rf {folder}/a {folder}/.a.bxbackup; {bxbackup} unpack {first} --to {folder}/a",
                ],
                [
                    "sh",
                    "-c",
                    f"rm -rf {folder}/b; mkdir {folder}/b; cat {parts} | gunzip | tar x -C {folder}/b",
                ],
                arguments.runs,
            ),
        }
    console.print(_table(rows, arguments.size, arguments.runs))


def _table(rows: dict[str, Pair], size: str, runs: int) -> Table:
    cores = os.cpu_count()
    table = Table(
        title=(
            f"{size} of content, {runs} runs in turn, {platform.machine()}, {cores} cores,"
            f" Python {platform.python_version()}"
        ),
        title_justify="left",
    )
    for heading in ("what", "ours, median s", "theirs, median s", "times faster"):
        table.add_column(heading)
    for what, pair in rows.items():
        table.add_row(
            what,
            f"{statistics.median(pair.ours):.2f}",
            f"{statistics.median(pair.theirs):.2f}",
            f"{pair.ratio:.2f}",
        )
    return table


if __name__ == "__main__":
    main()
