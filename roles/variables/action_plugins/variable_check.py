"""Says what is wrong with the variables of an inventory before anything is done with them.

Ansible accepts any variable: a name with a typo is a default that nobody chose, a wrong type is found when
its role's turn comes, and settings that contradict each other are found by users (lab_hosts, "Ansible 2.19").
This looks at all hosts at once, on the control node, and connects to none.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from ansible import context
from ansible.errors import AnsibleError, AnsibleTemplateSyntaxError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.template import Templar, trust_as_template
from ansible.utils.vars import load_extra_vars

PREFLIGHT_REFUSED = 3
_LIKE = 0.6
"""Likeness (difflib) from which on a known name is offered for one that begins as ours do."""
_SAME = 0.92
"""Likeness from which on a name that could be anybody's is taken for one of ours with a typo."""
_OWN_BEGINNINGS = ("boxlift_", "check_")
_SUFFIXES = frozenset({"", ".ini", ".json", ".yaml", ".yml"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LARGEST = 1 << 20
"""Bytes of a file of the inventory that is searched for a name; what is larger is no such file."""


@dataclass(frozen=True)
class Problem:
    """What is wrong, and what to do. `place`: where it stands, as far as that is known; `hosts`: not all."""

    what: str
    cure: str
    place: str = ""
    hosts: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """One line."""
        where = f" ({self.place})" if self.place else ""
        whom = f" on {', '.join(self.hosts)}" if self.hosts else ""
        return f"{self.what}{where}{whom}: {self.cure}"


@dataclass(frozen=True)
class Known:
    """Names that mean something. `options`: those of roles, with their specifications; `project`: all others.

    `renamed`: former names, each with the present one or a sentence that says what to do instead.
    """

    options: Mapping[str, Mapping[str, Any]]
    project: frozenset[str]
    beginnings: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)
    custom: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        return self.project | self.options.keys()


def of_the_inventory(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Variables without what tasks of an earlier playbook of the same run have left: results, roles' own."""
    return {
        name: value
        for name, value in variables.items()
        if not name.startswith("__")
        and not (isinstance(value, Mapping) and {"changed", "failed"} <= value.keys())
    }


def wrong_names(names: Iterable[str], known: Known) -> Iterator[Problem]:
    """One problem for each name that was renamed, or is none of ours and looks as if it were meant to be."""
    candidates = sorted(known.names)
    for name in sorted(set(names) - known.names - known.custom):
        if name in known.renamed:
            now = known.renamed[name]
            yield Problem(name, f"was renamed to {now}" if _NAME.fullmatch(now) else now)
            continue
        ours = name.startswith(known.beginnings)
        near = difflib.get_close_matches(name, candidates, 1, _LIKE if ours else _SAME)
        if near and not ours and name.startswith(f"{near[0]}_"):
            # A secret's former value, kept while it is changed, is no typo.
            continue
        if near:
            yield Problem(name, f"no role knows it; did you mean {near[0]}?")
        elif ours:
            yield Problem(name, "no role knows it; variables of your own begin with another word")


def wrong_values(values: Mapping[str, Any], known: Known) -> Iterator[Problem]:
    """One problem for each value that its role would refuse: type, choices, elements.

    :param values: templated.
    """
    for name in sorted(values.keys() & known.options.keys()):
        # A role that is not used may lack what it requires.
        option = {key: part for key, part in known.options[name].items() if key != "required"}
        found = ArgumentSpecValidator({name: option}).validate({name: values[name]}).error_messages
        if not found:
            continue
        if _secret(option):
            yield Problem(name, f"holds what is secret; the role takes a {option['type']} of another form")
        else:
            yield Problem(name, "; ".join(found).rstrip("."))


def _secret(option: Mapping[str, Any]) -> bool:
    """Whether the option, or one inside it, is never to be shown."""
    return bool(option.get("no_log")) or any(map(_secret, (option.get("options") or {}).values()))


def place_of(name: str, files: Sequence[Path], given: Iterable[str]) -> str:
    """File and line where a variable is set, or -e; empty where neither is seen (in a vault, by a plugin)."""
    if name in given:
        return "given with -e"
    set_here = re.compile(rf"""^\s*(?:-\s+)?["']?{re.escape(name)}["']?\s*[:=]|\s{re.escape(name)}=""")
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if set_here.search(line):
                here = Path.cwd()
                return f"{file.relative_to(here) if file.is_relative_to(here) else file} line {number}"
    return ""


def files_of(sources: Iterable[str]) -> list[Path]:
    """Files of inventories that may set variables, their group_vars and host_vars included."""
    found: set[Path] = set()
    for source in map(Path, sources):
        folder = source if source.is_dir() else source.parent
        if source.is_file():
            found.add(source)
        for part in [folder] if source.is_dir() else [folder / "group_vars", folder / "host_vars"]:
            found |= {path for path in part.rglob("*") if path.suffix in _SUFFIXES and path.is_file()}
    return sorted(path for path in found if path.stat().st_size <= _LARGEST)


class ActionModule(ActionBase):
    """Arguments: `custom`, names that are the operator's own; `refuse`, whether a problem is a failure."""

    _requires_connection = False
    _VALID_ARGS = frozenset({"custom", "refuse"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Look at every host of the play; fail with all problems at once, or hand them over."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        everything = task_vars or {}
        asked = self._task.args
        roles = Path(everything["role_path"]).parent
        data = self._loader.load_from_file(str(Path(everything["role_path"]) / "files" / "variables.yml"))
        known = self._known(roles, data, asked.get("custom") or [])
        told: dict[Problem, list[str]] = {}
        hosts = everything["ansible_play_hosts_all"]
        defaults = self._defaults(roles) | {"time_zones": sorted(available_timezones())}
        for host in hosts:
            own = of_the_inventory(everything["hostvars"].raw_get(host))
            for problem in wrong_names(own, known):
                told.setdefault(problem, [])
            layers = {**defaults, **own, "hostvars": everything["hostvars"]}
            settings = Templar(loader=self._loader, variables=layers)
            values, broken = self._values(own, known, settings)
            for problem in [*broken, *wrong_values(values, known)]:
                told.setdefault(problem, []).append(host)
            for problem in self._contradictions(data["contradictions"], settings):
                told.setdefault(problem, []).append(host)
        problems = self._placed(told, hosts, everything)
        result["variable_problems"] = [
            {"what": problem.what, "place": problem.place, "hosts": list(problem.hosts), "cure": problem.cure}
            for problem in problems
        ]
        if problems and asked.get("refuse", True):
            count = "1 setting" if len(problems) == 1 else f"{len(problems)} settings"
            head = f"{count} of the inventory cannot stand; nothing was changed"
            message = "\n".join([head, *(problem.text for problem in problems)])
            result |= {"failed": True, "boxlift_exit": PREFLIGHT_REFUSED, "msg": message}
        return result

    def _known(self, roles: Path, data: Mapping[str, Any], custom: Iterable[str]) -> Known:
        options: dict[str, Mapping[str, Any]] = {}
        for file in sorted(roles.glob("*/meta/argument_specs.yml")):
            for entry in self._loader.load_from_file(str(file))["argument_specs"].values():
                options |= entry.get("options") or {}
        # What boxlift init copies is what a project may set besides the roles' options.
        example = roles.parent / "inventories" / "example" / "group_vars"
        files = sorted(example.rglob("*.yml"))
        set_there = {name for file in files for name in self._loader.load_from_file(str(file)) or {}}
        return Known(
            options,
            frozenset(data["project"]) | set_there,
            tuple(f"{role.name}_" for role in sorted(roles.iterdir()) if role.is_dir()) + _OWN_BEGINNINGS,
            data["renamed"],
            frozenset(custom),
        )

    def _defaults(self, roles: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for file in sorted(roles.glob("*/defaults/main.yml")):
            found |= self._loader.load_from_file(str(file), trusted_as_template=True) or {}
        return found

    def _values(
        self, own: Mapping[str, Any], known: Known, settings: Templar
    ) -> tuple[dict[str, Any], list[Problem]]:
        """What is set, templated, without what is not known before its time; and what is no template."""
        values, broken = {}, []
        for name in sorted(own.keys() & known.options.keys()):
            try:
                values[name] = settings.template(own[name])
            except AnsibleTemplateSyntaxError:
                broken.append(Problem(name, "its value is no template that Ansible can read"))
            except AnsibleError:
                continue
        return values, broken

    def _contradictions(self, rules: Iterable[Mapping[str, Any]], settings: Templar) -> Iterator[Problem]:
        for rule in rules:
            try:
                if settings.evaluate_conditional(trust_as_template(rule["when"])):
                    what, cure = (settings.template(trust_as_template(rule[key])) for key in ("what", "cure"))
                    yield Problem(str(what), str(cure))
            except AnsibleError:
                # It needs what is not known before its time.
                continue

    def _placed(
        self, told: Mapping[Problem, Sequence[str]], hosts: Sequence[str], everything: Mapping[str, Any]
    ) -> list[Problem]:
        if not told:
            return []
        files = files_of(everything.get("ansible_inventory_sources") or [])
        given = load_extra_vars(self._loader) if context.CLIARGS else {}
        return [
            Problem(
                problem.what,
                problem.cure,
                place_of(problem.what, files, given) if _NAME.fullmatch(problem.what) else "",
                () if len(named) in {0, len(hosts)} else tuple(named),
            )
            for problem, named in told.items()
        ]
