"""Checks of the inventory's variables: names, values, what contradicts what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from boxlift.figures import count
from boxlift.preflight.finding import Finding
from boxlift.preflight.look import Seen

_SUBJECT = "project"
_LIMIT = "names that roles know, values that they take"


def check_variables(seen: Mapping[str, Seen]) -> Iterator[Finding]:
    """One finding for each problem that role `variables` sees; one that is ok where it sees none."""
    told = [host.variables for host in seen.values() if host.variables is not None]
    if not told:
        cure = "run the check again, and look at what it says of the hosts"
        yield Finding("settings", _SUBJECT, False, "not looked at", _LIMIT, cure)
    problems = [problem for problems in told for problem in problems]
    for problem in problems:
        yield Finding("settings", _SUBJECT, False, _measured(problem), _LIMIT, str(problem["cure"]))
    if told and not problems:
        yield Finding("settings", _SUBJECT, True, f"sound on {count(len(seen), 'host')}", _LIMIT)


def _measured(problem: Mapping[str, Any]) -> str:
    hosts = f" on {', '.join(problem['hosts'])}" if problem["hosts"] else ""
    place = f", {problem['place']}" if problem["place"] else ""
    return f"{problem['what']}{hosts}{place}"
