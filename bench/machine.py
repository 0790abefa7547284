"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

from bench.program import PACKAGES, BenchError, program

_GIB = 1 << 30


def describe(folder: Path) -> dict[str, str]:
    """The machine and the versions of all that takes part, by name; `folder` is where the data are."""
    found = {
        "CPU": _cpu(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / _GIB:.0f} GiB",
        "disk": _disk(folder),
        "kernel": platform.release(),
        "system": _system(),
        "Python": platform.python_version(),
        "bxbackup": version("bxbackup"),
        "isal": version("isal"),
    }
    for name in sorted(PACKAGES):
        if name != "mariadb-install-db":
            found[name] = _version(name)
    return found


def _cpu() -> str:
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return f"{model[1] if model else platform.machine()} ({platform.machine()})"


def _disk(folder: Path) -> str:
    said = subprocess.run(
        ["findmnt", "--noheadings", "--output", "FSTYPE,SOURCE", "--target", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    speed = _write_speed(folder)
    kind = f"{said[0]} on {Path(said[1]).name}" if len(said) > 1 else "unknown file system"
    return f"{kind}, {speed / 1e6:.0f} MB/s written and synced"


def _write_speed(folder: Path) -> float:
    """Bytes per second of one file written from beginning to end and synced."""
    size, piece = 256 << 20, os.urandom(1 << 20)
    path = folder / "speed"
    began = time.monotonic()
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(piece)
        file.flush()
        os.fdatasync(file.fileno())
    seconds = time.monotonic() - began
    path.unlink()
    return size / seconds


def _system() -> str:
    text = Path("/etc/os-release").read_text() if Path("/etc/os-release").is_file() else ""
    name = re.search(r'^PRETTY_NAME="?([^"\n]+)', text, re.MULTILINE)
    return name[1] if name else platform.system()


def _version(name: str) -> str:
    try:
        path = program(name)
    except BenchError:
        return "not installed"
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    text = said.stdout or said.stderr
    number = re.search(r"(?:Distrib )(\d+(?:\.\d+)+)", text) or re.search(r"(\d+(?:\.\d+)+)", text)
    return number[1] if number else "unknown"
