"""Progress for a person: one moving line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING

from bxbackup.report import amount, console, duration
from bxbackup.status import Status

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from bxbackup.comparison import Comparison
    from bxbackup.crew import LoadProgress

_EVERY = 10.0


def _moving_line(out: Console) -> Progress:
    """A bar with what is done and how long it will take; what draws it is imported only for a terminal."""
    rich = import_module("rich.progress")
    columns = [
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.DownloadColumn(),
        rich.TransferSpeedColumn(),
        rich.TimeRemainingColumn(),
    ]
    found: Progress = rich.Progress(*columns, console=out, transient=True)
    return found


class Display:
    """Shows how far a command is. To be used as a context.

    :param total: bytes to go through; 0 while unknown.
    """

    def __init__(self, doing: str, total: int, *, quiet: bool = False) -> None:
        self._doing = doing
        self._total = total
        self._out = console(error=True)
        self._quiet = quiet
        self._repairs = 0
        self._progress: Progress | None = None
        self._began = self._said = time.monotonic()
        if self._out.is_terminal and not self._out.is_dumb_terminal and not quiet:
            self._progress = _moving_line(self._out)

    def __enter__(self) -> Display:
        if self._progress is not None:
            self._progress.start()
            self._progress.add_task(self._doing, total=self._total or None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def at(self, what: str, done: int) -> None:
        """Bytes done so far, and on what the work is."""
        self._show(f"{self._doing} {what}", done, self._total)

    def loading(self, progress: LoadProgress) -> None:
        """How far the load is."""
        text = f"{self._doing} {progress.table or ''} · table {progress.loaded} of {progress.tables}"
        self._show(text, progress.bytes, progress.total_bytes)

    def comparing(self, found: Comparison) -> None:
        """How far a comparison is."""
        text = f"{self._doing} · file {found.done:,} of {found.rows:,}"
        self._show(text, found.bytes, found.bytes_total, found.rate, found.remaining)

    def restoring(self, status: Status) -> None:
        """How far a restore is, all rooms."""
        parts = status.parts
        total = parts["total"] or "?"
        text = f"{self._doing} · parts: {parts['fetched']} fetched, {parts['unpacked']} unpacked of {total}"
        if status.tables_total:
            text += f" · table {status.tables_loaded} of {status.tables_total}"
        compared = status.extra.get("compared")
        if compared is not None:
            text += f" · upload {compared['done']:,} of {compared['rows']:,} compared"
        if status.state == "waiting":
            text += " · waiting for the time window"
        for repair in status.repairs[max(self._repairs, status.told) :]:
            self._say(f"{repair['part']} {repair['what']}")
        self._repairs = len(status.repairs)
        self._show(text, status.fetched, status.size or 0, status.rate, status.remaining)

    def _say(self, line: str) -> None:
        if not self._quiet:
            self._out.print(line, markup=False)

    def _show(
        self, text: str, done: int, total: int, rate: float | None = None, remaining: float | None = None
    ) -> None:
        if self._progress is not None:
            self._progress.update(
                self._progress.task_ids[0], description=text, completed=done, total=total or None
            )
            return
        moment = time.monotonic()
        if self._quiet or moment - self._said < _EVERY:
            return
        self._said = moment
        if rate is None:
            rate = done / (moment - self._began)
            remaining = (total - done) / rate if total and rate else None
        eta = f", about {duration(remaining)} to go" if remaining is not None else ""
        self._out.print(f"{text}: {amount(done)} of {amount(total)}, {amount(rate)}/s{eta}", markup=False)
