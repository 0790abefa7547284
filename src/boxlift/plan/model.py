"""The plan as data: phases with urgency, steps with owner, kind and needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

Seconds = int
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+)\s*([smhd])")


def _seconds(value: object) -> object:
    """`90`, `90s`, `15m`, `1h 30m`, `3d` to seconds; everything else is left to pydantic to refuse."""
    if isinstance(value, str):
        found = _DURATION.findall(value)
        if not found or _DURATION.sub("", value).strip():
            raise ValueError("a duration is written as 90s, 15m, 1h 30m or 3d")
        return sum(int(number) * _UNITS[unit] for number, unit in found)
    return value


Duration = Annotated[Seconds, BeforeValidator(_seconds), Field(ge=0)]
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]


class Pass(StrEnum):
    """The plan is gone through twice."""

    REHEARSAL = "rehearsal"
    FINAL = "final"


class Owner(StrEnum):
    CONTRACTOR = "contractor"
    CLIENT = "client"


class Kind(StrEnum):
    """What a step is done by: a playbook, a suite of tests, a person's confirmation."""

    PLAYBOOK = "playbook"
    SUITE = "suite"
    CONFIRM = "confirm"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Strict):
    """One line of the plan.

    `needs` are steps that must be done before; one that is not part of the pass stands for its own needs.
    `target` is the environment that playbooks and suites look at. `release` is `box` for steps that work on
    the freshly installed portal and `restored` for those that work on what the backup held. `backup`: the
    playbook is told where the pass's backup is. `needs_leads`: a person may confirm it only when every source
    of leads is confirmed. `preview` is run in check mode before the step is agreed to, or before a person is
    called to it, and what it lists is shown. `proof` is a suite that must have passed before a
    person may confirm it, after all that the step needs was done.
    """

    id: Identifier
    title: str = Field(min_length=3)
    owner: Owner
    kind: Kind
    playbooks: tuple[Annotated[str, Field(pattern=r"^[a-z0-9_]+\.yml$")], ...] = ()
    suites: tuple[Identifier, ...] = ()
    variables: dict[str, JsonValue] = Field(default_factory=dict)
    backup: bool = False
    target: Literal["production", "preproduction"] = "production"
    release: Literal["box", "restored"] = "restored"
    needs: tuple[Identifier, ...] = ()
    passes: tuple[Pass, ...] = (Pass.REHEARSAL, Pass.FINAL)
    changes: str = ""
    destructive: bool = False
    needs_leads: bool = False
    proof: Identifier | None = None
    preview: Annotated[str, Field(pattern=r"^[a-z0-9_]+\.yml$")] | None = None
    estimate: Duration | None = None
    instructions: str = ""

    @model_validator(mode="after")
    def _kind_has_what_it_runs(self) -> Step:
        if (self.kind is Kind.PLAYBOOK) != bool(self.playbooks):
            raise ValueError("`playbooks` belong to steps of kind playbook, and each of them needs one")
        if self.backup and self.kind is not Kind.PLAYBOOK:
            raise ValueError("`backup` is for steps of kind playbook")
        if self.kind is Kind.SUITE and not self.suites:
            raise ValueError("a step of kind suite names at least one of `suites`")
        if self.kind is Kind.CONFIRM and self.suites:
            raise ValueError("a person's step runs no `suites`; make it a step of its own")
        if self.preview is not None and not (self.destructive or self.kind is Kind.CONFIRM):
            raise ValueError("`preview` is for a destructive or a person's step")
        if self.needs_leads and self.kind is not Kind.CONFIRM:
            raise ValueError("`needs_leads` is for a person's step")
        if self.proof is not None and self.kind is not Kind.CONFIRM:
            raise ValueError("`proof` is for a person's step; others have `suites`")
        if self.kind is Kind.CONFIRM and not self.instructions:
            raise ValueError("a person's step needs `instructions`")
        return self


class Urgency(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Phase(_Strict):
    """Steps of one urgency. `once`: what one pass did stands for the other."""

    id: Identifier
    title: str = Field(min_length=3)
    urgency: Urgency
    once: bool = False
    steps: tuple[Step, ...]


class Plan(_Strict):
    """All phases in order. Guaranteed by the loader: ids are unique and needs point backwards."""

    phases: tuple[Phase, ...]

    def steps(self) -> Iterator[tuple[Phase, Step]]:
        for phase in self.phases:
            for step in phase.steps:
                yield phase, step

    def ids(self) -> list[str]:
        return [step.id for _, step in self.steps()]

    def step(self, name: str) -> Step:
        for _, step in self.steps():
            if step.id == name:
                return step
        raise KeyError(name)

    def in_pass(self, pass_: Pass) -> list[Step]:
        return [step for _, step in self.steps() if pass_ in step.passes]

    def needs(self, name: str, pass_: Pass) -> list[str]:
        """Needs of a step within a pass: one that the pass leaves out is replaced by its own needs."""
        found: dict[str, None] = {}
        for need in self.step(name).needs:
            if pass_ in self.step(need).passes:
                found[need] = None
            else:
                found.update(dict.fromkeys(self.needs(need, pass_)))
        return list(found)
