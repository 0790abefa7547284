"""The backup that the lab moves: a generated one or one that the user names, as the cloud offers it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from boxlift.errors import ExitCode
from boxlift.lab.access import replace
from boxlift.lab.engine import free_bytes
from boxlift.lab.errors import LabError
from boxlift.lab.material import python
from boxlift.lab.place import Lab

# Tables and files before compression; the parts come to about 200 MB.
GENERATED_SIZE = "262M"
PART_LIMIT = "20M"
SERVER = "http://backup.cloud.example"
_VOLUME = re.compile(r"\.(?:tar|enc)(?:\.gz)?$")
_NUMBER = re.compile(r"\.\d+$")
# What the cloud's storage does to a download on a good day, and three mishaps of an ordinary one.
_SCENARIO = """\
rate: {connection: 6M, total: 24M}
faults:
  - {kind: status, code: 503, retry_after: 1, match: "*.gz.2", count: 1}
  - {kind: flip, match: "*.gz.4", at: 50%, count: 1}
  - {kind: cut, match: "*.gz.6", at: 50%, count: 1}
"""


@dataclass(frozen=True)
class Archive:
    """A backup's volumes in order; `digest` tells it from others; `manifest` lists its content, if known."""

    parts: tuple[Path, ...]
    digest: str
    manifest: Path | None

    @property
    def size(self) -> int:
        return sum(part.stat().st_size for part in self.parts)

    @property
    def url(self) -> str:
        """Where the portal's host finds the first volume."""
        return f"{SERVER}/{self.parts[0].name}"


def existing(path: Path) -> Archive:
    """The backup whose first volume (or any other, or whose folder) is `path`."""
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if _VOLUME.search(file.name))
        if len(found) != 1:
            raise LabError(f"{path} holds {len(found)} backups: name the first volume of one", ExitCode.USAGE)
        path = found[0]
    first = path.with_name(_NUMBER.sub("", path.name))
    if not _VOLUME.search(first.name) or not first.is_file():
        raise LabError(
            f"{path} is no backup: name its first volume, which ends in .tar, .tar.gz, .enc or .enc.gz",
            ExitCode.USAGE,
        )
    parts = [first.resolve()]
    while (following := parts[0].with_name(f"{parts[0].name}.{len(parts)}")).is_file():
        parts.append(following)
    manifest = parts[0].with_name("manifest.json")
    digest = hashlib.sha256()
    for part in parts:
        about = part.stat()
        digest.update(f"{part} {about.st_size} {about.st_mtime_ns}\n".encode())
    return Archive(tuple(parts), digest.hexdigest()[:12], manifest if manifest.is_file() else None)


def generated(lab: Lab) -> Archive:
    """The synthetic portal's backup; made once and kept until the generator changes."""
    digest = hashlib.sha256(f"{GENERATED_SIZE} {PART_LIMIT}".encode())
    for package in ("generator", "writer"):
        for file in sorted((lab.repository / "lab" / package).rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
    folder = lab.folder / "backup" / digest.hexdigest()[:12]
    if not folder.is_dir():
        shutil.rmtree(folder.parent, ignore_errors=True)
        part = folder.with_name(f".{folder.name}")
        sizes = ("--size", GENERATED_SIZE, "--part-limit", PART_LIMIT)
        python(lab, "lab.generator", *sizes, "--out", str(part), "--quiet")
        part.rename(folder)
    return existing(folder)


def serve(lab: Lab, archive: Archive) -> None:
    """Put the volumes, and nothing else, into the folder of the backup server, with the demo's mishaps."""
    folder = lab.served / "backup"
    folder.mkdir(parents=True, exist_ok=True)
    names = {part.name for part in archive.parts}
    for old in folder.iterdir():
        if old.name not in names:
            old.unlink()
    for part in archive.parts:
        _put(part, folder / part.name)
    replace(lab.served / "scenario.yml", _SCENARIO, 0o644)


def _put(part: Path, target: Path) -> None:
    if target.exists() and target.stat().st_mtime_ns == part.stat().st_mtime_ns:
        return
    target.unlink(missing_ok=True)
    try:
        os.link(part, target)
    except OSError:
        size = part.stat().st_size
        if free_bytes(target.parent) < size:
            raise LabError(
                f"{target.parent} has {free_bytes(target.parent) >> 20} MiB free and {part.name} needs "
                f"{size >> 20} MiB: make room and run the same command again"
            ) from None
        shutil.copy2(part, target)
