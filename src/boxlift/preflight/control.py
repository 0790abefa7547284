"""Checks of the control node: programs, space."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from boxlift.content import INSTALL
from boxlift.figures import size
from boxlift.preflight.finding import Finding
from boxlift.project import Project
from boxlift.runner.environment import own_bin

_SPACE = 500 * 1000 * 1000
"""Bytes: the journal with its reserve, logs, and the wheels that hosts are given."""
_ANSIBLE = (2, 19)
_HERE = "control node"


def check_control_node(project: Project) -> Iterator[Finding]:
    """What the machine needs that boxlift runs on."""
    yield _program("ssh", shutil.which("ssh"), "apt-get install openssh-client")
    ansible = own_bin() / "ansible-playbook"
    yield _program("ansible-playbook", str(ansible) if ansible.is_file() else None, INSTALL)
    yield _ansible()
    free = shutil.disk_usage(project.root).free
    yield Finding(
        "free space",
        _HERE,
        free >= _SPACE,
        size(free),
        f"at least {size(_SPACE)}",
        f"make room on the disk of {project.root}",
    )


def _program(name: str, path: str | None, cure: str) -> Finding:
    return Finding(name, _HERE, path is not None, str(Path(path)) if path else "absent", "installed", cure)


def _ansible() -> Finding:
    limit = "at least " + ".".join(map(str, _ANSIBLE))
    try:
        found = version("ansible-core")
    except PackageNotFoundError:
        found = "absent"
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    return Finding("ansible-core", _HERE, numbers >= _ANSIBLE, found, limit, INSTALL)
