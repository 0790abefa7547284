"""What a copy would be, as both sides say it; changes nothing on them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from boxlift.errors import BoxliftError, ExitCode
from boxlift.figures import count, duration, size
from boxlift.preflight.playbook import running
from boxlift.project import Project
from boxlift.runner.events import Reader

PLAYBOOK = "describe_clone.yml"


class UndescribedError(BoxliftError):
    """The sides cannot be looked at, or are not what they should be; `code` says which."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Description:
    """Both sides as `library/portal_side.py` found them, and what `boxlift_clone --dry-run` reckons."""

    source: Mapping[str, Any]
    target: Mapping[str, Any]
    method: str
    why: str
    ahead: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For programs: docs/contracts/clone.schema.json."""
        return {
            "schema": 1,
            "source": _side(self.source),
            "target": {**_side(self.target), "unfinished": self.target.get("unfinished")},
            "method": self.method,
            "why": self.why,
            "ahead": dict(self.ahead) or None,
        }

    def lines(self, now: float | None = None) -> list[str]:
        """For people. `now` in seconds since 1970."""
        told = [
            f"from  {_named(self.source)}",
            f"to    {_named(self.target)}{self._age(time.time() if now is None else now)}",
            f"the database travels {_TRAVELS[self.method]}: {self.why}",
        ]
        if unfinished := self.target.get("unfinished"):
            told.append(f"{unfinished} was interrupted and is gone on with")
        return told + self._ahead()

    def _age(self, now: float) -> str:
        at = self.target.get("copied_at")
        return f" · copied {duration(now - float(at))} ago" if at is not None else ""

    def _ahead(self) -> list[str]:
        if not self.ahead:
            return []
        told = [
            f"would travel now: {size(self.ahead['database_travels'])} for a database of"
            f" {size(self.ahead['database_bytes'])}; {count(self.ahead['files'], 'file')} with"
            f" {size(self.ahead['files_bytes'])} of {size(self.ahead['files_size'])}"
        ]
        seconds = self.ahead["seconds"]
        told.append(
            f"copying takes about {duration(seconds)}, at the rates of the last copy"
            if seconds is not None
            else "how long that takes nobody knows: no copy was measured yet"
        )
        return told


_TRAVELS = {"physical": "as files", "logical": "as statements"}


def describe(project: Project, *, ahead: bool = False) -> Description:
    """Ask both sides; hold the project's lock.

    :param ahead: also ask what would travel now.
    :raises UndescribedError: a side is unreachable, or is not what it should be (refused, exit code 6).
    """
    reader = Reader()
    found: dict[str, Any] = {}
    with running(project, "clone", PLAYBOOK, {"clone_ahead": ahead}) as run:
        for event in run.events(lambda: None):
            reader.read(event)
            found |= _told((event.get("event_data") or {}).get("res") or {})
        code = run.return_code
    if failure := reader.failure(code):
        where = f"{failure.host}: " if failure.host else ""
        raise UndescribedError(f"{where}{failure.cause}", failure.code)
    if "clone" not in found:
        raise UndescribedError("no host of the inventory is pre-production's portal", ExitCode.USAGE)
    clone = found["clone"]
    # What a rescue of the playbook chose afterwards is the truth.
    choice = {name: found.get(f"__portal_clone_{name}", clone[name]) for name in ("method", "why")}
    return Description(clone["source"], clone["target"], **choice, ahead=found.get("clone_ahead", {}))


def _told(result: Mapping[str, Any]) -> dict[str, Any]:
    """What a result says of the copy: the judgement, the choice, the reckoning."""
    told = {name: result[name] for name in ("clone",) if isinstance(result.get(name), Mapping)}
    message = result.get("msg")
    if isinstance(message, Mapping) and "clone_ahead" in message:
        told["clone_ahead"] = message["clone_ahead"]
    facts = result.get("ansible_facts")
    if isinstance(facts, Mapping):
        told |= {
            name: facts[name] for name in facts if name in {"__portal_clone_method", "__portal_clone_why"}
        }
    return told


def _side(side: Mapping[str, Any]) -> dict[str, Any]:
    names = ("name", "release", "database_bytes", "files", "files_bytes", "copied_at")
    return {
        **{name: side.get(name) for name in names},
        "environment": side["marker"]["environment"],
        "portal_id": side["marker"]["portal_id"],
    }


def _named(side: Mapping[str, Any]) -> str:
    """`portal-1 · production of acme · release final-1 · database 1.2 GB · 120 files with 33.0 MB`."""
    parts = [str(side["name"]), f"{side['marker']['environment']} of {side['marker']['portal_id']}"]
    if side.get("release"):
        parts += [
            f"release {side['release']}",
            f"database {size(side['database_bytes'])}",
            f"{count(side['files'], 'file')} with {size(side['files_bytes'])}",
        ]
    else:
        parts.append("nothing yet")
    return " · ".join(parts)
