"""bxbackup and what it needs, as wheels that the control node carries to hosts without network access."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path

from boxlift.content import INSTALL, content_root
from boxlift.errors import BoxliftError, UsageError

# Debian 12 and 13.
PYTHONS = ("3.11", "3.13")
MACHINES = ("x86_64", "aarch64")
# Debian 12 has glibc 2.36; pip takes no platform for granted when asked for another Python's wheels.
_GLIBCS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
_MARK = ".content"
"""File of a folder that `collect` filled: the machine, and a hash of what the wheels were made of."""


class Stock(Enum):
    """What a folder of wheels is worth to this boxlift."""

    ABSENT = "no wheel of bxbackup"
    OTHER = "wheels of another bxbackup"
    READY = "of this boxlift"


def sources() -> tuple[Path, Path]:
    """bxbackup's sources and the file of exact versions, as this boxlift has them."""
    root = content_root()
    source, constraints = root / "bxbackup", root / "constraints.txt"
    if not (source / "pyproject.toml").is_file() or not constraints.is_file():
        raise BoxliftError(f"{root} holds no sources of bxbackup", INSTALL)
    return source, constraints


def state(target: Path) -> Stock:
    """Whether hosts can be given the wheels in `target`; one that was filled by hand goes by its version.

    Where playbooks of the operator's own come without bxbackup's sources, any wheel will do.
    """
    if not any(target.glob("bxbackup-*.whl")):
        return Stock.ABSENT
    try:
        source, constraints = sources()
    except BoxliftError:
        return Stock.READY
    if (target / _MARK).is_file():
        machine, _, found = (target / _MARK).read_text(encoding="utf-8", errors="replace").partition(" ")
        ready = found == _mark(source, constraints, machine)
    else:
        table = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))
        ready = any(target.glob(f"bxbackup-{table['project']['version']}-*.whl"))
    return Stock.READY if ready else Stock.OTHER


def collect(source: Path, constraints: Path, target: Path, machine: str | None = None) -> bool:
    """Fill the folder `target` with wheels of the distribution in `source`; False if it is up to date.

    Versions are those of `constraints`. A broken-off call leaves the old folder, or none.

    :param machine: the hosts' kind of processor, as `uname -m` names it; default: this machine's.
    """
    machine = machine or platform.machine()
    mark = f"{machine} {_mark(source, constraints, machine)}"
    if (target / _MARK).is_file() and (target / _MARK).read_text(encoding="utf-8", errors="replace") == mark:
        return False
    _check_target(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as folder:
        new = Path(folder, "wheels")
        new.mkdir()
        _pip("wheel", "--no-deps", "--wheel-dir", str(new), str(source.resolve()))
        (built,) = new.glob("*.whl")
        for python in PYTHONS:
            _pip("download", *_options(python, machine, constraints), "--dest", str(new), str(built))
        (new / _MARK).write_text(mark, encoding="ascii")
        shutil.rmtree(target, ignore_errors=True)
        new.rename(target)
    return True


def _check_target(target: Path) -> None:
    """UsageError where the folder, which is replaced as a whole, holds anything but wheels."""
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is no folder", cure="name a folder for the wheels alone")
    foreign = sorted(
        path.name
        for path in (target.iterdir() if target.exists() else ())
        if path.name != _MARK and path.suffix != ".whl"
    )
    if foreign:
        raise UsageError(
            f"{target} holds {foreign[0]}, and would be replaced", cure="name a folder for the wheels alone"
        )


def _options(python: str, machine: str, constraints: Path) -> Sequence[str]:
    platforms = [f"--platform={glibc}_{machine}" for glibc in _GLIBCS]
    return (
        *("--only-binary=:all:", f"--python-version={python}", "--implementation=cp", *platforms),
        *("--constraint", str(constraints)),
    )


def _mark(source: Path, constraints: Path, machine: str) -> str:
    digest = hashlib.sha256(f"{machine} {PYTHONS} {_GLIBCS}".encode())
    for file in (constraints, *_files(source)):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _files(source: Path) -> Iterable[Path]:
    yield source / "pyproject.toml"
    yield source / "README.md"
    yield from sorted(
        file for file in (source / "src").rglob("*") if file.is_file() and file.suffix != ".pyc"
    )


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    if "No module named pip" in done.stderr:
        raise BoxliftError(
            f"wheels for the hosts could not be collected: {sys.executable} has no pip",
            cure=f"{sys.executable} -m ensurepip, then the same command again",
        )
    # what builds a wheel tells of its own in a paragraph that is set in
    lines = [line.strip() for line in done.stderr.splitlines()]
    errors = [line for line in lines if line.startswith("ERROR")]
    said = " · ".join(errors[-2:]) or done.stderr[-300:].strip()
    raise BoxliftError(
        f"wheels for the hosts could not be collected: {said}",
        cure="check that this machine reaches the Python package index, then run the same command again;"
        " or collect them on a machine that does, and copy the folder",
    )
