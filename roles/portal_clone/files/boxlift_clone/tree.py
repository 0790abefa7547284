"""The portal's files: only what the former copy lacks travels."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from boxlift_reader import rsync, source
from boxlift_reader.state import State, Status

from .order import Order

_CLONE_FILE = 0x40049409
"""FICLONE of linux/fs.h: a file that shares its blocks with another until one of them is written to."""


def pull(order: Order, state: State, status: Status) -> None:
    """Bring the copy's files to what production has now."""
    began = time.monotonic()
    order.root.mkdir(mode=0o755, parents=True, exist_ok=True)
    shutil.chown(order.root, order.owner, order.owner)
    shared = _share(order)
    status.stage("files")
    rest = _rsync(order, _rest(order), status.moved)
    status.stage("uploads")
    uploads = rsync.Moved()
    if order.attachments:
        uploads = _rsync(order, _uploads(order, links=not shared), status.moved)
    for folder in ("bitrix/php_interface", order.upload):
        (order.root / folder).mkdir(parents=True, exist_ok=True)
        shutil.chown(order.root / folder, order.owner, order.owner)
    moved = rest + uploads
    state.measure(
        "files",
        {
            **asdict(moved),
            "seconds": round(time.monotonic() - began, 1),
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
    former = [f"--copy-dest={order.former}"] if order.former else []
    return [*former, f"--exclude=/{order.upload}", *(f"--exclude={path}" for path in order.left_out)]


def _uploads(order: Order, *, links: bool) -> list[str]:
    # Where blocks are shared, what an interrupted run did not come to is copied here and does not travel.
    former = [f"--{'link' if links else 'copy'}-dest={order.former}"] if order.former else []
    return [*former, f"--include=/{order.upload}", f"--include=/{order.upload}/**", "--exclude=*"]


def _share(order: Order) -> bool:
    """Begin with the former copy's uploads on shared blocks, where the file system has that."""
    if order.former is None or not order.attachments:
        return False
    old, new = order.former / order.upload, order.root / order.upload
    if new.exists():
        # An interrupted run went this way or the other; what is there decides.
        return _can_share(order.root, order.root)
    if not old.is_dir() or not _can_share(old, order.root):
        return False
    source.run(["cp", "--archive", "--reflink=always", str(old), str(new)], str(order.base))
    return True


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
