"""systemd units that run a command at set times."""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2

from boxlift.errors import UsageError
from boxlift.project import Project

TIMED = {
    "clone": ("Rebuild staging as a copy of production", ("clone", "--yes", "--quiet", "--tell")),
    "certificate": ("Put a renewed certificate into service", ("certificate", "--quiet", "--tell")),
    "verify": ("Prove that the portal is what it has to be", ("verify", "--quiet", "--tell")),
}
"""Commands that can run with nobody there: what they do, and their words."""
_PLAIN = re.compile(r"[^\x00-\x1f\x7f%$\\]+")
"""systemd reads a percent sign as the beginning of a specifier, a dollar sign as that of a variable."""


@dataclass(frozen=True)
class Timer:
    """One command of one project at set times. `calendar` as systemd.time(7) writes it: `Sun 03:00`."""

    project: Project
    command: str
    calendar: str

    @property
    def name(self) -> str:
        return f"boxlift-{self.project.settings.name}-{self.command}"

    def units(self) -> dict[str, str]:
        """File name to text of the two units. UsageError where a word cannot stand in one."""
        program = Path(sys.executable).parent / "boxlift"
        title, words = TIMED[self.command]
        told = {
            "title": title,
            "project": self.project.settings.name,
            "folder": str(self.project.root),
            "user": getpass.getuser(),
            "program": str(program),
            "words": words,
            "calendar": self.calendar,
        }
        for word in (told["folder"], told["program"], self.calendar):
            if not _PLAIN.fullmatch(str(word)) or '"' in str(word):
                raise UsageError(f"`{word}` cannot stand in a systemd unit")
        loader = jinja2.FunctionLoader(_template)
        environment = jinja2.Environment(
            loader=loader,
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
            autoescape=jinja2.select_autoescape(),
        )
        return {
            f"{self.name}.{kind}": environment.get_template(f"{kind}.j2").render(told)
            for kind in ("service", "timer")
        }

    def next_time(self) -> str | None:
        """When systemd would start it next; None where systemd is not there to be asked.

        :raises UsageError: systemd does not understand the calendar.
        """
        program = shutil.which("systemd-analyze")
        if program is None:
            return None
        ended = subprocess.run(
            [program, "calendar", "--", self.calendar], capture_output=True, text=True, check=False
        )
        if ended.returncode != 0:
            said = (ended.stderr.strip() or "not understood").splitlines()[-1]
            raise UsageError(f"`{self.calendar}` is no time of a calendar: {said}", cure='as in "Sun 03:00"')
        found = re.search(r"Next elapse:\s*(.+)", ended.stdout)
        return found[1].strip() if found else None


def _template(name: str) -> str:
    return (resources.files("boxlift.unattended") / name).read_text(encoding="utf-8")
