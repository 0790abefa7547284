"""What each command does, from its options to its exit code; those that fill a database in `filling`, that
fetch in `fetching`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bxbackup.cipher import read_password
from bxbackup.display import Display
from bxbackup.durable import is_locked, read_json
from bxbackup.errors import AbsentError, RefusedError, UsageError
from bxbackup.inspection import inspect as look_at
from bxbackup.ownership import Ownership
from bxbackup.report import amount, console, print_json
from bxbackup.reuse import earlier
from bxbackup.source import Part, local_parts, split_name
from bxbackup.state import State, beside, existing
from bxbackup.unpacking import Unpacking, open_cipher, suspect_files
from bxbackup.verification import verify as read_all
from bxbackup.volume import peek

if TYPE_CHECKING:
    from bxbackup.fetching import restore
    from bxbackup.filling import compare, load, settings

__all__ = ["compare", "inspect", "load", "restore", "settings", "status", "unpack", "verify"]


def __getattr__(name: str) -> Any:
    """Import the commands that take long to import when they are called."""
    if name in __all__:
        module = "fetching" if name == "restore" else "filling"
        return getattr(import_module(f"bxbackup.{module}"), name)
    raise AttributeError(name)


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


def _print_status(found: dict[str, Any], *, alive: bool) -> None:
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
    try:
        _print_status(found, alive=alive)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise RefusedError(f"{state.status} is not readable as our state") from error
    return 0
