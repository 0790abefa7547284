"""What one attempt is to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Work:
    """Playbooks, suites after them, or suites alone.

    `step` is the plan's id, or the command's name where it is no step. `preflight`: the suites say whether
    work may start, so their failure is exit code 3 and not 7. `trial`: check mode, suites are left out.
    `resume`: the exact command that goes on after a failure. `changes`: what it changes, in words.
    """

    step: str
    title: str
    phase: str
    kind: str
    pass_: str
    release: str
    target: str
    resume: str
    playbooks: Sequence[str] = ()
    suites: Sequence[str] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    trial: bool = False
    preflight: bool = False
    estimate: float | None = None
    changes: str = ""
