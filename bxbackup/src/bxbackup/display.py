"""Progress for a person: one moving line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from bxbackup.load import LoadProgress
from bxbackup.report import amount, console, duration

_EVERY = 10.0


class Display:
    """Shows how far a command is. To be used as a context.

    :param total: bytes to go through; 0 while unknown.
    """

    def __init__(self, doing: str, total: int, *, quiet: bool = False) -> None:
        self._doing = doing
        self._total = total
        self._out = console(error=True)
        self._quiet = quiet
        self._progress: Progress | None = None
        self._began = self._said = time.monotonic()
        if self._out.is_terminal and not quiet:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
                console=self._out,
                transient=True,
            )

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

    def _show(self, text: str, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress.update(
                self._progress.task_ids[0], description=text, completed=done, total=total or None
            )
            return
        moment = time.monotonic()
        if self._quiet or moment - self._said < _EVERY:
            return
        self._said = moment
        rate = done / (moment - self._began)
        eta = f", about {duration((total - done) / rate)} to go" if total and rate else ""
        self._out.print(f"{text}: {amount(done)} of {amount(total)}, {amount(rate)}/s{eta}", markup=False)
