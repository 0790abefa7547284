"""The register of feared defects as data: what is feared, who finds out and how, what helps."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from boxlift.plan.model import Identifier, Owner


class Detector(StrEnum):
    """Who finds out: a machine alone, a person with a machine's help, a person alone."""

    AUTOMATIC = "automatic"
    ASSISTED = "assisted"
    MANUAL = "manual"


class RiskState(StrEnum):
    """open: nothing decides yet; found: the defect is there; doubtful: what decides is not of one mind."""

    OPEN = "open"
    FOUND = "found"
    CLEARED = "cleared"
    DOUBTFUL = "doubtful"


class Stage(StrEnum):
    """What was looked at: the backup as it was restored, before any code of the portal ran, or the portal."""

    BACKUP = "backup"
    PORTAL = "portal"


def _plain(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text).strip()


Line = Annotated[str, AfterValidator(_plain)]
"""Words out of the portal's database: one line, and nothing in it that a terminal would obey."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Observation(Strict):
    """One thing that speaks for or against a defect: exactly one of a figure, tests and a step.

    `figure` is counted in the restored release; `bad` says which value is the defect. Without `bad` it tells
    something and decides nothing. `none_clears`: where nothing was counted the defect cannot be, and no
    person need look. `tests` names tests of the suites by the beginning of their id. `step` speaks against
    the defect once it is done.
    """

    stage: Stage
    says: str = Field(min_length=3)
    figure: str | None = None
    bad: Literal["above zero", "zero"] | None = None
    tests: str | None = None
    step: Identifier | None = None
    none_clears: bool = False

    @model_validator(mode="after")
    def _one_thing(self) -> Observation:
        if sum(name is not None for name in (self.figure, self.tests, self.step)) != 1:
            raise ValueError("an observation looks at exactly one of `figure`, `tests` and `step`")
        if (self.bad is not None or self.none_clears) and self.figure is None:
            raise ValueError("`bad` and `none_clears` belong to a `figure`")
        return self


class Risk(Strict):
    """One feared defect. `look`: what a person looks at; `once`: a person's word holds for both passes."""

    id: Identifier
    title: str = Field(min_length=3)
    detector: Detector
    owner: Owner
    remedy: str = Field(min_length=3)
    look: str = ""
    once: bool = False
    evidence: tuple[Observation, ...] = ()

    @model_validator(mode="after")
    def _can_be_found(self) -> Risk:
        if self.detector is not Detector.AUTOMATIC and not self.look:
            raise ValueError("a person has to know what to `look` at")
        if self.detector is Detector.AUTOMATIC and not any(
            item.bad or item.tests or item.step for item in self.evidence
        ):
            raise ValueError("an automatic detector needs `evidence` that decides")
        return self
