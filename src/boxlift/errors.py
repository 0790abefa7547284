"""The family of errors that end a command, each with its exit code of the contract."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of `boxlift`; fixed, scripts rely on them."""

    DONE = 0
    OUR_FAULT = 1
    USAGE = 2
    PREFLIGHT = 3
    HOST_FAILED = 4
    UNREACHABLE = 5
    REFUSED = 6
    VERIFICATION_FAILED = 7
    PERSON_NEXT = 8
    INTERRUPTED = 130


class BoxliftError(Exception):
    """Ends the command with one clear message; `cure` says what to do now."""

    code = ExitCode.OUR_FAULT

    def __init__(self, message: str, cure: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure


class UsageError(BoxliftError):
    """The command line, the project or the plan file says something that can't be."""

    code = ExitCode.USAGE


class PreflightError(BoxliftError):
    """A check before the work refused; nothing was started."""

    code = ExitCode.PREFLIGHT


class RefusedError(BoxliftError):
    """Refused as unsafe: the plan's needs, another runner, a destructive step without an answer."""

    code = ExitCode.REFUSED


class PersonNextError(BoxliftError):
    """The next step is a person's."""

    code = ExitCode.PERSON_NEXT


class HostFailedError(BoxliftError):
    """A host could be reached and something on it failed."""

    code = ExitCode.HOST_FAILED


class UnreachableError(BoxliftError):
    """A host could not be reached."""

    code = ExitCode.UNREACHABLE


class StepFailedError(BoxliftError):
    """A step ended badly; its report has been shown already."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.code = code
