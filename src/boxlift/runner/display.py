"""What a run shows while it works: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import TracebackType

from rich import progress
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

from boxlift.figures import count, duration, iso, size
from boxlift.journal import Result, Segment
from boxlift.runner.events import Progress as Advance
from boxlift.runner.events import Task
from boxlift.runner.outlook import Outlook

_BAD = frozenset({"failed", "unreachable", "ignored"})
_WORTH_TELLING = _BAD | {"changed"}
_PLAIN_EVERY = 15.0
"""Seconds between two plain lines about the same restore or a task that goes on."""


@dataclass(frozen=True)
class Ended:
    """How a step ended: its exit code, seconds, changes on hosts, tests passed."""

    step: str
    exit: int
    seconds: float
    changes: int
    tests: int
    text: str


class Display:
    """Told of everything that happens. This one shows nothing but the last lines of a failure."""

    def __init__(self, console: Console | None = None, errors: Console | None = None) -> None:
        self._console = console or Console()
        self._errors = errors or Console(stderr=True, highlight=False)

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def busy(self, text: str) -> None:
        """Something goes on that is no step."""

    def begin(self, step: str, title: str, attempt: int, estimate: float | None) -> None:
        """A step starts."""

    def task(self, task: Task) -> None:
        """A task of its playbook starts."""

    def result(self, result: Result) -> None:
        """A task ended on a host, or a test ended."""

    def restore(self, segment: Segment) -> None:
        """A restore got on."""

    def progress(self, progress: Advance) -> None:
        """A long task got on."""

    def diff(self, text: str) -> None:
        """What check mode would change."""

    def idle(self) -> None:
        """Called every half second while nothing happens."""

    def end(self) -> None:
        """The step is over; questions may follow."""

    def done(self, ended: Ended) -> None:
        """How a step ended; a failure's last lines follow."""

    def outlook(self, outlook: Outlook) -> None:
        """What the run is about to do."""

    def line(self, text: str) -> None:
        """A sentence to keep on the screen."""

    def lines(self, texts: list[str]) -> None:
        """The last lines of a failure."""
        self.close()
        for text in texts:
            style = "bold red" if text.startswith("✗") else None
            self._errors.print(text, markup=False, style=style, soft_wrap=True)

    def close(self) -> None:
        """The run is over."""


def restore_figures(segment: Segment) -> str:
    """`12.4 of 30.0 GB (41 %), 2.1 MB/s, 2 h 20 min left · part 9 of 22 · table 12 of 58`."""
    parts = []
    if segment.bytes is not None and segment.bytes_total:
        share = 100 * segment.bytes // segment.bytes_total
        text = f"{size(segment.bytes)} of {size(segment.bytes_total)} ({share} %)"
        if segment.rate and segment.bytes < segment.bytes_total:
            left = (segment.bytes_total - segment.bytes) / segment.rate
            text += f", {size(segment.rate)}/s, {duration(left)} left"
        parts.append(text)
    for name, now, total in (
        ("part", segment.parts, segment.parts_total),
        ("table", segment.tables, segment.tables_total),
    ):
        if now is not None and total:
            parts.append(f"{name} {now} of {total}")
    if segment.rows:
        parts.append(f"{_spaced(segment.rows)} rows")
    return " · ".join(parts) or segment.state


def progress_figures(progress: Advance) -> str:
    """`index crm-lead (2 of 9): 12 400 of 30 000 (41 %), 310/s, 57 s left`."""
    text = f"{progress.what}: {_spaced(progress.done)}"
    if progress.total:
        text += f" of {_spaced(progress.total)} ({100 * progress.done // progress.total} %)"
    if progress.rate:
        text += f", {_spaced(round(progress.rate))}/s"
        if progress.total and progress.done < progress.total:
            text += f", {duration((progress.total - progress.done) / progress.rate)} left"
    return text


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


class PlainDisplay(Display):
    """One line a change, a failure, a quarter of a minute of restore: for logs and pipes.

    `verbose`: a line for whatever a task did on a host, and for each test.
    """

    def __init__(
        self, console: Console | None = None, errors: Console | None = None, *, verbose: bool = False
    ) -> None:
        super().__init__(console, errors)
        self._verbose = verbose
        self._task = ""
        self._reached = ""
        self._spoke = time.monotonic()

    def _say(self, text: str) -> None:
        self._spoke = time.monotonic()
        self._console.print(text, markup=False, soft_wrap=True)

    def _say_timed(self, text: str) -> None:
        self._say(f"  {time.strftime('%H:%M:%S')} {text}")

    def begin(self, step: str, title: str, attempt: int, estimate: float | None) -> None:
        details = [f"attempt {attempt}"] if attempt > 1 else []
        details += [f"about {duration(estimate)}"] if estimate else []
        self._say(f"▶ {step} · {title}" + (f" ({', '.join(details)})" if details else ""))

    def task(self, task: Task) -> None:
        self._task = task.name
        self._reached = ""

    def result(self, result: Result) -> None:
        if self._verbose or result.outcome in _WORTH_TELLING:
            on = f"{result.host} · " if result.host else ""
            took = f" in {result.seconds:.1f} s" if self._verbose and result.seconds is not None else ""
            self._say_timed(f"{on}{result.task}: {result.outcome}{took}")

    def restore(self, segment: Segment) -> None:
        if time.monotonic() - self._spoke >= _PLAIN_EVERY or segment.state != "running":
            self._say_timed(f"{segment.host} · {restore_figures(segment)}")

    def progress(self, progress: Advance) -> None:
        self._reached = f"{progress.host} · {progress_figures(progress)}"
        if time.monotonic() - self._spoke >= _PLAIN_EVERY:
            self._say_timed(self._reached)

    def idle(self) -> None:
        if self._task and time.monotonic() - self._spoke >= _PLAIN_EVERY:
            self._say_timed(self._reached or f"{self._task}: goes on")

    def diff(self, text: str) -> None:
        for line in text.splitlines():
            style = "green" if line.startswith("+") else "red" if line.startswith("-") else None
            self._console.print(f"    {line}", markup=False, soft_wrap=True, style=style)

    def line(self, text: str) -> None:
        self._say(text)

    def done(self, ended: Ended) -> None:
        if ended.exit == 0:
            self._say(ended.text)

    def outlook(self, outlook: Outlook) -> None:
        for line in outlook.lines():
            self._say(line)


class _Bar(ProgressColumn):
    """A bar where the end is known, and nothing where it is not."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = BarColumn(bar_width=24)

    def render(self, task: progress.Task) -> RenderableType:
        return self._bar.render(task) if task.total else ""


class LiveDisplay(PlainDisplay):
    """A line that moves: step, task, time; a bar where bytes are known. Changes are counted only."""

    def __init__(
        self, console: Console | None = None, errors: Console | None = None, *, verbose: bool = False
    ) -> None:
        super().__init__(console, errors, verbose=verbose)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            _Bar(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            expand=True,
        )
        self._row: TaskID | None = None
        self._step = ""
        self._changes = 0

    def busy(self, text: str) -> None:
        self._show(text)

    def begin(self, step: str, title: str, attempt: int, estimate: float | None) -> None:
        super().begin(step, title, attempt, estimate)
        self._step, self._changes = step, 0
        self._show(step)

    def _show(self, text: str) -> None:
        if self._row is not None:
            self._progress.remove_task(self._row)
        self._row = self._progress.add_task(escape(text), total=None)
        self._progress.start()

    def _describe(self, text: str, done: float | None = None, total: float | None = None) -> None:
        if self._row is not None:
            changes = f" · {count(self._changes, 'change')}" if self._changes else ""
            self._progress.update(
                self._row,
                description=escape(f"{self._step} · {text}{changes}"),
                completed=done or 0,
                total=total,
            )

    def task(self, task: Task) -> None:
        super().task(task)
        self._describe(task.name)

    def result(self, result: Result) -> None:
        if self._verbose or result.outcome in _BAD:
            super().result(result)
        self._changes += result.outcome == "changed"
        self._describe(result.task)

    def restore(self, segment: Segment) -> None:
        self._describe(restore_figures(segment), segment.bytes, segment.bytes_total)

    def progress(self, progress: Advance) -> None:
        self._describe(progress_figures(progress), progress.done, progress.total)

    def idle(self) -> None:
        """The spinner shows that it goes on."""

    def end(self) -> None:
        self.close()

    def close(self) -> None:
        if self._row is not None:
            self._progress.remove_task(self._row)
            self._row = None
        self._progress.stop()


class JsonDisplay(Display):
    """A JSON object a line (docs/contracts/run.schema.json); the last lines of a failure go to the errors."""

    def _tell(self, event: str, **told: object) -> None:
        line = {"schema": 1, "event": event, "at": iso(time.time()), **told}
        self._console.file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._console.file.flush()

    def outlook(self, outlook: Outlook) -> None:
        self._tell("outlook", **outlook.as_dict())

    def begin(self, step: str, title: str, attempt: int, estimate: float | None) -> None:
        self._tell("begin", step=step, title=title, attempt=attempt, estimate=estimate)

    def result(self, result: Result) -> None:
        self._tell(
            "result", host=result.host, task=result.task, outcome=result.outcome, seconds=result.seconds
        )

    def restore(self, segment: Segment) -> None:
        self._tell("restore", **{name: value for name, value in asdict(segment).items() if name != "at"})

    def progress(self, progress: Advance) -> None:
        self._tell("progress", **asdict(progress))

    def diff(self, text: str) -> None:
        self._tell("diff", text=text)

    def line(self, text: str) -> None:
        self._tell("line", text=text)

    def done(self, ended: Ended) -> None:
        self._tell("done", **asdict(ended))


class Amount(StrEnum):
    """How much a command tells."""

    QUIET = "quiet"
    NORMAL = "normal"
    VERBOSE = "verbose"
    JSON = "json"


def display_for(console: Console, amount: Amount = Amount.NORMAL) -> Display:
    """The live view on a terminal, plain lines without one."""
    if amount is Amount.JSON:
        return JsonDisplay(console)
    if amount is Amount.QUIET:
        return Display(console)
    verbose = amount is Amount.VERBOSE
    return (
        LiveDisplay(console, verbose=verbose)
        if console.is_terminal
        else PlainDisplay(console, verbose=verbose)
    )
