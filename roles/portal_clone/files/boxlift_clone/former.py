"""The former copy's code, copied on this host in one go: rsync takes longer to find each file elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from boxlift_reader import crew

_FILES = 2000
"""Files that one program copies, folders counted: several copy at the same time."""
_PROGRAMS = 4
_LARGE = 1 << 20
"""Bytes of a file that is no code: somebody's dump, say, which production may not have at all."""


def begin(former: Path, root: Path, left_out: Sequence[str]) -> None:
    """Begin an empty folder with the former copy's files. What differs from production's has to be put right.

    Large files are left to what does that, and what goes away meanwhile or does not fit on the disk.

    :param left_out: what is not copied, as rsync writes patterns: from the root with a stroke, else names.
    """
    parts = deque(_together(_look(former, _pattern(left_out)).parts))
    programs = min(_PROGRAMS, len(os.sched_getaffinity(0)))
    crew.together(*(partial(_copy, former, root, parts) for _ in range(programs)))


@dataclass(frozen=True)
class _Part:
    """Files and whole folders of one folder, by their names; `files` is how many that are."""

    folder: str
    names: tuple[str, ...]
    files: int


@dataclass
class _Folder:
    """What is to be copied of a folder: all of it where it is whole, else its parts."""

    whole: bool = True
    files: int = 1
    parts: list[_Part] = field(default_factory=list)


def _look(root: Path, left_out: re.Pattern[str], folder: str = "") -> _Folder:
    found = _Folder()
    try:
        entries = list(os.scandir(f"{root}{folder}"))
    except FileNotFoundError:
        # Somebody works there.
        return found
    for entry in entries:
        path = f"{folder}/{entry.name}"
        if left_out.fullmatch(path) or _is_large(entry):
            found.whole = False
            continue
        below = _look(root, left_out, path) if entry.is_dir(follow_symlinks=False) else _Folder()
        found.whole = found.whole and below.whole
        found.files += below.files
        found.parts += [_Part(folder, (entry.name,), below.files)] if below.whole else below.parts
    found.whole = found.whole and found.files <= _FILES
    return found


def _is_large(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_size > _LARGE
    except FileNotFoundError:
        return False


def _together(parts: Sequence[_Part]) -> Iterator[_Part]:
    """Neighbours as one part, as long as that is not too large."""
    last: _Part | None = None
    for part in parts:
        if last is not None and last.folder == part.folder and last.files + part.files <= _FILES:
            last = _Part(part.folder, last.names + part.names, last.files + part.files)
            continue
        if last is not None:
            yield last
        last = part
    if last is not None:
        yield last


def _pattern(left_out: Sequence[str]) -> re.Pattern[str]:
    """What all paths match, from the root on, that are left out."""
    texts = (re.escape(word).replace(r"\*", "[^/]*").replace(r"\?", "[^/]") for word in left_out)
    return re.compile("|".join(text if text.startswith("/") else f"(?s:.*)/{text}" for text in texts))


def _copy(former: Path, root: Path, parts: deque[_Part]) -> None:
    """Copy parts until none is left."""
    # Blocks may be shared, files must not: code is written to in place.
    words = ["cp", "--recursive", "--no-dereference", "--reflink=auto"]
    kept = "--preserve=mode,ownership,timestamps"
    while True:
        try:
            part = parts.popleft()
        except IndexError:
            return
        to = root / part.folder.removeprefix("/")
        to.mkdir(parents=True, exist_ok=True)
        paths = [f"{former}{part.folder}/{name}" for name in part.names]
        with crew.started(
            [*words, kept, "--", *paths, str(to)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            process.wait()
