"""The portal's files: only what the former copy lacks travels."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from boxlift_reader import crew, rsync, source
from boxlift_reader.state import State, Status, Strand

from . import former
from .order import Order

_CLONE_FILE = 0x40049409
"""FICLONE of linux/fs.h: a file that shares its blocks with another until one of them is written to."""


def begin(order: Order, state: State, status: Strand) -> None:
    """Begin with what the former copy has: work of this host alone, which waits for nothing of production.

    Code is copied, uploads are shared where the file system can. An interrupted run's are gone on with.
    """
    if state.done("files"):
        return
    began = time.monotonic()
    # Nothing of it travels.
    status.stage("former copy", 0)
    order.root.mkdir(mode=0o755, parents=True, exist_ok=True)
    shutil.chown(order.root, order.owner, order.owner)
    if order.former is not None and all(path.name == order.upload for path in order.root.iterdir()):
        former.begin(order.former, order.root, [f"/{order.upload}", *order.left_out])
    if _shares(order):
        _share(order)
    state.measure("begun", {"seconds": round(time.monotonic() - began, 2)})


def pull(order: Order, state: State, status: Status) -> None:
    """Bring what the copy began with to what production has now."""
    if state.done("files"):
        return
    began = time.monotonic()
    shared = _shares(order)
    moved: list[rsync.Moved] = []

    def code() -> None:
        with status.beside() as strand:
            strand.stage("files")
            moved.append(_rsync(order, _rest(order), strand.moved))

    def uploads() -> None:
        with status.beside() as strand:
            strand.stage("uploads")
            moved.append(_rsync(order, _uploads(order, links=not shared), strand.moved))

    parts = (code, uploads) if order.attachments else (code,)
    if order.bandwidth_kb:
        # Each stream is held to the rate: two at a time would be twice of it.
        for part in parts:
            part()
    else:
        crew.together(*parts)
    for folder in ("bitrix/php_interface", order.upload):
        (order.root / folder).mkdir(parents=True, exist_ok=True)
        shutil.chown(order.root / folder, order.owner, order.owner)
    state.measure(
        "files",
        {
            **asdict(sum(moved, rsync.Moved())),
            "seconds": round(time.monotonic() - began, 2),
            "as_of": time.time(),
            "shared": "reflinks" if shared else "hard links" if order.former else "nothing",
        },
    )
    state.mark("files")


def again(order: Order, status: Status) -> None:
    """Pull uploads once more: a file that came after its row."""
    status.stage("uploads")
    _rsync(order, _uploads(order, links=False), status.moved)


def _rest(order: Order) -> list[str]:
    """All but uploads. Nothing of it shares an inode with another release: code is written to in place."""
    known = [f"--copy-dest={order.former}"] if order.former else []
    return [*known, f"--exclude=/{order.upload}", *(f"--exclude={path}" for path in order.left_out)]


def _uploads(order: Order, *, links: bool) -> list[str]:
    # Where blocks are shared, what an interrupted run did not come to is copied here and does not travel.
    known = [f"--{'link' if links else 'copy'}-dest={order.former}"] if order.former else []
    return [*known, f"--include=/{order.upload}", f"--include=/{order.upload}/**", "--exclude=*"]


def _shares(order: Order) -> bool:
    """Whether uploads begin as the former copy's, on shared blocks: where the file system has that."""
    if order.former is None or not order.attachments:
        return False
    old, new = order.former / order.upload, order.root / order.upload
    if new.exists():
        # An interrupted run went this way or the other; what is there decides.
        return _can_share(order.root, order.root)
    return old.is_dir() and _can_share(old, order.root)


def _share(order: Order) -> None:
    new = order.root / order.upload
    if order.former is not None and not new.exists():
        words = ["cp", "--archive", "--reflink=always", str(order.former / order.upload), str(new)]
        source.run(words, str(order.base))


def _can_share(old: Path, new: Path) -> bool:
    if old.stat().st_dev != new.stat().st_dev:
        return False
    with tempfile.TemporaryFile(dir=new) as one, tempfile.TemporaryFile(dir=new) as other:
        one.write(b"x" * 4096)
        one.flush()
        try:
            fcntl.ioctl(other.fileno(), _CLONE_FILE, one.fileno())
        except OSError:
            return False
    return True


def _rsync(order: Order, options: Sequence[str], tell: Callable[[int], None] | None = None) -> rsync.Moved:
    own = ["--owner", "--group", f"--chown={order.owner}:{order.owner}", "--delete"]
    return rsync.pull(
        order, order.source, order.root, [*own, *options], rate_kb=order.bandwidth_kb, tell=tell
    )
