"""Which backups stay: by number, and by the room that there is."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from boxlift_reader.fault import InterruptedPullError

from .order import NAME

_GONE = ".gone-"
_PERCENT = 100
_GIGABYTE = 1e9


def backups(folder: Path) -> list[Path]:
    """Every backup that was proved, the oldest first."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if NAME.match(path.name) and (path / "proof.json").is_file())


def tidy(folder: Path) -> None:
    """Finish removals that were cut, and what no run can go on with."""
    for path in folder.iterdir():
        broken = NAME.match(path.name) and not (path / "proof.json").is_file()
        former = path.suffix == ".new" and NAME.match(path.stem)
        if path.name.startswith(_GONE) or broken or former:
            shutil.rmtree(path)


def remove(path: Path) -> None:
    """Remove a backup; one that is half removed counts as none."""
    gone = path.with_name(f"{_GONE}{path.name}")
    path.rename(gone)
    shutil.rmtree(gone)


def make_room(folder: Path, need: int) -> list[str]:
    """Let the oldest backups go until there is room for another one; the newest stays in any case.

    :raises InterruptedPullError: that does not suffice. None goes where that is foreseen.
    """
    removed = []
    old = backups(folder)[:-1]
    lacks = need - shutil.disk_usage(folder).free
    for path in old if lacks <= 0 or lacks <= held(old) else ():
        if shutil.disk_usage(folder).free >= need:
            break
        remove(path)
        removed.append(path.name)
    lacks = need - shutil.disk_usage(folder).free
    if lacks > 0:
        raise InterruptedPullError(
            f"the disk of {folder} lacks {lacks / _GIGABYTE:.1f} GB of room for another backup",
            "make room there or give production_backup_folder a larger disk, then start again",
        )
    return removed


def held(paths: Iterable[Path]) -> int:
    """Bytes that are free at most when all of these have gone: a file goes with the last of its links."""
    found: Counter[tuple[int, int]] = Counter()
    weights: dict[tuple[int, int], tuple[int, int]] = {}
    for path in paths:
        for folder, _, names in os.walk(path):
            for name in names:
                seen = Path(folder, name).lstat()
                found[seen.st_dev, seen.st_ino] += 1
                weights[seen.st_dev, seen.st_ino] = (seen.st_nlink, max(seen.st_size, seen.st_blocks * 512))
    return sum(size for file, (links, size) in weights.items() if found[file] >= links)


def prune(folder: Path, keep: int, free_percent: int) -> list[str]:
    """Let go of what is beyond the number, then of what takes the room; the newest stays in any case."""
    found = backups(folder)
    removed = _beyond(found, keep)
    for path in removed:
        remove(path)
    for path in found[len(removed) : -1]:
        usage = shutil.disk_usage(folder)
        if usage.free * _PERCENT >= usage.total * free_percent:
            break
        remove(path)
        removed.append(path)
    return [path.name for path in removed]


def _beyond(found: Sequence[Path], keep: int) -> list[Path]:
    return list(found[: max(0, len(found) - max(keep, 1))])
