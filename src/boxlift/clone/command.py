"""`boxlift clone`: show both sides, ask, copy."""

from __future__ import annotations

from collections.abc import Callable

from boxlift.clone.description import describe
from boxlift.clone.doubts import doubts
from boxlift.errors import ExitCode, RefusedError
from boxlift.plan import Pass
from boxlift.project import Project
from boxlift.project.place import place_option
from boxlift.runner import Command, run_command
from boxlift.runner.display import Display

Ask = Callable[[str], bool]


def run_clone(
    project: Project, pass_: Pass | None = None, *, ask: Ask, display: Display | None = None
) -> ExitCode:
    """Name both sides, ask once, copy, say what somebody should look at in the copy.

    :raises RefusedError: nobody agreed.
    :raises UndescribedError: a side is unreachable or not what it should be.
    """

    def agree(shown: Display) -> None:
        shown.busy("looking at both sides")
        description = describe(project)
        for line in description.lines():
            shown.line(line)
        shown.end()
        source, target = description.source["name"], description.target["name"]
        if not ask(f"{target} becomes a copy of {source}; what was tried out on it stays in the former copy"):
            raise RefusedError(
                f"{target} would be replaced, and nobody agreed to it",
                cure=f"boxlift{place_option(project)} clone --yes",
            )

    def tell(shown: Display) -> None:
        for line in doubts(project.root):
            shown.line(line)

    return run_command(project, Command.CLONE, pass_, before=agree, after=tell, display=display)
