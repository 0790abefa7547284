"""`python -m tests.scenarios NAME…`: tell stories on the lab with Molecule, and how long each took.

Stories with the same hosts share them. Hosts of stories that all went well are removed, others stay to be
looked at: `--do verify NAME` (or converge, side-effect, idempotence) goes on with them, `--remove` removes
all that was ever made.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence

from boxlift.errors import BoxliftError
from boxlift.lab.hosts import Hosts
from boxlift.lab.place import Lab
from boxlift.lab.topology import TOPOLOGIES
from tests.scenarios.story import HOSTS, Story, chosen, command, environment, lab_of, state, stories

_TEST = "test"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="stories to tell")
    parser.add_argument("--all", action="store_true", help="all that there are")
    parser.add_argument("--do", default=_TEST, metavar="VERB", help="another verb of Molecule than test")
    parser.add_argument("--keep", action="store_true", help="leave the hosts there at the end")
    parser.add_argument("--remove", action="store_true", help="remove everything that the stories' labs made")
    asked = parser.parse_args()
    if asked.remove:
        remove()
        return 0
    known = stories(Lab.here().repository)
    names = [story.name for story in known] if asked.all else asked.names
    took: list[tuple[Story, float, bool]] = []
    for topology, group in chosen(known, names).items():
        lab = lab_of(topology)
        went_well = tell(lab, asked.do, group, took)
        if not went_well:
            say(f"the hosts stay, to be looked at: ssh -F {lab.ssh_config} {topology.hosts[0].name}")
            break
        if asked.do == _TEST and not asked.keep:
            molecule(lab, "destroy", HOSTS)
    for story, seconds, well in took:
        say(f"{'done  ' if well else 'FAILED'} {seconds:5.0f} s  {story.name} ({story.topology.name})")
    return 0 if all(well for _, _, well in took) else 1


def tell(lab: Lab, verb: str, group: Sequence[Story], took: list[tuple[Story, float, bool]]) -> bool:
    """Tell stories on one lab up to the first that fails; `took` gets the seconds of each."""
    options: tuple[str, ...] = ()
    if verb == _TEST:
        # Without what it knew Molecule makes the hosts anew, before the first story and for all of them.
        shutil.rmtree(state(lab), ignore_errors=True)
        options = ("--destroy=never",)
    for story in group:
        say(f"{verb} {story.name} on {story.topology.name}")
        began = time.monotonic()
        well = molecule(lab, verb, story.name, *options) == 0
        took.append((story, time.monotonic() - began, well))
        if not well:
            return False
    return True


def molecule(lab: Lab, verb: str, scenario: str, *options: str) -> int:
    """Molecule's exit code."""
    lab.folder.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        command(lab, verb, scenario, *options), cwd=lab.repository, env=environment(lab), check=False
    ).returncode


def remove() -> None:
    """Remove the labs of all stories, with hosts, images that nobody else uses, and folders."""
    for topology in TOPOLOGIES.values():
        lab = lab_of(topology)
        if lab.folder.exists():
            Hosts(lab, say).down(everything=True)
        shutil.rmtree(state(lab), ignore_errors=True)
    for folder in (state(lab).parent, lab.folder.parent):
        if folder.exists() and not any(folder.iterdir()):
            folder.rmdir()


def say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BoxliftError as error:
        say(str(error))
        sys.exit(error.code)
