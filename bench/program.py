"""Runs commands and measures them: wall and CPU seconds, the most memory of the whole process tree."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_TAIL = 2000
_LOOK_EVERY = 0.03
_PAGE = os.sysconf("SC_PAGE_SIZE")
PACKAGES = {
    "aria2c": "aria2",
    "gzip": "gzip",
    "mariadb": "mariadb-client-core",
    "mariadb-install-db": "mariadb-server-core",
    "mariadbd": "mariadb-server-core",
    "pigz": "pigz",
    "tar": "tar",
}
"""Debian packages of the programs that the bench runs besides bxbackup."""


class BenchError(RuntimeError):
    """A row cannot be measured; the text says why."""


@dataclass(frozen=True)
class Run:
    """What one command took: seconds on the wall and of CPU, bytes of memory at the most, if looked at."""

    seconds: float
    cpu: float
    memory: int


def program(name: str) -> str:
    """Path of a program.

    :raises BenchError: it is not installed; names the package.
    """
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise BenchError(f"{name} is not installed: apt-get install {PACKAGES.get(name, name)}")
    return found


def settle(folder: Path) -> None:
    """Wait until all that was written to the folder's file system is on the disk."""
    subprocess.run(["sync", "--file-system", str(folder)], check=True)


def measure(
    command: Sequence[str],
    *,
    sync: Path | None = None,
    limit: float = 900.0,
    stdin: Path | None = None,
    memory: bool = False,
) -> Run:
    """Run a command to its good end.

    :param sync: file system on which all that the command wrote must be before its clock stops.
    :param limit: seconds after which it is stopped.
    :param memory: look at the memory of the process and its children all the time.
    :raises BenchError: it failed, with the end of what it said.
    """
    began = time.monotonic()
    with started(command, stdin=stdin) as process:
        watch = _Watch(process.pid) if memory else None
        timer = threading.Timer(limit, stop, (process,))
        timer.start()
        try:
            cpu = _wait(process)
        finally:
            timer.cancel()
            most = watch.end() if watch else 0
        if process.returncode != 0:
            raise BenchError(f"{_named(command)} ended with {process.returncode}: {_said(process)}")
    if sync is not None:
        settle(sync)
    return Run(time.monotonic() - began, cpu, most)


@contextlib.contextmanager
def started(command: Sequence[str], *, stdin: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A command in a process group of its own, which is gone when the context ends, whatever happens."""
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(stdin.open("rb")) if stdin else subprocess.DEVNULL
        said = stack.enter_context(contextlib.closing(_Said()))
        process = subprocess.Popen(
            command, stdin=source, stdout=subprocess.DEVNULL, stderr=said.descriptor, start_new_session=True
        )
        _SAID[process.pid] = said
        try:
            yield process
        finally:
            stop(process)
            _SAID.pop(process.pid, None)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with all its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        with contextlib.suppress(ChildProcessError):
            process.wait()


class _Said:
    """What a process writes to its standard error, kept in memory."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("stderr")

    def close(self) -> None:
        os.close(self.descriptor)

    def tail(self) -> str:
        size = os.fstat(self.descriptor).st_size
        data = os.pread(self.descriptor, _TAIL, max(0, size - _TAIL))
        return data.decode("utf-8", "replace").strip()


_SAID: dict[int, _Said] = {}


def _said(process: subprocess.Popen[bytes]) -> str:
    said = _SAID.get(process.pid)
    return said.tail() if said else ""


def _named(command: Sequence[str]) -> str:
    return " ".join(command[:3])


def _wait(process: subprocess.Popen[bytes]) -> float:
    """Wait for the process; its CPU seconds, those of its children included.

    The system's own maximum of memory is of no use: a process begins with the size of the one that forked it.
    """
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


class _Watch:
    """Adds up the memory of a process and its descendants until told to end."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._most = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> int:
        """Bytes at the most."""
        self._stop.set()
        self._thread.join()
        return self._most

    def _look(self) -> None:
        while not self._stop.wait(_LOOK_EVERY):
            self._most = max(self._most, sum(map(_resident, _group(self._pid))))


def _group(leader: int) -> Iterator[int]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == leader:
                    yield int(folder.name)


def _resident(pid: int) -> int:
    """Bytes of memory that a process has in hand; 0 when it is gone."""
    with contextlib.suppress(OSError, ValueError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    return 0
