"""What has to differ between environments: the package's list, and what a project's `compare.yml` adds.

expected:
  - part: packages
    name: mc
    reason: the client's engineers like it on staging
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from boxlift.errors import UsageError

FILE = "compare.yml"


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Expectation(BaseModel):
    """Names of a part that may differ, and why.

    `name` is one or several patterns as of a shell. With `lines` a text may differ in lines that match one of
    these expressions, and only in them. `must_differ` turns it round: equal values are a finding.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    part: str
    name: Annotated[tuple[str, ...], BeforeValidator(_listed)]
    reason: str
    lines: tuple[re.Pattern[str], ...] = ()
    must_differ: bool = False

    def speaks_of(self, part: str, name: str) -> bool:
        """Whether this is about a name."""
        return part == self.part and any(fnmatchcase(name, pattern) for pattern in self.name)

    def explains(self, left: str | None, right: str | None, lines: Sequence[str]) -> bool:
        """Whether a difference is expected whole."""
        if not self.lines:
            return True
        if not lines:
            return all(value is None or self.explains_line(value) for value in (left, right))
        return all(self.explains_line(line[1:]) for line in lines)

    def explains_line(self, line: str) -> bool:
        """Whether a line of a text may differ."""
        return any(pattern.search(line) for pattern in self.lines)


class _List(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    expected: tuple[Expectation, ...]


def load_expectations(root: Path | None) -> tuple[Expectation, ...]:
    """The package's list and then that of the project at `root`. UsageError that names what is wrong."""
    own = (resources.files("boxlift.compare") / "expected.yml").read_text(encoding="utf-8")
    found = _parsed(own, "expected.yml")
    path = root / FILE if root is not None else None
    if path is None or not path.exists():
        return found
    try:
        return (*found, *_parsed(path.read_text(encoding="utf-8"), FILE))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error


def _parsed(text: str, name: str) -> tuple[Expectation, ...]:
    cure = f"correct {name}; its form: docs/compare.md"
    try:
        return _List.model_validate(YAML(typ="safe").load(text)).expected
    except YAMLError as error:
        raise UsageError(f"{name} is no YAML: {error}", cure=cure) from error
    except ValidationError as error:
        lines = [f"{name}: {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise UsageError("\n".join(lines), cure=cure) from error
