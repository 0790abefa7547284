"""What the journal holds, as it is read back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attempt:
    """One start of one step. Times are seconds since 1970 UTC."""

    id: int
    run: int
    pass_: str
    phase: str
    step: str
    kind: str
    release: str
    number: int
    trial: bool
    started: float
    ended: float | None
    outcome: str
    exit: int | None
    changes: int
    bytes: int | None
    cause: str | None
    log: str | None

    @property
    def seconds(self) -> float | None:
        return None if self.ended is None else self.ended - self.started


@dataclass(frozen=True)
class Result:
    """What one task (or test) did on one host."""

    play: str
    role: str
    task: str
    host: str
    started: float | None
    ended: float | None
    seconds: float | None
    outcome: str
    tries: int = 1
    cause: str | None = None


@dataclass(frozen=True)
class Segment:
    """One look at a running restore. `rate` is in bytes per second."""

    host: str
    at: float
    state: str
    bytes: int | None = None
    bytes_total: int | None = None
    rate: float | None = None
    parts: int | None = None
    parts_total: int | None = None
    files: int | None = None
    tables: int | None = None
    tables_total: int | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Measure:
    """What bxbackup measured: `kind` is line (bytes that arrived in a slice of time), part, unpack or table.

    `started` by the host's clock, `bytes` as kept for that kind: on the line, of the part, unpacked, of dump.
    """

    host: str
    kind: str
    name: str
    started: float
    seconds: float
    bytes: int
    rows: int | None = None
    repairs: int | None = None


@dataclass(frozen=True)
class Frozen:
    """A forecast as it was made; `content` is JSON."""

    pass_: str
    release: str
    made: float
    content: str


@dataclass(frozen=True)
class Verdict:
    """A person's word on a step: confirm, refuse or reopen. `began`: since when, if the person said so."""

    pass_: str
    step: str
    release: str
    verdict: str
    by: str
    note: str | None
    at: float
    began: float | None = None


@dataclass(frozen=True)
class Incident:
    """A note, an automatic repair, a failure or an interruption; `cost` in seconds where known."""

    at: float
    pass_: str
    step: str | None
    attempt: int | None
    host: str | None
    kind: str
    text: str
    cost: float | None
