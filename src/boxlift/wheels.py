"""bxbackup and what it needs, as wheels that the control node carries to hosts without network access."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from boxlift.errors import BoxliftError

# Debian 12 and 13.
PYTHONS = ("3.11", "3.13")
# Debian 12 has glibc 2.36; pip takes no platform for granted when asked for another Python's wheels.
_GLIBCS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
_MARK = ".content"


def collect(source: Path, constraints: Path, target: Path) -> bool:
    """Fill the folder `target` with wheels of the distribution in `source`; False if it is up to date.

    Versions are those of `constraints`. A broken-off call leaves the old folder, or none.
    """
    mark = _mark(source, constraints)
    if (target / _MARK).is_file() and (target / _MARK).read_text(encoding="ascii") == mark:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as folder:
        new = Path(folder, "wheels")
        new.mkdir()
        _pip("wheel", "--no-deps", "--wheel-dir", str(new), str(source.resolve()))
        (built,) = new.glob("*.whl")
        for python in PYTHONS:
            _pip("download", *_options(python, constraints), "--dest", str(new), str(built))
        (new / _MARK).write_text(mark, encoding="ascii")
        shutil.rmtree(target, ignore_errors=True)
        new.rename(target)
    return True


def _options(python: str, constraints: Path) -> Sequence[str]:
    platforms = [f"--platform={glibc}_{platform.machine()}" for glibc in _GLIBCS]
    return (
        *("--only-binary=:all:", f"--python-version={python}", "--implementation=cp", *platforms),
        *("--constraint", str(constraints)),
    )


def _mark(source: Path, constraints: Path) -> str:
    digest = hashlib.sha256(f"{platform.machine()} {PYTHONS} {_GLIBCS}".encode())
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
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise BoxliftError(
            f"wheels for the hosts could not be collected: {' · '.join(errors[-2:]) or done.stderr[-300:]}",
            cure="check that this machine reaches the Python package index, then run the same command again",
        )
