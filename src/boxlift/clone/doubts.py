"""What somebody should look at in a copy: left in the project's evidence by the roles that made it quiet.

Names of tables and columns, never what stands in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from boxlift.validation import unusable

QUIET = Path("evidence") / "quiet-preproduction.json"
PSEUDONYMS = Path("evidence") / "pseudonyms.json"
_MOST = 8
"""Names that a line holds; all of them are in the file."""


class Table(BaseModel):
    """A table that by its name may act on the outside world."""

    table: str
    rows: int


class Place(BaseModel):
    """What looks like a secret: table.COLUMN or, of options, module/name."""

    place: str


class Quiet(BaseModel):
    """Evidence of role portal_quiet, as far as it is told here."""

    release: str
    unknown_tables: tuple[Table, ...] = ()
    secrets: tuple[Place, ...] = ()


class Pseudonyms(BaseModel):
    """Evidence of role portal_pseudonyms, as far as it is told here."""

    release: str
    own_fields: tuple[str, ...] = ()
    persons: dict[str, tuple[str, ...]] = {}


_Model = TypeVar("_Model", Quiet, Pseudonyms)


def doubts(root: Path) -> Iterator[str]:
    """A line for each kind of doubt about the newest copy of the project in ``root``."""
    quiet = _read(root / QUIET, Quiet)
    if isinstance(quiet, str):
        yield quiet
    elif quiet is not None:
        yield from _line(
            "secrets of production that no rule empties", [found.place for found in quiet.secrets], QUIET
        )
        yield from _line(
            "tables that no rule knows and that may act",
            [f"{found.table} ({found.rows} rows)" for found in quiet.unknown_tables],
            QUIET,
        )
    given = _read(root / PSEUDONYMS, Pseudonyms)
    if isinstance(given, str):
        yield given
    # Names may have been replaced in an earlier copy only.
    elif given is not None and isinstance(quiet, Quiet) and given.release == quiet.release:
        names = [*given.persons, *given.own_fields]
        yield from _line("columns without a rule that look like persons' data", names, PSEUDONYMS)


def _line(what: str, names: list[str], file: Path) -> Iterator[str]:
    if names:
        more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
        yield f"to be looked at: {what}: {', '.join(names[:_MOST])}{more} ({file})"


def _read(path: Path, model: type[_Model]) -> _Model | str | None:
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        return f"{path} cannot be read: {unusable(error)}"
