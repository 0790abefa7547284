"""The portal's files: only what the former copy lacks travels."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from . import source
from .fault import disk_full
from .order import Order
from .state import State, Status
from .stream import Ended

_CLONE_FILE = 0x40049409
"""FICLONE of linux/fs.h: a file that shares its blocks with another until one of them is written to."""
_VANISHED = 24
"""rsync's code for files that were removed while it ran: a portal at work removes files."""
_PARTIAL = ".boxlift-partial"
_PROGRESS = re.compile(rb"^\s*([\d,]+)\s+\d+%")
_STATISTICS = {
    "files": re.compile(r"^Number of regular files transferred: ([\d,]+)", re.MULTILINE),
    "bytes": re.compile(r"^Total transferred file size: ([\d,]+)", re.MULTILINE),
    "size": re.compile(r"^Total file size: ([\d,]+)", re.MULTILINE),
    "travelled": re.compile(r"^Total bytes received: ([\d,]+)", re.MULTILINE),
}
# Settings with production's passwords, and what somebody saved of them beside: .bak, .old, ~.
_SETTINGS = ("/bitrix/.settings.php", "/bitrix/.settings_extra.php", "/bitrix/php_interface/dbconn.php")
# Caches, backups, what a restore laid beside: none of it is the copy's.
_LEFT_OUT = (
    *(f"{path}*" for path in _SETTINGS),
    "*.restore.php",
    "/bitrix/backup",
    "/bitrix/tmp",
    "/bitrix/cache",
    "/bitrix/managed_cache",
    "/bitrix/stack_cache",
)


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


def pull(order: Order, state: State, status: Status) -> None:
    """Bring the copy's files to what production has now."""
    began = time.monotonic()
    order.root.mkdir(mode=0o755, parents=True, exist_ok=True)
    shutil.chown(order.root, order.owner, order.owner)
    shared = _share(order)
    status.stage("files")
    rest = _rsync(order, _rest(order), status.moved)
    status.stage("uploads")
    uploads = Moved()
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


def ahead(order: Order) -> Moved:
    """What would travel now; nothing is written."""
    rest = _rsync(order, ["--dry-run", *_rest(order)])
    if not order.attachments:
        return rest
    return rest + _rsync(order, ["--dry-run", *_uploads(order, links=True)])


def _rest(order: Order) -> list[str]:
    """All but uploads. Nothing of it shares an inode with another release: code is written to in place."""
    former = [f"--copy-dest={order.former}"] if order.former else []
    return [*former, f"--exclude=/{order.upload}", *(f"--exclude={path}" for path in _LEFT_OUT)]


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


def _rsync(order: Order, options: Sequence[str], tell: Callable[[int], None] | None = None) -> Moved:
    words = [
        "rsync",
        f"--rsh={order.ssh}",
        *("--recursive", "--links", "--perms", "--times", "--owner", "--group"),
        f"--chown={order.owner}:{order.owner}",
        "--delete",
        f"--partial-dir={_PARTIAL}",
        f"--bwlimit={order.bandwidth_kb}",
        "--stats",
        "--no-human-readable",
        "--info=progress2",
        *options,
        f"{order.address}:{order.source}/",
        f"{order.root}/",
    ]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=_ENVIRONMENT
        )
        if process.stdout is None:
            raise RuntimeError("rsync has no output")
        said = _follow(process.stdout, tell)
        code = process.wait()
        errors.seek(0)
        complaint = errors.read().decode(errors="replace")
    if code not in (0, _VANISHED):
        _blame(tuple(words), code, complaint, order)
    figures = {name: pattern.search(said) for name, pattern in _STATISTICS.items()}
    return Moved(**{name: int(found[1].replace(",", "")) if found else 0 for name, found in figures.items()})


_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
_OF_LINE = (10, 12, 30, 35, 255)
"""rsync's codes for a connection that failed, broke or fell silent."""


def _follow(output: IO[bytes], tell: Callable[[int], None] | None) -> str:
    """Read to the end; progress goes to `tell`, what remains is the statistics."""
    kept: list[bytes] = []
    line = b""
    while block := os.read(output.fileno(), 1 << 16):
        *lines, line = re.split(rb"[\r\n]", line + block)
        for one in lines:
            progress = _PROGRESS.match(one)
            if progress is None:
                kept.append(one)
            elif tell is not None:
                tell(int(progress[1].replace(b",", b"")))
    return b"\n".join([*kept, line]).decode(errors="replace")


def _blame(words: tuple[str, ...], code: int, complaint: str, order: Order) -> None:
    if "refused: " in complaint:
        raise source.of_source(6, complaint[complaint.index("refused: ") :].splitlines()[0])
    if code in _OF_LINE and not disk_full(complaint):
        first = complaint.strip().splitlines()
        raise source.of_source(255, first[0] if first else f"rsync ended with {code}")
    raise source.here(Ended(words, code, complaint), str(order.base))
