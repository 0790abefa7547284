"""What is done of a pull, so that the next run goes on; what it does now, so that people can see."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
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
    """`state.json`: the stages that are done and when, and the figures of the report."""

    def __init__(self, folder: Path) -> None:
        """Read what an earlier run left; a file that was cut counts as none."""
        self._path = folder / "state.json"
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
        self._content.setdefault("stages", {})[stage] = time.time()
        self._write()

    def forget(self, *stages: str) -> None:
        """Stages that have to be done again."""
        for stage in stages:
            self._content.get("stages", {}).pop(stage, None)
        self._write()

    def figures(self, name: str) -> dict[str, Any]:
        """Figures of a stage that was measured; empty before."""
        found = self._content.get("figures", {}).get(name, {})
        return dict(found)

    def measure(self, name: str, figures: Mapping[str, Any]) -> None:
        """Keep figures of a stage."""
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


class Status:
    """`status.json`, in the form that bxbackup writes: what runs, how much has come, how it ended."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "status.json"
        self._started = time.time()
        self._written = 0.0
        self._stage = ""
        self._stage_began = time.monotonic()
        self._moved = 0
        self._total: int | None = None

    def stage(self, name: str, total: int | None = None) -> None:
        """Another stage begins; `total` bytes are expected, None where nobody knows."""
        self._stage, self._moved, self._total = name, 0, total
        self._stage_began = time.monotonic()
        self._write("running")

    def moved(self, total: int) -> None:
        """So many bytes of the stage have come. A full disk is told by the programs that write."""
        self._moved = total
        if time.monotonic() - self._written >= _EVERY:
            with contextlib.suppress(OSError):
                self._write("running")

    def end(self, state: str, code: int, error: str | None = None) -> None:
        """The last word: done or failed. On a full disk it stands in the journal of the unit alone."""
        with contextlib.suppress(OSError):
            self._write(state, code, error)

    def _write(self, state: str, code: int | None = None, error: str | None = None) -> None:
        self._written = time.monotonic()
        seconds = max(self._written - self._stage_began, 0.001)
        content = {
            "state": state,
            "exit": code,
            "started": self._started,
            "updated": time.time(),
            "stage": self._stage,
            "bytes": {"fetched": self._moved, "total": self._total},
            "rate": self._moved / seconds,
            "error": error,
        }
        fresh = self._path.with_name(".status.json.new")
        fresh.write_text(json.dumps(content) + "\n", encoding="utf-8")
        fresh.chmod(0o640)
        fresh.replace(self._path)
