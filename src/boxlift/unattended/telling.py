"""One line about how a command ended, whatever happened."""

from __future__ import annotations

from collections.abc import Callable

from boxlift.errors import BoxliftError, ExitCode
from boxlift.figures import duration
from boxlift.project import Project
from boxlift.redact import Redactor
from boxlift.unattended.targets import load_targets


def telling(project: Project, command: str, act: Callable[[], ExitCode]) -> ExitCode:
    """Run a command and tell the project's targets in one line how it ended.

    :raises UsageError: nobody is named to be told; nothing was started.
    :raises BoxliftError: what `act` raises, told before; or a target that does not take the line.
    """
    targets = load_targets(project.root)
    started = _attempts(project)
    try:
        code = act()
    except BoxliftError as error:
        line = f"{_subject(project, command)} ended with {int(error.code)}: {error.message}"
        for target in targets:
            target.tell(_one(line))
        raise
    except KeyboardInterrupt:
        for target in targets:
            target.tell(f"{_subject(project, command)} was interrupted")
        raise
    line = _one(_result(project, command, code, started))
    for target in targets:
        target.tell(line)
    return code


def _attempts(project: Project) -> int:
    with project.journal() as journal:
        return max((attempt.id for attempt in journal.attempts()), default=0)


def _result(project: Project, command: str, code: ExitCode, before: int) -> str:
    subject = _subject(project, command)
    with project.journal() as journal:
        ours = [attempt for attempt in journal.attempts() if attempt.id > before]
    took = f" in {duration(sum(attempt.seconds or 0 for attempt in ours))}" if ours else ""
    if code is ExitCode.DONE:
        return f"{subject} done{took}"
    last = ours[-1] if ours else None
    cause = (last.cause or "").splitlines() if last else []
    log = f" · log: {last.log}" if last and last.log else ""
    return f"{subject} failed ({int(code)}){took}: {cause[0] if cause else 'no cause was told'}{log}"


def _subject(project: Project, command: str) -> str:
    return f"boxlift {command} of {project.settings.name}"


def _one(text: str) -> str:
    """The text as one line without secrets: whoever reads it may be anybody."""
    return " ".join(Redactor()(text).split())
