"""What boxlift's runner adds to plain ansible-playbook."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figure import Figure, Outcome, ratios
from bench.rows import Row
from bench.server import ROOT
from bench.workshop import Workshop
from boxlift.project import Project, create

LIMIT = 1.05
_BOXLIFT = (sys.executable, "-c", "from boxlift.cli import main; main()")
_HOSTS = f"""\
all:
  vars: {{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}
  children:
    production: {{hosts: {{portal-1: }}}}
"""
_PLAN = """\
phases:
  - id: prepare
    steps:
      - {id: many-tasks, title: Many tasks, owner: contractor, kind: playbook, playbooks: [many_tasks.yml]}
"""


@dataclass(frozen=True)
class Pair:
    """The same playbook with the runner and without, each with its environment."""

    project: Project
    playbook: Path

    @property
    def ours(self) -> Sequence[str]:
        return _with({}, self.project.root, *_BOXLIFT, "run", "many-tasks", "--quiet")

    @property
    def plain(self) -> Sequence[str]:
        """As an operator would call it, with the same configuration, roles and modules."""
        own = {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_ROLES_PATH": str(ROOT / "roles"),
            "ANSIBLE_LIBRARY": str(ROOT / "library"),
            "ANSIBLE_MODULE_UTILS": str(ROOT / "module_utils"),
            "ANSIBLE_FILTER_PLUGINS": str(ROOT / "filter_plugins"),
        }
        playbook = str(Path(sys.executable).with_name("ansible-playbook"))
        vault = ("--vault-password-file", str(self.project.vault({}).path))
        told = ("-e", "boxlift_pass=rehearsal", "-e", "portal_release=rehearsal-1")
        inventory = ("-i", str(self.project.inventory))
        return _with(own, self.project.root, playbook, *vault, *inventory, *told, str(self.playbook))


def _with(variables: dict[str, str], folder: Path, *command: str) -> list[str]:
    """A command in a folder, its environment the bench's and some more."""
    path = {"PYTHONPATH": os.pathsep.join(name for name in sys.path if name)}
    words = [f"{name}={value}" for name, value in (path | variables).items()]
    return ["env", f"--chdir={folder}", *words, *command]


def prepare(folder: Path, tasks: int) -> Pair:
    """A project on this machine alone, whose one step runs so many tasks."""
    template = folder / "template"
    template.mkdir(parents=True)
    (template / "hosts.yml").write_text(_HOSTS)
    project = create(folder / "project", template=template, vault_password_file=folder / "vault-password")
    project.playbooks.mkdir()
    playbook = project.playbooks / "many_tasks.yml"
    lines = ["- name: Many tasks", "  hosts: production", "  gather_facts: false", "  tasks:"]
    for number in range(tasks):
        lines += [f"    - name: Task {number}", "      ansible.builtin.stat:", f"        path: /tmp/{number}"]
    playbook.write_text("\n".join(lines) + "\n")
    (project.root / "plan.yml").write_text(_PLAN)
    with (project.root / "boxlift.yml").open("a") as settings:
        settings.write("plan: plan.yml\n")
    return Pair(project, playbook)


def _overhead(shop: Workshop) -> Outcome:
    tasks = shop.scale.tasks
    ours, plain = [], []
    with shop.place("runner") as place:
        pair = prepare(place, tasks)
        for number in range(shop.repeats):
            shop.tell(f"{tasks} tasks with the runner and without, {number + 1} of {shop.repeats}")
            plain.append(shop.run(pair.plain).seconds)
            ours.append(shop.run(pair.ours).seconds)
        with pair.project.journal() as journal:
            kept = len(journal.results(journal.attempts()[-1].id))
    figure = Figure("time of ansible-playbook", tuple(ratios(ours, plain)), "at most", LIMIT, "×")
    details = {
        "ours s": statistics.median(ours),
        "ansible-playbook s": statistics.median(plain),
        "more s": statistics.median(ours) - statistics.median(plain),
        "records in the journal": kept,
    }
    return Outcome("runner", (figure,), details)


ROWS = (
    Row(
        "runner",
        "a step of 150 tasks run by boxlift",
        "plain `ansible-playbook`",
        "150 tasks of the module `stat` on this machine (connection local): the shortest that do what a real "
        "task does. With the runner each is kept in the journal, which is synced; its start, the vault, the "
        "look at the plan and the forecast count as well. No colours, no terminal on both sides.",
        _overhead,
    ),
)
