"""What can go wrong in the lab, as one sentence that names the cure."""

from __future__ import annotations

from boxlift.errors import BoxliftError, ExitCode


class LabError(BoxliftError):
    """A refusal or failure of a lab command; most are checks that refuse before anything is changed."""

    def __init__(self, message: str, code: ExitCode = ExitCode.PREFLIGHT) -> None:
        super().__init__(message)
        self.code = code
