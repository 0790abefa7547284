"""What can go wrong in the lab, as one sentence that names the cure."""

from __future__ import annotations

USAGE = 2
PREFLIGHT = 3
HOST = 4
REFUSED = 6
OURS = 1


class LabError(Exception):
    """A refusal or failure of a lab command; `exit_code` follows boxlift's contract (3: a check refused)."""

    def __init__(self, message: str, exit_code: int = PREFLIGHT) -> None:
        super().__init__(message)
        self.exit_code = exit_code
