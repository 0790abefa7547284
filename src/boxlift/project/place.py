"""How a command that is shown names its project."""

from __future__ import annotations

import shlex
from pathlib import Path

from boxlift.project.folder import Project


def place_option(project: Project) -> str:
    """The option that names the project, where it is not the current folder."""
    return "" if Path.cwd().is_relative_to(project.root) else f" -C {shlex.quote(str(project.root))}"
