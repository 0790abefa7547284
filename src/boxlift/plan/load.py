"""Read a plan file and refuse what is wrong in it with its line and the nearest right name.

A project's plan file lists the steps it wants, in its order. A step that is only named, or a mapping whose
`id` the default plan knows, takes what it does not say from there:

    phases:
      - id: prepare
        steps:
          - provision-production
          - id: install-portal
            estimate: 2h
"""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from boxlift.errors import UsageError
from boxlift.plan.model import Phase, Plan, Step

Location = tuple[int | str, ...]
_MOST_NODES = 100_000
_EXPECTED = re.compile(r"'([^']+)'")
_FIELDS = {
    "plan": list(Plan.model_fields),
    "phase": list(Phase.model_fields),
    "step": list(Step.model_fields),
}


@dataclass(frozen=True)
class Known:
    """What a plan's steps may name: playbooks (`provision.yml`) and suites of tests."""

    playbooks: frozenset[str]
    suites: frozenset[str]


@dataclass(frozen=True)
class Problem:
    line: int
    text: str


class PlanError(UsageError):
    """The plan file can't be used; names every problem with its line."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        self.problems = sorted(set(problems), key=lambda problem: (problem.line, problem.text))
        lines = [f"{name}:{problem.line}: {problem.text}" for problem in self.problems]
        super().__init__("\n".join(lines), cure=f"correct {name}, then: boxlift plan")


def default_plan() -> Plan:
    """The plan that the package carries."""
    text = (resources.files("boxlift.plan") / "default.yml").read_text(encoding="utf-8")
    return parse_plan(text, "default.yml")


def load_plan(path: Path | None, known: Known | None = None) -> Plan:
    """The project's plan where it has a file of its own, else the default."""
    base = default_plan()
    if path is None:
        return base
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read the plan file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise PlanError(path.name, [Problem(line, "this is no UTF-8 text")]) from error
    return parse_plan(text, path.name, base, known)


def parse_plan(text: str, name: str, base: Plan | None = None, known: Known | None = None) -> Plan:
    """Text of a plan file to a plan.

    `base` is the plan that named steps are taken from; with `known` the file's own playbooks and suites have
    to be among these.
    """
    try:
        tree = YAML(typ="rt").load(io.StringIO(text))
    except RecursionError as error:
        raise PlanError(name, [Problem(1, "this is too deep for a plan")]) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark
        raise PlanError(name, [Problem(mark.line + 1 if mark else 1, str(error.problem))]) from error
    except YAMLError as error:
        raise PlanError(name, [Problem(1, str(error).splitlines()[0])]) from error
    if not isinstance(tree, CommentedMap):
        raise PlanError(name, [Problem(1, "a plan is a mapping with the key `phases`")])
    try:
        data = _plain(tree, count(1))
    except (RecursionError, OverflowError) as error:
        raise PlanError(name, [Problem(1, "this is too large or too deep for a plan")]) from error
    if base is not None:
        data = _inherit(data, base, tree, name)
    try:
        plan = Plan.model_validate(data)
    except ValidationError as error:
        raise PlanError(name, [_problem(tree, item) for item in error.errors()]) from error
    problems = list(_broken_references(plan, tree))
    if known is not None:
        problems += _unknown_work(plan, tree, known)
    if problems:
        raise PlanError(name, problems)
    return plan


def _plain(node: object, seen: Iterator[int]) -> object:
    """Python's own types; OverflowError where aliases blow a small file up."""
    if next(seen) > _MOST_NODES:
        raise OverflowError
    if isinstance(node, CommentedMap):
        return {str(key): _plain(value, seen) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(value, seen) for value in node]
    return node


def _inherit(data: object, base: Plan, tree: CommentedMap, name: str) -> object:
    """Fill in what the file leaves to the default plan; needs on steps it drops pass on to their needs."""
    if not isinstance(data, dict) or not isinstance(data.get("phases"), list):
        return data
    phases = {phase.id: phase for phase in base.phases}
    steps = {step.id: step for _, step in base.steps()}
    listed = {
        step if isinstance(step, str) else step.get("id")
        for phase in data["phases"]
        if isinstance(phase, dict) and isinstance(phase.get("steps"), list)
        for step in phase["steps"]
        if isinstance(step, str | dict)
    }

    def kept(needs: Iterable[str]) -> list[str]:
        found: dict[str, None] = {}
        for need in needs:
            found.update(dict.fromkeys([need] if need in listed else kept(steps[need].needs)))
        return list(found)

    def filled(step: object, location: Location) -> object:
        own = {"id": step} if isinstance(step, str) else step
        if not isinstance(own, dict):
            return step
        known = steps.get(str(own.get("id")))
        if known is None:
            if isinstance(step, str):
                text = f"the default plan has no step `{step}`{nearest(step, steps)}"
                raise PlanError(name, [Problem(_line(tree, location), text)])
            return own
        inherited = known.model_dump(mode="json", exclude_defaults=True)
        inherited["needs"] = kept(known.needs)
        return inherited | own

    result = []
    for number, phase in enumerate(data["phases"]):
        if not isinstance(phase, dict):
            result.append(phase)
            continue
        known_phase = phases.get(str(phase.get("id")))
        inherited = known_phase.model_dump(mode="json", exclude={"steps"}) if known_phase else {}
        own = dict(phase)
        if isinstance(own.get("steps"), list):
            own["steps"] = [
                filled(step, ("phases", number, "steps", index)) for index, step in enumerate(own["steps"])
            ]
        result.append(inherited | own)
    return data | {"phases": result}


def _broken_references(plan: Plan, tree: CommentedMap) -> Iterable[Problem]:
    ids = plan.ids()
    seen: set[str] = set()
    phase_ids: set[str] = set()
    for phase_number, phase in enumerate(plan.phases):
        if phase.id in phase_ids or phase.id in ids:
            line = _line(tree, ("phases", phase_number, "id"))
            yield Problem(line, f"the id `{phase.id}` is used twice")
        phase_ids.add(phase.id)
        for number, step in enumerate(phase.steps):
            here: Location = ("phases", phase_number, "steps", number)
            if step.id in seen:
                yield Problem(_line(tree, (*here, "id")), f"the id `{step.id}` is used twice")
            for index, need in enumerate(step.needs):
                line = _line(tree, (*here, "needs", index))
                if need not in ids:
                    yield Problem(line, f"`{step.id}` needs `{need}`, which is no step{nearest(need, ids)}")
                elif need not in seen:
                    yield Problem(line, f"`{step.id}` needs `{need}`, which comes later in the plan")
            seen.add(step.id)


def _unknown_work(plan: Plan, tree: CommentedMap, known: Known) -> Iterable[Problem]:
    """Playbooks and suites that the file names and nobody has."""
    for phase_number, phase in enumerate(plan.phases):
        for number, step in enumerate(phase.steps):
            here: Location = ("phases", phase_number, "steps", number)
            for field, names, there in (
                ("playbooks", step.playbooks, known.playbooks),
                ("suites", step.suites, known.suites),
                ("proof", (step.proof,) if step.proof else (), known.suites),
            ):
                for index, name in enumerate(names if _has(tree, (*here, field)) else ()):
                    if name not in there:
                        line = _line(tree, (*here, field, index))
                        kind = "playbook" if field == "playbooks" else "suite"
                        text = f"`{step.id}` names the {kind} `{name}`, which does not exist"
                        yield Problem(line, text + nearest(name, there))


def _problem(tree: CommentedMap, item: ErrorDetails) -> Problem:
    location = item["loc"]
    line = _line(tree, location)
    if item["type"] == "extra_forbidden":
        key = str(location[-1])
        owner = "step" if "steps" in location else "phase" if "phases" in location else "plan"
        return Problem(line, f"unknown key `{key}` in a {owner}{nearest(key, _FIELDS[owner])}")
    where = ".".join(
        str(part) for part in location if isinstance(part, str) and part not in {"phases", "steps"}
    )
    message = item["msg"]
    if item["type"] in {"enum", "literal_error"}:
        expected = str(item.get("ctx", {}).get("expected", ""))
        message += nearest(str(item["input"]), _EXPECTED.findall(expected))
    return Problem(line, f"{where}: {message}" if where else message)


def _has(tree: CommentedMap, location: Location) -> bool:
    """Whether the file itself says something there."""
    node: Any = tree
    try:
        for part in location:
            node = node[part]
    except (KeyError, IndexError, TypeError):
        return False
    return True


def _line(tree: CommentedMap, location: Location) -> int:
    """Line, counted from 1, of the deepest part of a location that the file has."""
    node: object = tree
    line = 1
    for part in location:
        if isinstance(node, CommentedMap) and part in node:
            place = node.lc.key(part)
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
            # what a tag made knows no lines
            place = node.lc.item(part) if node.lc.data else None
        else:
            break
        line = int(place[0]) + 1 if place else line
        node = node[part]
    return line


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` with the known name that looks most like it, or nothing."""
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean `{match[0]}`?" if match else ""
