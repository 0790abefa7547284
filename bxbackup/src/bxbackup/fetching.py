"""The command that needs a source far away as well: restore.

Apart from the others because of what it takes to import asyncio and aiohttp.
"""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path
from types import FrameType

from bxbackup.cipher import read_password
from bxbackup.depth import Depth
from bxbackup.display import Display
from bxbackup.durable import read_json
from bxbackup.ownership import Ownership
from bxbackup.pace import Cap, parse_rate, parse_window
from bxbackup.report import console, print_json
from bxbackup.restore import Options, Restore
from bxbackup.reuse import earlier
from bxbackup.source import open_source
from bxbackup.state import State
from bxbackup.status import Status
from bxbackup.uploads import MIRRORS, MISSING


class _Stopped(BaseException):
    """The service manager asks the process to end."""


def _on_terminate(number: int, frame: FrameType | None) -> None:
    raise _Stopped(number, frame)


def restore(
    source: str,
    *,
    to: Path,
    database: str,
    defaults_file: Path | None,
    password_file: Path | None,
    connections: int | None,
    limit: str | None,
    between: str | None,
    collation: str | None,
    time_zone: str,
    state_folder: Path,
    patience: float,
    uploads_from: list[str],
    allow_missing_uploads: bool,
    allow_suspect_files: bool,
    ownership: Ownership,
    depth: Depth,
    reuse_from: Path | None,
    json: bool,
) -> int:
    """The whole way; prints the final status."""
    state = State(state_folder)
    options = Options(
        source=open_source(source),
        to=to,
        database=database,
        state=state,
        password=None if password_file is None else read_password(password_file),
        defaults_file=defaults_file,
        collation=collation,
        time_zone=time_zone,
        connections=connections,
        cap=Cap(None if limit is None else parse_rate(limit)),
        window=None if between is None else parse_window(between),
        patience=patience,
        mirrors=tuple(uploads_from) or MIRRORS,
        allow_missing_uploads=allow_missing_uploads,
        allow_suspect_files=allow_suspect_files,
        ownership=ownership,
        depth=depth,
        earlier=earlier(reuse_from, to),
    )
    for secret in (password_file, Path(source[1:]) if source.startswith("@") else None):
        if secret is not None and _open_to_others(secret.stat()):
            console(error=True).print(
                f"note: {secret} can be read by others; give it mode 0600", markup=False
            )
    previous = signal.signal(signal.SIGTERM, _on_terminate)
    try:
        with state.held(), Display("restore", 0, quiet=json) as display:
            work = Restore(options, display.restoring)
            try:
                work.run()
            except (KeyboardInterrupt, _Stopped) as stop:
                code = 128 + (signal.SIGINT if isinstance(stop, KeyboardInterrupt) else signal.SIGTERM)
                work.stopped(code)
                return code
            finally:
                if json and state.status.exists():
                    print_json(read_json(state.status) or {})
    finally:
        signal.signal(signal.SIGTERM, previous)
    found = work.status
    if work.came_late is not None and not json:
        console().print(f"{work.came_late} of the missing uploads came; nothing else was to do", markup=False)
        _print_allowed(found, state)
    elif work.done_before and not json:
        console().print(f"already restored in {to} and {database}; nothing was to do", markup=False)
    elif not json:
        console().print(
            f"restored: {found.files} files in {to}, {found.tables_loaded} tables and {found.rows:,} rows "
            f"in {database}; {len(found.repairs)} repairs on the way",
            markup=False,
        )
        for remark in found.extra.get("remarks", []):
            console().print(remark, markup=False)
        _print_allowed(found, state)
    return 0


def _print_allowed(found: Status, state: State) -> None:
    """What is not as it should be, though the user has allowed it."""
    out = console()
    for suspect in found.extra.get("suspect", []):
        out.print(f"suspect: {suspect['path'] or suspect['offset']}: {suspect['text']}", markup=False)
    missing = found.extra.get("uploads", {}).get("missing", 0)
    if missing:
        out.print(f"{missing} uploads are missing: {state.folder / MISSING}", markup=False)


def _open_to_others(secret: os.stat_result) -> bool:
    """Whether others can read it. What root gives to a group of ours was handed over on purpose."""
    handed_over = secret.st_uid == 0 and os.geteuid() != 0 and secret.st_gid in os.getgroups()
    others = stat.S_IRWXO if handed_over else stat.S_IRWXG | stat.S_IRWXO
    return bool(stat.S_IMODE(secret.st_mode) & others)
