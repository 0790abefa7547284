"""What a check found: measured value, limit and cure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from boxlift.errors import ExitCode


@dataclass(frozen=True)
class Finding:
    """One check of one subject: a host, `project`, `control node`. `cure`: what to do where it is not ok.

    A `warning` that is not ok is told, and keeps nobody from starting: it has time until a later step.
    """

    check: str
    subject: str
    ok: bool
    measured: str
    limit: str
    cure: str = ""
    unreachable: bool = False
    warning: bool = False

    @property
    def refuses(self) -> bool:
        return not (self.ok or self.warning)


def verdict(findings: Sequence[Finding]) -> ExitCode:
    """DONE, PREFLIGHT where anything refuses, UNREACHABLE where nothing but reaching a host fails."""
    bad = [finding for finding in findings if finding.refuses]
    if not bad:
        return ExitCode.DONE
    return ExitCode.UNREACHABLE if all(finding.unreachable for finding in bad) else ExitCode.PREFLIGHT
