"""One attempt of one piece of work: playbook and suites, journalled, shown, cleaned up after."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from boxlift.content import content_root
from boxlift.errors import BoxliftError, ExitCode
from boxlift.figures import count, duration
from boxlift.journal import Journal, JournalError
from boxlift.project import Project
from boxlift.redact import Redactor
from boxlift.runner.display import Display, Ended
from boxlift.runner.failure import Failure
from boxlift.runner.interrupt import signals_interrupt
from boxlift.runner.log import Log
from boxlift.runner.secrets import named_secrets
from boxlift.runner.session import Session
from boxlift.runner.work import Work


class Attempts:
    """Carries out works for one project; hold the project's lock."""

    def __init__(self, project: Project, journal: Journal, redact: Redactor, display: Display) -> None:
        self._project = project
        self._journal = journal
        self._redact = redact
        self._display = display
        self._vault = project.vault().path
        self._content = content_root()
        journal.redact = redact

    def hide(self, secrets: Sequence[str]) -> None:
        """Further secrets that must not be stored or shown."""
        self._redact.hide(secrets)

    def carry_out(self, work: Work) -> ExitCode:
        """Run it; DONE, or the failure's code after its last lines have been shown."""
        self._redact.hide(named_secrets(work.variables))
        folder = self._new_folder()
        log = folder / f"{work.step}.log"
        shown_log = str(log.relative_to(self._project.root))
        attempt = self._journal.begin(
            run=int(folder.name),
            pass_=work.pass_,
            phase=work.phase,
            step=work.step,
            kind=work.kind,
            release=work.release,
            trial=work.trial,
            log=shown_log,
        )
        number = sum(
            1 for old in self._journal.attempts() if old.step == work.step and old.pass_ == work.pass_
        )
        self._display.begin(work.step, work.title, number, work.estimate)
        if work.changes and not work.trial:
            self._display.line(f"  changes {work.changes}")
        began = time.monotonic()
        session = Session(
            self._project,
            self._journal,
            self._redact,
            self._display,
            work=work,
            attempt=attempt,
            folder=folder,
        )
        failure: Failure | None = None
        try:
            with Log(log, self._redact, self._display.line) as file, signals_interrupt():
                failure = session.run(file, self._content, self._vault)
        except KeyboardInterrupt:
            failure = Failure(ExitCode.INTERRUPTED, "", "", "interrupted; what is done stays done")
        except BoxliftError as error:
            text = error.message if error.cure is None else f"{error.message}\n{error.cure}"
            failure = Failure(error.code, "", "", text)
        except OSError as error:
            failure = Failure(ExitCode.OUR_FAULT, "", "", f"{error.strerror}: {error.filename or folder}")
        finally:
            self._display.end()
            session.clean()
        seconds = time.monotonic() - began
        self._close(session, attempt, work, failure=failure, seconds=seconds)
        code = failure.code if failure else ExitCode.DONE
        text = _ended(work, code, seconds, session)
        self._display.done(Ended(work.step, code, seconds, session.changes, session.tests, text))
        if failure is None:
            return ExitCode.DONE
        shown = Failure(failure.code, failure.host, self._redact(failure.task), self._redact(failure.cause))
        self._display.lines(shown.lines(work.step, shown_log, work.resume))
        return failure.code

    def _close(
        self, session: Session, attempt: int, work: Work, *, failure: Failure | None, seconds: float
    ) -> None:
        """Write the attempt's end; if even the reserve does not help, say so: the next run settles it."""
        outcome = "done"
        if failure is not None:
            outcome = "interrupted" if failure.code is ExitCode.INTERRUPTED else "failed"
        try:
            self._journal.end(
                attempt,
                outcome,
                failure.code if failure else ExitCode.DONE,
                changes=session.changes,
                moved=session.moved,
                cause=failure.cause if failure else None,
            )
            if failure is not None and not work.trial:
                kind = "interruption" if outcome == "interrupted" else "failure"
                where = f"{failure.task}: " if failure.task else ""
                text = f"{where}{failure.cause.splitlines()[0] if failure.cause else ''}"
                self._journal.incident(
                    work.pass_,
                    kind,
                    text,
                    step=work.step,
                    attempt=attempt,
                    host=failure.host or None,
                    cost=seconds,
                )
        except JournalError as error:
            self._display.line(f"! {error.message}; the next run takes this attempt for interrupted")

    def _new_folder(self) -> Path:
        """`.boxlift/runs/NNNN`, never used before (lab_hosts: an old one's variables would stay in force)."""
        runs = self._project.runs
        runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        numbers = [int(path.name) for path in runs.iterdir() if path.name.isdigit()]
        folder = runs / f"{max(numbers, default=0) + 1:04}"
        folder.mkdir(mode=0o700)
        return folder


def _ended(work: Work, code: ExitCode, seconds: float, session: Session) -> str:
    """How it went in one line; what a failure means is told after it."""
    changes, tests = session.changes, session.tests
    failed = code is not ExitCode.DONE
    facts = [f"exit code {int(code)}"] if failed else []
    if work.playbooks and (changes or not failed):
        facts.append(count(changes, "change") if changes else "nothing to change")
    facts += [f"{count(tests, 'test')} passed"] if tests else []
    mode = " (check mode: nothing was changed)" if work.trial else ""
    return f"{'✗' if failed else '✓'} {work.step} · {duration(seconds)} · {', '.join(facts)}{mode}"
