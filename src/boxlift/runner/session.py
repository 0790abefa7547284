"""The inside of one attempt: what runs is fed to journal, log and display."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from boxlift.errors import ExitCode
from boxlift.journal import Journal, JournalError, Measure, Result, Segment
from boxlift.project import Project
from boxlift.redact import Redactor
from boxlift.runner import process
from boxlift.runner.display import Display
from boxlift.runner.events import Diff, Line, Measures, Progress, Reader, Restore, Task
from boxlift.runner.failure import Failure
from boxlift.runner.log import Log
from boxlift.runner.playbook import Order, PlaybookRun, remove_work_folders
from boxlift.runner.repairs import lost
from boxlift.runner.suite import SuiteOrder, SuiteRun
from boxlift.runner.work import Work

_FLUSH_EVERY = 0.5
"""Seconds between two writes of results to the journal: each one waits for the disk."""
_FLUSH_AGAIN = 10.0
"""Seconds until a write that failed is tried again; what it held is kept."""
_SEGMENT_EVERY = 5.0
"""Seconds between two looks at a restore that the journal keeps."""
_GRACE = 15.0
"""Seconds that ansible-playbook gets to end by itself after Ctrl-C."""


class Session:
    """Runs a work's playbook and suites in the folder of its run."""

    def __init__(
        self,
        project: Project,
        journal: Journal,
        redact: Redactor,
        display: Display,
        *,
        work: Work,
        attempt: int,
        folder: Path,
    ) -> None:
        self._project = project
        self._journal = journal
        self._redact = redact
        self._display = display
        self._work = work
        self._attempt = attempt
        self._folder = folder
        self._results: list[Result] = []
        self._segments: list[Segment] = []
        self._measures: list[Measure] = []
        self._repairs: set[tuple[float | None, str]] = set()
        self._next_flush = time.monotonic()
        self._last_segment = 0.0
        self._reader = Reader()
        self.changes = 0
        self.moved: int | None = None
        self.tests = 0

    def run(self, log: Log, content: Path, vault: Path) -> Failure | None:
        """Playbook, then suites; stops at the first failure."""
        failure = None
        try:
            for playbook in self._work.playbooks:
                if failure is None:
                    failure = self._playbook(playbook, log, content, vault)
            suites = [] if self._work.trial else self._work.suites
            for suite in suites:
                if failure is None:
                    failure = self._suite(suite, log, content, vault)
        finally:
            self._flush(force=True)
        return failure

    def clean(self) -> None:
        """End what still runs here, remove what may hold secrets."""
        process.end(self._folder)
        remove_work_folders(self._folder)

    def _playbook(self, playbook: str, log: Log, content: Path, vault: Path) -> Failure | None:
        order = Order(
            playbook=self._project.playbook(playbook),
            inventory=self._project.inventory,
            content=content,
            project=self._project.root,
            folder=self._folder / playbook.removesuffix(".yml"),
            vault_password=vault,
            variables=self._work.variables,
            trial=self._work.trial,
        )
        self._reader = Reader()
        run = PlaybookRun(order)
        try:
            for event in run.events(self._idle):
                self._take(event, log)
        except KeyboardInterrupt:
            self._stop(run, log)
            raise
        finally:
            self.changes += self._reader.changes
            self.moved = self._reader.moved if self._reader.moved is not None else self.moved
        return self._reader.failure(run.return_code)

    def _stop(self, run: PlaybookRun, log: Log) -> None:
        """Let ansible-playbook end by itself, and kill it where it does not or Ctrl-C comes again."""
        self._display.line("! interrupted: waiting for ansible-playbook to end (Ctrl-C again kills it)")
        deadline = time.monotonic() + _GRACE
        try:
            process.send_to_children(self._folder, signal.SIGINT)

            def idle() -> None:
                self._idle()
                if time.monotonic() > deadline:
                    run.cancel()

            for event in run.events(idle):
                self._take(event, log)
        except KeyboardInterrupt:
            run.cancel()

    def _suite(self, suite: str, log: Log, content: Path, vault: Path) -> Failure | None:
        order = SuiteOrder(
            suite=suite,
            target=self._work.target,
            pass_=self._work.pass_,
            release=str(self._work.variables.get("portal_release", self._work.release)),
            inventory=self._project.inventory,
            content=content,
            project=self._project.root,
            folder=self._folder,
            vault_password=vault,
        )
        run = SuiteRun(order, log)
        self._display.task(Task("", "", f"suite {suite}"))
        before, skipped = self.tests, 0
        bad: list[Result] = []
        try:
            for result in run.results():
                self.tests += result.outcome == "ok"
                skipped += result.outcome == "skipped"
                if result.outcome == "failed":
                    bad.append(result)
                self._keep(result)
                self._flush()
        except KeyboardInterrupt:
            run.stop()
            raise
        code = ExitCode.PREFLIGHT if self._work.preflight else ExitCode.VERIFICATION_FAILED
        if run.passed:
            if self.tests > before:
                return None
            cause = f"every test of it was skipped ({skipped}): nothing is proved; the log says why"
            return Failure(code, "", f"suite {suite}", cause)
        task = bad[0].task if bad else f"suite {suite}"
        cause = bad[0].cause if bad and bad[0].cause else "tests failed"
        others = [f"also failed: {result.task}" for result in bad[1:6]]
        if len(bad) > len(others) + 1:
            others.append(f"and {len(bad) - len(others) - 1} more")
        return Failure(code, "", task, "\n".join([*cause.splitlines()[:8], *others]))

    def _take(self, event: Mapping[str, Any], log: Log) -> None:
        for told in self._reader.read(event):
            match told:
                case Line(text):
                    log.write(text)
                case Diff(text):
                    self._display.diff(self._redact(text))
                case Task():
                    self._display.task(replace(told, name=self._redact(told.name)))
                case Result():
                    self._keep(told)
                case Restore(segment, repairs):
                    self._display.restore(segment)
                    self._keep_restore(segment, repairs)
                case Progress():
                    self._display.progress(told)
                case Measures(measures):
                    self._measures += measures
        self._flush()

    def _keep(self, result: Result) -> None:
        self._results.append(result)
        self._display.result(replace(result, task=self._redact(result.task)))

    def _keep_restore(self, segment: Segment, repairs: tuple[tuple[float | None, str], ...]) -> None:
        if segment.at - self._last_segment >= _SEGMENT_EVERY or segment.state != "running":
            self._last_segment = segment.at
            self._segments.append(segment)
        for repair in repairs:
            if repair in self._repairs:
                continue
            self._repairs.add(repair)
            at, text = repair
            self._display.line(f"  repaired by itself: {self._redact(text)}")
            if not self._journal.has_incident("repair", self._work.step, text, at):
                self._journal.incident(
                    self._work.pass_,
                    "repair",
                    text,
                    step=self._work.step,
                    attempt=self._attempt,
                    host=segment.host,
                    at=at,
                )

    def _idle(self) -> None:
        self._display.idle()
        self._flush()

    def _flush(self, *, force: bool = False) -> None:
        """Write what has come since; on a full disk keep it and try again later."""
        waiting = self._results or self._segments or self._measures
        if not waiting or (not force and time.monotonic() < self._next_flush):
            return
        self._next_flush = time.monotonic() + _FLUSH_EVERY
        try:
            self._journal.add(self._attempt, self._results, self._segments, self._measures)
            if costs := lost(self._measures):
                self._journal.price(self._work.pass_, self._work.step, costs)
        except JournalError as error:
            self._display.line(f"! {error.message}; work goes on, the journal is tried again")
            self._next_flush = time.monotonic() + _FLUSH_AGAIN
            return
        self._results, self._segments, self._measures = [], [], []
