"""What playbooks found on the hosts and left in the project: `evidence/<release>/*.json`, 0600.

The files name people of the client; they are no part of a repository.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from boxlift.errors import UsageError
from boxlift.risks.model import Line, Stage, Strict
from boxlift.validation import unusable

FOLDER = "evidence"
_Model = TypeVar("_Model", bound=BaseModel)


class Figure(Strict):
    """A count, and the first few of what was counted by name. `value` None: the portal has no such table."""

    value: Annotated[int, Field(ge=0)] | None
    items: tuple[Line, ...] = ()


class Figures(Strict):
    """`backup.json`, `portal.json`: what was counted at one stage. `collected`: ISO 8601, UTC."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    release: str
    stage: Stage
    collected: str
    figures: dict[str, Figure]


def path_of(root: Path, release: str, name: str) -> Path:
    """Where a kind of evidence of a release lies in a project."""
    return root / FOLDER / release / f"{name}.json"


def read(root: Path, release: str, name: str, model: type[_Model]) -> _Model | None:
    """One file; None where nothing was collected yet. UsageError where it can't be understood."""
    path = path_of(root, release, name)
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise UsageError(
            f"{path} cannot be used: {unusable(error)}",
            cure=f"remove {path}, then: boxlift run repair-portal",
        ) from error
