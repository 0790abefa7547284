"""What each command does, from its options to its exit code."""

from __future__ import annotations

import signal
import stat
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from bxbackup.baseline import write_baseline
from bxbackup.cipher import read_password
from bxbackup.comparison import REPORT, UPLOAD, Comparison, Depth, compare_uploads
from bxbackup.display import Display
from bxbackup.durable import is_locked, read_json
from bxbackup.errors import AbsentError, UsageError
from bxbackup.inspection import inspect as look_at
from bxbackup.load import LoadOptions, check_target, load_dump
from bxbackup.ownership import Ownership
from bxbackup.pace import Cap, parse_rate, parse_window
from bxbackup.report import amount, console, print_json
from bxbackup.restore import Options, Restore
from bxbackup.reuse import earlier
from bxbackup.server import read_account
from bxbackup.settings import merge
from bxbackup.source import Part, local_parts, open_source, split_name
from bxbackup.state import State, beside, existing
from bxbackup.status import Status
from bxbackup.target import check_name
from bxbackup.unpacking import Unpacking, open_cipher, suspect_files
from bxbackup.uploads import MIRRORS, MISSING
from bxbackup.verification import verify as read_all
from bxbackup.volume import peek


def inspect(archive: Path, *, json: bool) -> int:
    """Print what the beginnings of the volumes say. Returns 4 if a part is missing."""
    found = look_at(archive, local_parts(archive))
    if json:
        print_json(found.as_json())
        return AbsentError.exit_code if found.missing else 0
    out = console()
    form = "gzip" if found.gzipped else "not compressed"
    locked = f"encrypted (version {found.encryption})" if found.encryption else "not encrypted"
    total = sum(part.bytes for part in found.parts)
    out.print(f"{found.archive}: {form}, {locked}", markup=False)
    size = f", {amount(found.uncompressed)} uncompressed" if found.uncompressed is not None else ""
    out.print(f"{len(found.parts)} parts, {amount(total)}{size}")
    if found.expected is None:
        out.print("how many parts there should be is not marked in this backup")
    for problem in found.problems:
        out.print(f"✗ {problem}", markup=False)
    return AbsentError.exit_code if found.missing else 0


def verify(archive: Path, password_file: Path | None, *, json: bool) -> int:
    """Read all, print the verdict, return the contract's code."""
    parts = local_parts(archive)
    password = None if password_file is None else read_password(password_file)
    total = sum(part.path.stat().st_size for part in parts if part.path is not None)
    with Display("verify", total, quiet=json) as display:
        verdict = read_all(archive, parts, password, progress=display.at)
    if json:
        print_json(verdict.as_json())
        return verdict.exit_code
    out = console()
    for problem in verdict.problems:
        out.print(f"✗ {problem}", markup=False)
    strength = ", ".join(sorted({part.evidence for part in verdict.parts if part.status == "ok"}))
    dump = verdict.dump
    out.print(
        f"{'sound' if verdict.sound else 'not sound'}: {len(verdict.parts)} parts, {verdict.files} files, "
        f"{verdict.folders} folders, {amount(verdict.unpacked)}; evidence: {strength or 'none'}"
    )
    if verdict.duplicates:
        out.print(f"{verdict.duplicates} entries occur more than once; the last one counts")
    if dump is None:
        out.print("no database dump in it")
    else:
        state = "complete" if dump.complete else "cut short"
        out.print(f"database dump {state}: {dump.tables} tables, {dump.statements} statements")
    return verdict.exit_code


def complete_set(parts: list[Part]) -> list[Part]:
    """All parts of a local backup, refused if one is known to be missing.

    :raises AbsentError: names the missing ones.
    """
    found = look_at(parts[0].path or Path(parts[0].name), parts)
    if found.missing:
        raise AbsentError(
            f"{len(found.missing)} of {len(found.parts)} parts are missing: {', '.join(found.missing[:5])}",
            part=found.missing[0],
            advice="fetch them into the same folder and start the same command again",
        )
    return parts


def unpack(
    archive: Path,
    to: Path,
    password_file: Path | None,
    ownership: Ownership | None = None,
    reuse_from: Path | None = None,
) -> int:
    """Unpack all volumes; go on where an earlier run stopped."""
    parts = complete_set(local_parts(archive))
    before = earlier(reuse_from, to)
    password = None if password_file is None else read_password(password_file)
    first = parts[0].path
    if first is None:
        raise AbsentError(f"{parts[0].name} is missing")
    decryption = open_cipher(peek(first, 512), parts[0].name, password)
    sizes = [part.path.stat().st_size if part.path is not None else 0 for part in parts]
    state = State(beside(to))
    with state.held():
        state.claim(to)
        identity = f"{split_name(parts[0].name)[0]} {len(parts)} {sum(sizes)}"
        work = Unpacking(
            state.folder, {"site": to}, identity, decryption, ownership=ownership, earlier=before
        )
        try:
            with Display("unpack", sum(sizes)) as display:
                for part, start in zip(
                    parts, [sum(sizes[:number]) for number in range(len(sizes))], strict=True
                ):
                    if part.number < work.next or part.path is None:
                        continue
                    work.progress = lambda read, name=part.name, start=start: display.at(name, start + read)
                    work.take(part.path, part.name)
            whole = work.finish()
            problems, remarks = work.problems, work.remarks()
        finally:
            work.close()
    if not whole:
        raise AbsentError("the archive ends in the middle of an entry", advice="its last parts are missing")
    counts = work.counts
    console().print(
        f"{counts.files} files and {counts.folders} folders, {amount(counts.bytes)}, in {to}", markup=False
    )
    for remark in remarks:
        console().print(remark, markup=False)
    if problems:
        raise suspect_files(problems)
    return 0


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
        check_target(database, defaults_file, state.load)
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
        if secret is not None and stat.S_IMODE(secret.stat().st_mode) & 0o077:
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
    if work.done_before and not json:
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


def status(state_folder: Path, *, json: bool) -> int:
    """Print `status.json`, as it is or for a person."""
    state = existing(state_folder)
    found = read_json(state.status)
    if found is None:
        raise UsageError(f"nothing was restored with {state_folder} yet")
    alive = is_locked(state_folder)
    if json:
        print_json(found | {"alive": alive})
        return 0
    out = console()
    parts, size = found["parts"], found["bytes"]
    told = found["state"]
    if told in ("running", "waiting") and not alive:
        told = "stopped; start the same command again and it goes on"
    out.print(f"{told}, last change {found['updated']}", markup=False)
    out.print(
        f"parts: {parts['fetched']} fetched, {parts['unpacked']} unpacked of {parts['total'] or '?'}; "
        f"{amount(size['fetched'])} of {amount(size['total'] or 0)}, {amount(found['rate'])}/s",
        markup=False,
    )
    tables = found["tables"]
    out.print(
        f"{found['files']} files, {tables['loaded']} of {tables['total'] or '?'} tables, "
        f"{found['rows']:,} rows"
    )
    if found.get("compared"):
        out.print(f"uploads: {found['compared']['done']:,} of {found['compared']['rows']:,} compared")
    if found["eta"]:
        out.print(f"expected end: {found['eta']}")
    for repair in found["repairs"][-5:]:
        out.print(f"repaired at {repair['at']}: {repair['part']} {repair['what']}", markup=False)
    if found["error"]:
        out.print(f"✗ {found['error']['what']}", markup=False)
    return 0
