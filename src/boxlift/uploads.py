"""Uploads that only the cloud has: what suite `uploads` found, and what a person has given up.

Both lie in the evidence of a release, a path below `upload/` a line. A path is written as JSON writes a text,
without the quotes, so that whatever somebody has named a file stays on its line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from boxlift.project.vault import write_private
from boxlift.risks.evidence import FOLDER

MISSING, GIVEN_UP = "uploads-missing.txt", "uploads-given-up.txt"


def shown(path: str) -> str:
    """A path as it is written in a list; what is no UTF-8 in it comes as surrogates."""
    text = json.dumps(path, ensure_ascii=False)[1:-1]
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def keep_missing(root: Path, release: str, paths: Iterable[str]) -> None:
    """Write what was found missing, over what was found before."""
    _write(root / FOLDER / release / MISSING, paths)


def given_up(root: Path, release: str) -> frozenset[str]:
    """What need not be there any more, as it is written in the list."""
    return frozenset(_read(root / FOLDER / release / GIVEN_UP))


def give_up(root: Path, release: str) -> int:
    """Give up all that was found missing; gives how many that are. A person copies the file instead."""
    found = _read(root / FOLDER / release / MISSING)
    _write(root / FOLDER / release / GIVEN_UP, given_up(root, release) | set(found))
    return len(found)


def _read(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="backslashreplace")
    except FileNotFoundError:
        return []
    return [line for line in text.split("\n") if line.strip()]


def _write(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    write_private(fresh, "".join(f"{line}\n" for line in sorted(lines)))
    fresh.replace(path)
