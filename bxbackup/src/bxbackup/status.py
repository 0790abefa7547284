"""`status.json`: how far a restore is, for whoever asks from outside."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from bxbackup.durable import no_room
from bxbackup.errors import BackupError
from bxbackup.state import now

_MODE = 0o640
_MOST_REPAIRS = 500
_EXTRA = frozenset({"remarks", "suspect", "uploads", "compared"})

StateName = Literal["running", "waiting", "done", "failed"]


@dataclass
class Status:
    """The figures of a restore; safe to change from several threads. `as_json` is the contract's form.

    :param told: how many of the repairs are those of earlier runs, and were shown.
    """

    state: StateName = "running"
    exit: int | None = None
    started: str = field(default_factory=now)
    parts: dict[str, int | None] = field(
        default_factory=lambda: {"total": None, "fetched": 0, "verified": 0, "unpacked": 0}
    )
    size: int | None = None
    fetched: int = 0
    rate: float = 0.0
    remaining: float | None = None
    files: int = 0
    tables_total: int | None = None
    tables_loaded: int = 0
    rows: int = 0
    part: str | None = None
    table: str | None = None
    repairs: list[dict[str, str]] = field(default_factory=list)
    error: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    told: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def change(self, change: Callable[[Status], None]) -> None:
        """Change figures in one go."""
        with self._lock:
            change(self)

    def go_on_from(self, found: dict[str, Any], *, finished: bool) -> None:
        """Take over what an earlier run has written: its repairs; of one that had finished all figures."""
        with self._lock:
            self.repairs = list(found["repairs"])
            self.told = len(self.repairs)
            if finished:
                self.started, self.parts, self.files = found["started"], dict(found["parts"]), found["files"]
                self.size, self.fetched = found["bytes"]["total"], found["bytes"]["fetched"]
                self.tables_total, self.tables_loaded = found["tables"]["total"], found["tables"]["loaded"]
                self.rows = found["rows"]
                self.extra = {name: value for name, value in found.items() if name in _EXTRA}

    def repaired(self, what: str, part: str) -> None:
        """Enter something that went wrong and was put right."""
        with self._lock:
            if len(self.repairs) < _MOST_REPAIRS:
                self.repairs.append({"at": now(), "what": what, "part": part})

    def failed(self, error: BackupError) -> None:
        """Enter the error that the command will end with."""
        with self._lock:
            self.error = {
                "exit": error.exit_code,
                "what": error.what,
                "part": error.part,
                "offset": error.offset,
                "cause": error.cause,
                "advice": error.advice,
                "kept": error.kept,
            }

    def as_json(self) -> dict[str, Any]:
        """The object in `status.json`."""
        with self._lock:
            eta = None
            if self.remaining is not None and self.state in ("running", "waiting"):
                eta = (datetime.now(UTC) + timedelta(seconds=self.remaining)).isoformat(timespec="seconds")
            return {
                "state": self.state,
                "exit": self.exit,
                "started": self.started,
                "updated": now(),
                "eta": eta,
                "parts": dict(self.parts),
                "bytes": {"total": self.size, "fetched": self.fetched},
                "rate": round(self.rate),
                "files": self.files,
                "tables": {"total": self.tables_total, "loaded": self.tables_loaded},
                "rows": self.rows,
                "current": {"part": self.part, "table": self.table},
                "repairs": list(self.repairs),
                "error": self.error,
                **self.extra,
            }

    def write(self, path: Path) -> None:
        """Replace the file, so that a reader sees the old or the new one, never half of one.

        On a full disk the old one stays: the work itself finds that out, and tells it.
        """
        temporary = path.with_name(path.name + ".new")
        try:
            temporary.write_text(json.dumps(self.as_json(), ensure_ascii=False, indent=1) + "\n")
            temporary.chmod(_MODE)
            temporary.rename(path)
        except OSError as error:
            if not no_room(error):
                raise
