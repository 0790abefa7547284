"""The release's files: what the former backup has does not travel; what has come is compared by content."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from boxlift_reader import rsync
from boxlift_reader.state import State, Status

from .order import Order
from .retention import backups

# The product makes these anew. Its own backups would be in each of ours once more.
_LEFT_OUT = (
    "/bitrix/backup",
    "/bitrix/cache",
    "/bitrix/managed_cache",
    "/bitrix/stack_cache",
    "/bitrix/tmp",
)
_DAMAGED = ">fc.."
"""How rsync itemizes a file with the size and the time of production's and another content."""


def pull(order: Order, state: State, status: Status) -> None:
    """Bring the files to what production has now."""
    began = time.monotonic()
    order.files.mkdir(mode=0o700, exist_ok=True)
    former = next((path / "files" for path in reversed(backups(order.folder))), None)
    status.stage("files")
    moved = _rsync(order, status, ["--delete", *_rest(order, former)])
    status.stage("uploads")
    moved += _rsync(order, status, ["--delete", *_uploads(order, former)])
    seconds = round(time.monotonic() - began, 1)
    state.measure("files", {**asdict(moved), "seconds": seconds, "as_of": time.time()})


def again(order: Order, status: Status) -> None:
    """Pull uploads once more: a file that came after its row."""
    status.stage("uploads")
    _rsync(order, status, _uploads(order, None))


@dataclass
class Content:
    """What a comparison by content showed.

    :param changed: files that production wrote meanwhile.
    :param damaged: files whose content was another one here, though nobody had written to them.
    """

    changed: int = 0
    damaged: int = 0


def compare(order: Order, status: Status) -> Content:
    """Compare every file by content with production's, and pull again what differs.

    What production removed meanwhile stays: rows of the backup may name it. The names go to `changed.txt`.
    """
    status.stage("compare files")
    found = Content()
    with (order.work / "changed.txt").open("w", encoding="utf-8") as names:

        def note(item: str) -> None:
            if item.startswith(">f"):
                found.changed += 1
                found.damaged += item.startswith(_DAMAGED)
                names.write(f"{item}\n")

        options = ["--checksum", *(f"--exclude={path}" for path in _LEFT_OUT)]
        rsync.pull(order, order.release, order.files, options, rate_kb=order.bandwidth_kb, listed=note)
    return found


def count(folder: Path) -> int:
    """Number of files below a folder."""
    return sum(len(names) for _, _, names in os.walk(folder))


def _rest(order: Order, former: Path | None) -> list[str]:
    """All but uploads; hard links are for uploads alone."""
    known = [f"--copy-dest={former}"] if former else []
    return [*known, f"--exclude=/{order.upload}", *(f"--exclude={path}" for path in _LEFT_OUT)]


def _uploads(order: Order, former: Path | None) -> list[str]:
    known = [f"--link-dest={former}"] if former else []
    return [*known, f"--include=/{order.upload}", f"--include=/{order.upload}/**", "--exclude=*"]


def _rsync(order: Order, status: Status, options: Sequence[str]) -> rsync.Moved:
    return rsync.pull(
        order, order.release, order.files, options, rate_kb=order.bandwidth_kb, tell=status.moved
    )
