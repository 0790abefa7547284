"""Files of the release that the source serves, with rsync: what is here already does not travel."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from . import crew, source
from .fault import disk_full
from .stream import Ended

_VANISHED = 24
"""rsync's code for files that were removed while it ran: a portal at work removes files."""
_OF_LINE = (10, 12, 30, 35, 255)
"""rsync's codes for a connection that failed, broke or fell silent."""
_PARTIAL = ".boxlift-partial"
_PROGRESS = re.compile(rb"^\s*([\d,]+)\s+\d+%")
_STATISTICS = {
    "files": re.compile(r"^Number of regular files transferred: ([\d,]+)", re.MULTILINE),
    "bytes": re.compile(r"^Total transferred file size: ([\d,]+)", re.MULTILINE),
    "size": re.compile(r"^Total file size: ([\d,]+)", re.MULTILINE),
    "travelled": re.compile(r"^Total bytes received: ([\d,]+)", re.MULTILINE),
}
_ITEM = "item "
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True)
class Moved:
    """What rsync says of a run.

    :param files: regular files that travelled, whole or in part.
    :param bytes: their size.
    :param size: size of all files.
    :param travelled: bytes that came over the line.
    """

    files: int = 0
    bytes: int = 0
    size: int = 0
    travelled: int = 0

    def __add__(self, other: Moved) -> Moved:
        return Moved(
            self.files + other.files,
            self.bytes + other.bytes,
            self.size + other.size,
            self.travelled + other.travelled,
        )


def pull(
    way: source.Way,
    release: str,
    root: Path,
    options: Sequence[str],
    *,
    rate_kb: int = 0,
    tell: Callable[[int], None] | None = None,
    listed: Callable[[str], None] | None = None,
) -> Moved:
    """Bring files of a release into a folder.

    :param options: what is pulled and how, besides folders, links, modes and times.
    :param tell: called with the bytes that have come.
    :param listed: called with each file that travels as rsync itemizes it: eleven letters, blank, name.
    :raises PullError: the line broke, the disk is full, or the source refuses.
    """
    words = [
        "rsync",
        f"--rsh={way.ssh}",
        *("--recursive", "--links", "--perms", "--times"),
        f"--partial-dir={_PARTIAL}",
        f"--bwlimit={rate_kb}",
        "--stats",
        "--no-human-readable",
        "--info=progress2",
        *([f"--out-format={_ITEM}%i %n"] if listed is not None else []),
        *options,
        f"{way.address}:{release}/",
        f"{root}/",
    ]
    with tempfile.TemporaryFile() as errors:
        with crew.started(
            words,
            goes_on=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_ENVIRONMENT,
        ) as process:
            if process.stdout is None:
                raise RuntimeError("rsync has no output")
            said = _follow(process.stdout, tell, listed)
            code = process.wait()
        errors.seek(0)
        complaint = errors.read().decode(errors="replace")
    if code not in (0, _VANISHED):
        _blame(tuple(words), code, complaint, str(root))
    figures = {name: pattern.search(said) for name, pattern in _STATISTICS.items()}
    return Moved(**{name: int(found[1].replace(",", "")) if found else 0 for name, found in figures.items()})


def _follow(
    output: IO[bytes], tell: Callable[[int], None] | None, listed: Callable[[str], None] | None
) -> str:
    """Read to the end; progress goes to `tell`, names to `listed`, what remains is the statistics."""
    kept: list[bytes] = []
    line = b""
    while block := os.read(output.fileno(), 1 << 16):
        *lines, line = re.split(rb"[\r\n]", line + block)
        for one in lines:
            progress = _PROGRESS.match(one)
            if progress is not None:
                if tell is not None:
                    tell(int(progress[1].replace(b",", b"")))
            elif listed is not None and one.startswith(_ITEM.encode()):
                listed(one.decode(errors="replace").removeprefix(_ITEM))
            else:
                kept.append(one)
    return b"\n".join([*kept, line]).decode(errors="replace")


def _blame(words: tuple[str, ...], code: int, complaint: str, room: str) -> None:
    if "refused: " in complaint:
        raise source.of_source(6, complaint[complaint.index("refused: ") :].splitlines()[0])
    if code in _OF_LINE and not disk_full(complaint):
        first = complaint.strip().splitlines()
        raise source.of_source(255, first[0] if first else f"rsync ended with {code}")
    raise source.here(Ended(words, code, complaint), room)
