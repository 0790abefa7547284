"""A story that Molecule tells: its folder, the hosts that it needs and the lab that it plays on."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from boxlift.errors import ExitCode
from boxlift.lab.errors import LabError
from boxlift.lab.place import Lab
from boxlift.lab.topology import Topology, named

REPOSITORY = Path(__file__).parents[2]
HOSTS = "default"
"""The scenario that makes and removes the hosts of all others."""
FOLDER = ".lab-molecule"
TOPOLOGY = "BOXLIFT_LAB_TOPOLOGY"
_CONFIGURATION = Path(".config", "molecule", "config.yml")


@dataclass(frozen=True)
class Story:
    """A scenario of Molecule: `molecule/<name>`."""

    name: str
    topology: Topology


def stories(repository: Path) -> tuple[Story, ...]:
    """All stories of the repository by name.

    Raises:
        LabError: a scenario does not say which topology it needs, or one that there is not.
    """
    found = []
    for file in sorted(repository.glob("molecule/*/molecule.yml")):
        if file.parent.name == HOSTS:
            continue
        told = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        topology = ((told.get("ansible") or {}).get("env") or {}).get(TOPOLOGY)
        if topology is None:
            raise LabError(f"{file}: name the hosts that it needs as ansible.env.{TOPOLOGY}", ExitCode.USAGE)
        found.append(Story(file.parent.name, named(topology)))
    return tuple(found)


def chosen(known: tuple[Story, ...], names: list[str]) -> dict[Topology, tuple[Story, ...]]:
    """The named stories by the hosts that they share, each in the order of `names`.

    Raises:
        LabError: no such story.
    """
    by_name = {story.name: story for story in known}
    if unknown := [name for name in names if name not in by_name]:
        raise LabError(
            f"no such scenario: {', '.join(unknown)}; there are {', '.join(by_name)}", ExitCode.USAGE
        )
    grouped: dict[Topology, tuple[Story, ...]] = {}
    for story in (by_name[name] for name in names):
        grouped[story.topology] = (*grouped.get(story.topology, ()), story)
    return grouped


def lab_of(topology: Topology) -> Lab:
    """The lab of all stories with these hosts, beside that of the demo."""
    demo = Lab.here()
    name = f"{demo.name}-{topology.name.replace('_', '-')}"
    return Lab(name, demo.repository, demo.folder.with_name(FOLDER) / topology.name, topology)


def state(lab: Lab) -> Path:
    """The folder in which Molecule keeps what it knows of the hosts."""
    return lab.folder.with_name("state") / lab.topology.name


def environment(lab: Lab) -> dict[str, str]:
    """What Molecule, Ansible and pytest get for stories on this lab: nothing of the caller's own lab."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BOXLIFT_", "MOLECULE_", "ANSIBLE_"))
    }
    return kept | {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
        "PYTHONPATH": os.pathsep.join(str(lab.repository / room) for room in ("", "src", "bxbackup/src")),
        "BOXLIFT_LAB": lab.name,
        "BOXLIFT_LAB_DIR": str(lab.folder),
        TOPOLOGY: lab.topology.name,
        "MOLECULE_COMMAND_BORDERS": "false",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(state(lab)),
        "MOLECULE_PROJECT_DIRECTORY": str(lab.repository),
    }


def command(lab: Lab, verb: str, scenario: str, *options: str) -> list[str]:
    """Molecule's command line for one scenario."""
    base = lab.repository / _CONFIGURATION
    return ["molecule", "--base-config", str(base), verb, "--scenario-name", scenario, *options]
