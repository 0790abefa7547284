"""Archives of the two stand-ins: the portal and the push server. `python -m lab.artifacts FOLDER` makes both.

Equal content gives equal bytes: entries are sorted, owner and times are fixed. An archive carries the hash of
its content in a file beside it and is built anew only when that hash differs.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

LAB = Path(__file__).resolve().parent
PORTAL_ROOT = LAB / "portal" / "root"
PUSH_ROOT = LAB / "push"
# Any fixed moment will do; tar stores whole seconds.
EPOCH = 1_767_225_600


def build_portal(target: Path) -> Path:
    """Write the portal's distribution: the content of a document root, without a leading folder."""
    return _build(PORTAL_ROOT, target, PurePosixPath())


def build_push_server(target: Path) -> Path:
    """Write the push server: folder `push-server` with `server.js`; it needs Node.js 18 and no package."""
    return _build(PUSH_ROOT, target, PurePosixPath("push-server"))


def _build(root: Path, target: Path, prefix: PurePosixPath) -> Path:
    files = list(_files(root))
    digest = hashlib.sha256()
    for name, path in files:
        data = path.read_bytes()
        digest.update(f"{prefix / name}\0{_mode(path):o}\0{len(data)}\0".encode())
        digest.update(data)
    mark = target.with_name(target.name + ".content")
    if target.is_file() and mark.is_file() and mark.read_text() == digest.hexdigest():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(target.name + ".new")
    with new.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=EPOCH) as packed:
        _write_tar(packed, files, prefix)
    new.replace(target)
    mark.write_text(digest.hexdigest())
    return target


def _write_tar(packed: gzip.GzipFile, files: list[tuple[PurePosixPath, Path]], prefix: PurePosixPath) -> None:
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        folders: set[PurePosixPath] = set()
        for name, path in files:
            place = prefix / name
            for folder in reversed([parent for parent in place.parents if parent.parts]):
                if folder not in folders:
                    folders.add(folder)
                    tar.addfile(_entry(folder, 0o755, tarfile.DIRTYPE))
            data = path.read_bytes()
            entry = _entry(place, _mode(path), tarfile.REGTYPE)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def _files(root: Path) -> Iterator[tuple[PurePosixPath, Path]]:
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.name != "README.md":
            yield PurePosixPath(path.relative_to(root).as_posix()), path


def _mode(path: Path) -> int:
    return 0o755 if path.read_bytes()[:2] == b"#!" else 0o644


def _entry(name: PurePosixPath, mode: int, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(str(name))
    entry.type = kind
    entry.mode = mode
    entry.mtime = EPOCH
    entry.uname = entry.gname = "root"
    return entry


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    build_portal(folder / "portal.tar.gz")
    build_push_server(folder / "push-server.tar.gz")
