"""What a forecast says; docs/contracts/forecast.schema.json is made from these models.

Durations are seconds, sizes bytes, moments seconds since 1970 UTC here and ISO 8601 in JSON. `p80` is the
value that 80 of 100 moves stay below. An interval of 80 % reaches from `p10` to `p90`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from boxlift.figures import iso, moment
from boxlift.forecast.arrivals import KindName
from boxlift.plan.model import Kind, Owner, Pass
from boxlift.plan.state import State

LEVELS = (0.10, 0.50, 0.80, 0.90, 0.95)
"""Levels of `Quantiles`."""

Moment = Annotated[
    float,
    BeforeValidator(moment),
    PlainSerializer(iso, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""Seconds since 1970 UTC."""
PassName = Annotated[
    Pass, Field(validation_alias=AliasChoices("pass", "pass_name"), serialization_alias="pass")
]
Share = Annotated[float, Field(ge=0, le=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Quantiles(_Frozen):
    """A distribution by five of its quantiles."""

    p10: float
    p50: float
    p80: float
    p90: float
    p95: float


class Finish(_Frozen):
    """When something ends."""

    p10: Moment
    p50: Moment
    p80: Moment
    p90: Moment
    p95: Moment


class Source(StrEnum):
    """What a figure rests on, best first."""

    FACT = "fact"
    """It is done."""
    LIVE = "live"
    """The work that runs now, blended with earlier runs."""
    MEASURED = "measured"
    """bxbackup's own measures of earlier restores."""
    HISTORY = "history"
    """How long the step took before."""
    ESTIMATE = "estimate"
    """The plan's word; nothing was measured."""


class Basis(_Frozen):
    """What stands behind a figure: `runs` times the step was seen, `samples` single measurements in them."""

    source: Source
    runs: int = Field(ge=0)
    samples: int = Field(ge=0)
    text: str


class StepForecast(_Frozen):
    """One step of the pass.

    `seconds`: how long it takes from now on, None once it is done; then `took` says how long it took.
    `ends`: when it ends, its needs included. `critical`: share of the drawn moves in which the cut-over
    waits for it. `halving`: seconds that the P80 of the cut-over gains if the step takes half as long.
    """

    id: str
    title: str
    phase: str
    owner: Owner
    kind: Kind
    state: State
    seconds: Quantiles | None
    took: float | None
    ends: Finish | None
    critical: Share
    halving: float
    basis: Basis


class Lane(_Frozen):
    """One part of the restore's work by itself; the lanes run side by side."""

    id: Literal["transfer", "unpack", "load", "rest"]
    seconds: Quantiles
    basis: Basis


class Bound(_Frozen):
    """What holds without any model: after k runs the next one stays below the worst with chance k/(k+1)."""

    step: str
    runs: int = Field(ge=1)
    worst: float
    chance: Share


class Restore(_Frozen):
    """The new backup. `earlier` is the size of the last one that was restored; `rate` bytes per second."""

    bytes: int | None
    bytes_from: str
    earlier: int | None
    rate: Quantiles | None
    lanes: tuple[Lane, ...]


class CutOver(_Frozen):
    """The steps that people wait for: the plan's phases of high urgency.

    `seconds` from now, or from the beginning where nothing of it is done; `dominant` is the step whose
    halving buys most.
    """

    first: str
    last: str
    begun: bool
    seconds: Quantiles
    ends: Finish
    dominant: str | None
    bound: Bound | None


class Arrivals(_Frozen):
    """How many of one kind fall into the gap: between `p10` and `p90` in 80 of 100 moves.

    `uncovered`: those of them that arrive when sales in the cloud have stopped and nobody works on them.
    """

    kind: KindName
    weekly: float
    expected: float
    p10: int
    p90: int
    p95: int
    uncovered: float


class Gap(_Frozen):
    """From the moment the backup is taken until the sales managers start in the box."""

    begins: Moment
    begun: bool
    seconds: Quantiles
    arrivals: tuple[Arrivals, ...]
    weeks: float
    text: str


class Start(_Frozen):
    """One hour at which the backup could be taken, and what then falls into the gap."""

    at: Moment
    local: str
    expected: float
    p10: int
    p90: int
    ends: Finish
    in_time: Share | None


class Starts(_Frozen):
    """Which start loses least. `best`: the best hours, no two on one day; `hours`: all of two weeks."""

    kind: KindName
    timezone: str
    best: tuple[Start, ...]
    worst: Start
    hours: tuple[Start, ...]


class Decision(_Frozen):
    """The business deadline, the latest hours that meet it with P95, the chance to meet it going on now."""

    deadline: Moment
    latest_start: Moment | None
    latest_go: Moment | None
    chance: Share
    text: str


class Fact(_Frozen):
    """A frozen forecast against what came. `step` is a step of the plan, or `cut-over`.

    `inside`: the fact lies between `p10` and `p90`.
    """

    pass_name: PassName
    release: str
    step: str
    frozen: Moment
    seconds: Quantiles
    took: float
    inside: bool


class Coverage(_Frozen):
    """How often the 80 % interval held. `pinball`: mean loss in seconds, smaller is better.

    `method`: `frozen` compares forecasts made before the fact; `replay` leaves out one run after the other
    and forecasts it from the others.
    """

    method: Literal["frozen", "replay"]
    nominal: Share
    inside: int = Field(ge=0)
    of: int = Field(ge=0)
    pinball: float | None


class Forecast(_Frozen):
    """Everything `boxlift forecast` knows. `draws` simulated moves by a fixed `seed`."""

    schema_version: Annotated[
        Literal[1],
        Field(validation_alias=AliasChoices("schema", "schema_version"), serialization_alias="schema"),
    ] = 1
    pass_name: PassName
    release: str
    made: Moment
    seed: int
    draws: int
    complete: bool
    steps: tuple[StepForecast, ...]
    restore: Restore
    cut_over: CutOver | None
    finish: Finish | None
    gap: Gap | None
    starts: Starts | None
    decision: Decision | None
    facts: tuple[Fact, ...]
    coverage: tuple[Coverage, ...]
    notes: tuple[str, ...]

    def step(self, name: str) -> StepForecast | None:
        """The forecast of one step; None where the pass has no such step."""
        return next((step for step in self.steps if step.id == name), None)
