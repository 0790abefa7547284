"""One line about how a command ended, whatever happened."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from boxlift.errors import BoxliftError, ExitCode
from boxlift.figures import duration
from boxlift.project import Project
from boxlift.redact import Redactor
from boxlift.unattended.targets import Target, load_targets


def telling(project: Project, command: str, act: Callable[[], ExitCode]) -> ExitCode:
    """Run a command and tell the project's targets in one line how it ended.

    :raises UsageError: nobody is named to be told; nothing was started.
    :raises BoxliftError: what `act` raises, told before; or targets that do not take the good news.
    """
    targets = load_targets(project.root)
    started = _attempts(project)
    try:
        code = act()
    except BoxliftError as error:
        _tell(targets, _one(f"{_subject(project, command)} ended with {int(error.code)}: {error.message}"))
        raise
    except BaseException as error:
        how = "was interrupted" if isinstance(error, KeyboardInterrupt) else "ended with an error of its own"
        _tell(targets, f"{_subject(project, command)} {how}")
        raise
    deaf = _tell(targets, _one(_result(project, command, code, started)))
    if deaf and code is ExitCode.DONE:
        raise BoxliftError("; ".join(deaf))
    return code


def _tell(targets: Sequence[Target], line: str) -> list[str]:
    """Tell everybody, whoever of them is away; what went wrong, which stands in the log as well."""
    deaf = []
    for target in targets:
        try:
            target.tell(line)
        except BoxliftError as error:
            deaf.append(error.message)
            sys.stderr.write(f"{error.message}\n")
    return deaf


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
