"""What the lab's hosts are given from the control node: wheels, and the archives of the stand-ins."""

from __future__ import annotations

import sys

from boxlift.lab.command import run
from boxlift.lab.place import Lab
from boxlift.wheels import collect


def prepare(lab: Lab) -> None:
    """Collect bxbackup's wheels and build the archives, each only when its sources have changed."""
    collect(lab.repository / "bxbackup", lab.repository / "constraints.txt", lab.wheels)
    python(lab, "lab.artifacts", str(lab.artifacts))


def python(lab: Lab, module: str, *arguments: str) -> str:
    """Run one of the repository's own lab modules, which are no part of the installed boxlift."""
    return run([sys.executable, "-m", module, *arguments], folder=lab.repository)
