"""When leads, deals and contacts come: `evidence/arrivals.json`, counted in the restored database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from boxlift.errors import UsageError
from boxlift.validation import unusable

HOURS = 168
"""Hours of a week; the first is Monday, 00:00 to 01:00 by the portal's clock."""
KindName = Literal["leads", "deals", "contacts"]
KINDS: tuple[KindName, ...] = ("leads", "deals", "contacts")
FILE = Path("evidence") / "arrivals.json"
Count = Annotated[int, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Week(_Frozen):
    """Rows created in one ISO week, `2026-47`."""

    week: Annotated[str, Field(pattern=r"^[1-9]\d{3}-[0-5]\d$")]
    count: Count


class Pattern(_Frozen):
    """One kind. `hours`: rows created in each hour of the week during the last `weeks` weeks of the backup.

    `first` and `last`: the oldest and the newest of these rows, by the portal's clock.
    """

    hours: Annotated[tuple[Count, ...], Field(min_length=HOURS, max_length=HOURS)]
    weeks: Annotated[float, Field(ge=0)]
    first: str | None
    last: str | None
    weekly: tuple[Week, ...]

    @property
    def total(self) -> int:
        return sum(self.hours)


class Taken(_Frozen):
    """When the dump was written, by the source's clock; from bxbackup's baseline.json."""

    began: str | None
    ended: str | None
    zone: str | None


class ArrivalPattern(_Frozen):
    """The file: what the release `release` says about all kinds. `timezone` is the portal's."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    release: str
    timezone: str
    backup: Taken
    kinds: dict[KindName, Pattern]


def read_arrivals(root: Path) -> ArrivalPattern | None:
    """The project's file; None where there is none yet. UsageError where it can't be understood."""
    path = root / FILE
    try:
        return ArrivalPattern.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        cure = f"remove {FILE}, then: boxlift run restore-backup"
        raise UsageError(f"{path} cannot be used: {unusable(error)}", cure=cure) from error
