"""What is done of a pull, so that the next run goes on; what it does now, so that people can see."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

_EVERY = 1.0
"""Seconds between two looks that are written."""


def durable(path: Path, content: Mapping[str, Any], mode: int = 0o640) -> None:
    """Write, make durable, rename, make the name durable."""
    fresh = path.with_name(f".{path.name}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class State:
    """`state.json`: stages that are done and when, and the figures of the report. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        """Read what an earlier run left; a file that was cut counts as none."""
        self._path = folder / "state.json"
        self._lock = threading.Lock()
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            found = {}
        self._content: dict[str, Any] = found if isinstance(found, dict) else {}

    def done(self, stage: str) -> float | None:
        """When a stage was done, in seconds since 1970."""
        at = self._content.get("stages", {}).get(stage)
        return float(at) if at is not None else None

    def mark(self, stage: str) -> None:
        """A stage is done, durably."""
        with self._lock:
            self._content.setdefault("stages", {})[stage] = time.time()
            self._write()

    def forget(self, *stages: str) -> None:
        """Stages that have to be done again."""
        with self._lock:
            for stage in stages:
                self._content.get("stages", {}).pop(stage, None)
            self._write()

    def figures(self, name: str) -> dict[str, Any]:
        """Figures of a stage that was measured; empty before."""
        found = self._content.get("figures", {}).get(name, {})
        return dict(found)

    def measure(self, name: str, figures: Mapping[str, Any]) -> None:
        """Keep figures of a stage."""
        with self._lock:
            self._content.setdefault("figures", {})[name] = dict(figures)
            self._write()

    def bind(self, **facts: str) -> bool:
        """Keep what the pull is of; whether nothing that came before counts.

        The stages are forgotten where a fact differs from the kept one.
        """
        if self._content.get("of") == facts:
            return False
        self._content = {"of": facts, "begun": time.time(), "stages": {}, "figures": {}}
        self._write()
        return True

    def _write(self) -> None:
        durable(self._path, self._content)


class Strand:
    """What one part of a run does now: its stage, and the bytes that have come in it."""

    def __init__(self, changed: Callable[[bool], None]) -> None:
        """Nothing yet; `changed` is called with whether it must be told at once."""
        self.name = ""
        self.came = 0
        self.total: int | None = None
        self._began = time.monotonic()
        self._changed = changed

    def stage(self, name: str, total: int | None = None) -> None:
        """Another stage begins; `total` bytes are expected, None where nobody knows."""
        self.name, self.came, self.total = name, 0, total
        self._began = time.monotonic()
        self._changed(True)

    def moved(self, total: int) -> None:
        """So many bytes of the stage have come. A full disk is told by the programs that write."""
        self.came = total
        self._changed(False)

    @property
    def rate(self) -> float:
        """Bytes a second of the stage."""
        return self.came / max(time.monotonic() - self._began, 0.001)


class Status(Strand):
    """`status.json`, in the form that bxbackup writes: what runs, how much has come, how it ended.

    What is done at the same time is told in one line: the stages by name, their bytes together.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(self._running)
        self._path = folder / "status.json"
        self._started = time.time()
        self._written = 0.0
        self._beside: list[Strand] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def beside(self) -> Iterator[Strand]:
        """A part of the run with stages of its own. One that fails stays told."""
        strand = Strand(self._running)
        with self._lock:
            self._beside.append(strand)
        yield strand
        with self._lock:
            self._beside.remove(strand)

    def end(self, state: str, code: int, error: str | None = None) -> None:
        """The last word: done or failed. On a full disk it stands in the journal of the unit alone."""
        with contextlib.suppress(OSError):
            self._write(state, code, error)

    def _running(self, now: bool) -> None:
        if now:
            self._write("running")
        elif time.monotonic() - self._written >= _EVERY:
            with contextlib.suppress(OSError):
                self._write("running")

    def _write(self, state: str, code: int | None = None, error: str | None = None) -> None:
        with self._lock:
            self._written = time.monotonic()
            strands = [strand for strand in self._beside if strand.name] or [self]
            totals = [strand.total for strand in strands if strand.total is not None]
            content = {
                "state": state,
                "exit": code,
                "started": self._started,
                "updated": time.time(),
                "stage": ", ".join(strand.name for strand in strands),
                "bytes": {
                    "fetched": sum(strand.came for strand in strands),
                    "total": sum(totals) if len(totals) == len(strands) else None,
                },
                "rate": sum(strand.rate for strand in strands),
                "error": error,
            }
            fresh = self._path.with_name(".status.json.new")
            fresh.write_text(json.dumps(content) + "\n", encoding="utf-8")
            fresh.chmod(0o640)
            fresh.replace(self._path)
