"""A hot backup of the source's database server: its data files, made consistent here."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from . import source
from .fault import InterruptedPullError, PullError
from .stream import Flow, flow

_PREPARE_MEMORY_MB = 256
_COMPLETED = "completed OK!"
"""The last words of mariadb-backup when all went well: its contract (restore_peers, reliability anchors)."""
_CHECKPOINTS = ("mariadb_backup_checkpoints", "xtrabackup_checkpoints")
_LAYOUT = ("innodb_page_size", "innodb_data_file_path", "innodb_undo_tablespaces")
"""Settings without which the data files are not read."""
_OF_BACKUP = "backup-my.cnf"


def stream(way: source.Way, data: Path, *, rate_kb: int, tell: Callable[[int], None]) -> Flow:
    """Pull the data files into an empty folder; what was there goes first.

    :raises PullError: the stream was cut. Nothing is left then: none goes on where it was cut, and the room
        may be what was missing.
    """
    if data.exists():
        shutil.rmtree(data)
    data.mkdir(mode=0o700)
    extract = shutil.which("mbstream") or shutil.which("mariadb-mbstream") or "mbstream"
    moved = flow(
        [
            source.command(way, "backup"),
            ["zstd", "--decompress", "--stdout", "--quiet"],
            [extract, "--extract", "--directory", str(data)],
        ],
        rate_kb=rate_kb,
        tell=tell,
    )
    if moved.broken is not None:
        shutil.rmtree(data)
    source.judge(way, moved, str(data))
    if not any((data / name).is_file() for name in _CHECKPOINTS):
        raise InterruptedPullError("the stream of production's database ended before its end")
    return moved


def prepare(data: Path) -> float:
    """Bring to one moment what the stream caught at different ones; return the seconds that took."""
    began = time.monotonic()
    said = source.run(
        [
            "mariadb-backup",
            "--no-defaults",
            "--prepare",
            f"--target-dir={data}",
            f"--use-memory={_PREPARE_MEMORY_MB}M",
        ],
        str(data),
    )
    if not said.rstrip().endswith(_COMPLETED):
        raise PullError(f"mariadb-backup --prepare: {source.last_line(said)}")
    return time.monotonic() - began


def layout(data: Path) -> list[str]:
    """Settings of the files' form, as the backup says they are."""
    path = data / _OF_BACKUP
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [line for line in lines if line.partition("=")[0].strip().replace("-", "_") in _LAYOUT]
