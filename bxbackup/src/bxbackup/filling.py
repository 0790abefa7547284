"""The commands that need a database server: load, settings, compare.

Apart from the others because of what it takes to import PyMySQL.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from bxbackup.baseline import write_baseline
from bxbackup.comparison import REPORT, UPLOAD, Comparison, compare_uploads
from bxbackup.depth import Depth
from bxbackup.display import Display
from bxbackup.errors import UsageError
from bxbackup.load import LoadOptions, check_target, load_dump
from bxbackup.report import console, print_json
from bxbackup.server import read_account
from bxbackup.settings import merge
from bxbackup.state import State, beside
from bxbackup.target import check_name


def load(
    folder: Path,
    database: str,
    defaults_file: Path | None,
    collation: str | None,
    time_zone: str,
    *,
    depth: Depth = Depth.HASHES,
) -> int:
    """Load the dump in a folder and write the baseline beside it."""
    state = State(beside(folder))
    with state.held():
        state.speaks_of(folder)
        state.load.mkdir(mode=0o700, exist_ok=True)
        check_target(database, defaults_file, state.load, collation, time_zone)
        with Display("load", 0) as display:
            options = LoadOptions(
                database, defaults_file, collation, time_zone, state.load, progress=display.loading
            )
            result = load_dump(folder, options)
        write_baseline(
            state.baseline,
            load=result.identity,
            dump_dir=folder,
            database=database,
            defaults_file=defaults_file,
            time_zone=result.time_zone,
        )
        remarks = result.remarks()
        if (folder / UPLOAD).is_dir():
            found = _compare(folder, state, database, defaults_file, depth, quiet=False)
            remarks += found.remarks(state.folder / REPORT)
    console().print(f"{result.tables} tables, {result.rows:,} rows in {database}", markup=False)
    for remark in remarks:
        console().print(remark, markup=False)
    return 0


def _compare(
    folder: Path, state: State, database: str, defaults_file: Path | None, depth: Depth, *, quiet: bool
) -> Comparison:
    with Display("compare", 0, quiet=quiet) as display:
        return compare_uploads(
            folder,
            state.folder,
            database=database,
            defaults_file=defaults_file,
            depth=depth,
            progress=display.comparing,
        )


def settings(folder: Path, database: str, defaults_file: Path | None) -> int:
    """Write the settings of a restored portal."""
    check_name(database)
    merged = merge(folder, database, read_account(defaults_file))
    out = console()
    for path in merged.written:
        out.print(f"written: {path}", markup=False)
    for remark in merged.remarks:
        out.print(remark, markup=False)
    return 0


def compare(
    folder: Path,
    database: str,
    defaults_file: Path | None,
    depth: Depth,
    state_folder: Path | None,
    *,
    json: bool,
) -> int:
    """Compare the uploads with the database. Returns, or ends with, 3 or 4 where they differ."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", advice="name the folder that holds upload/")
    state = State(beside(folder) if state_folder is None else state_folder)
    with state.held():
        state.speaks_of(folder)
        found = _compare(folder, state, database, defaults_file, depth, quiet=json)
    if not found.rows:
        raise UsageError(f"the database {database} knows of no uploads", cause="b_file is empty or not there")
    report = state.folder / REPORT
    wrong = found.verdict(report)
    if json:
        print_json({"sound": wrong is None, **asdict(found), "report": str(report)})
        return 0 if wrong is None else wrong.exit_code
    for remark in found.remarks(report):
        console().print(remark, markup=False)
    if wrong is not None:
        raise wrong
    return 0
