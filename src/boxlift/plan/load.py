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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedBase, CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from boxlift.errors import UsageError
from boxlift.plan.model import Phase, Plan, Step

Location = tuple[int | str, ...]
_FIELDS = {
    "plan": list(Plan.model_fields),
    "phase": list(Phase.model_fields),
    "step": list(Step.model_fields),
}


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


def load_plan(path: Path | None) -> Plan:
    """The project's plan where it has a file of its own, else the default."""
    base = default_plan()
    if path is None:
        return base
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read the plan file {path}: {error.strerror}") from error
    return parse_plan(text, path.name, base)


def parse_plan(text: str, name: str, base: Plan | None = None) -> Plan:
    """Text of a plan file to a plan; `base` is the plan that named steps are taken from."""
    try:
        tree = YAML(typ="rt").load(io.StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        raise PlanError(name, [Problem(mark.line + 1 if mark else 1, str(error.problem))]) from error
    if not isinstance(tree, CommentedMap):
        raise PlanError(name, [Problem(1, "a plan is a mapping with the key `phases`")])
    data = _plain(tree)
    if base is not None:
        data = _inherit(data, base, tree, name)
    try:
        plan = Plan.model_validate(data)
    except ValidationError as error:
        raise PlanError(
            name, [_problem(tree, item["loc"], item["type"], item["msg"]) for item in error.errors()]
        ) from error
    problems = list(_broken_references(plan, tree))
    if problems:
        raise PlanError(name, problems)
    return plan


def _plain(node: object) -> object:
    if isinstance(node, CommentedMap):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(value) for value in node]
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


def _problem(tree: CommentedMap, location: Location, kind: str, message: str) -> Problem:
    line = _line(tree, location)
    if kind == "extra_forbidden":
        key = str(location[-1])
        owner = "step" if "steps" in location else "phase" if "phases" in location else "plan"
        return Problem(line, f"unknown key `{key}` in a {owner}{nearest(key, _FIELDS[owner])}")
    where = ".".join(
        str(part) for part in location if isinstance(part, str) and part not in {"phases", "steps"}
    )
    return Problem(line, f"{where}: {message}" if where else message)


def _line(tree: CommentedMap, location: Location) -> int:
    """Line, counted from 1, of the deepest part of a location that the file has."""
    node: object = tree
    line = 1
    for part in location:
        if isinstance(node, CommentedMap) and part in node:
            line = int(node.lc.key(part)[0]) + 1
            node = node[part]
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
            line = int(node.lc.item(part)[0]) + 1
            node = node[part]
        else:
            break
        if isinstance(node, CommentedBase) and not isinstance(node, CommentedMap | CommentedSeq):
            break
    return line


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` with the known name that looks most like it, or nothing."""
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean `{match[0]}`?" if match else ""
