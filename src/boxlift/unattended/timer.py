"""systemd units that run a command at set times."""

from __future__ import annotations

import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2

from boxlift.errors import UsageError
from boxlift.project import Project
from boxlift.unattended.targets import FILE

TIMED = {
    "clone": ("Rebuild staging as a copy of production", ("clone", "--yes", "--quiet", "--tell")),
    "backup": ("Back production up on another host", ("backup", "--quiet", "--tell")),
    "certificate": ("Put a renewed certificate into service", ("certificate", "--quiet", "--tell")),
    "verify": ("Prove that the portal is what it has to be", ("verify", "--quiet", "--tell")),
}
"""Commands that can run with nobody there: what they do, and their words."""
_PLAIN = re.compile(r"[^\x00-\x1f\x7f%$\\]+")
"""systemd reads a percent sign as the beginning of a specifier, a dollar sign as that of a variable."""


_ROOT = 0
"""Reads and writes everybody's files."""


@dataclass(frozen=True)
class Timer:
    """One command of one project at set times. `calendar` as systemd.time(7) writes it: `Sun 03:00`."""

    project: Project
    command: str
    calendar: str

    @property
    def name(self) -> str:
        return f"boxlift-{self.project.settings.name}-{self.command}"

    def owner(self) -> str:
        """Whom the units run as: whose folder the project is, for his are the keys of the hosts.

        Who writes the units, root with sudo say, does not matter.

        :raises UsageError: something that the run reads or writes is another user's.
        """
        root = self.project.root
        owner = _owner(root)
        try:
            account = pwd.getpwuid(owner)
        except KeyError as error:
            raise UsageError(
                f"{root} belongs to user {owner}, whom this machine does not know",
                cure=f"sudo chown -R NAME {root}",
            ) from error
        state = self.project.state
        for path in (state, state / "journal.db", root / FILE, *self._vault_file(Path(account.pw_dir))):
            if owner != _ROOT and path.exists() and _owner(path) != owner:
                raise UsageError(
                    f"{path} is another user's: the units run as {account.pw_name}, whose project it is",
                    cure=f"sudo chown -R {account.pw_name} {path}",
                )
        return account.pw_name

    def _vault_file(self, home: Path) -> Iterator[Path]:
        """The vault password's file, as the owner of `home` finds it; a script may be anybody's."""
        settings = self.project.settings
        file = settings.vault_password_file
        if file is None and settings.vault_password_client is None:
            raise UsageError(
                "boxlift.yml names no source of the vault password, and a timer has nobody's environment",
                cure="name a file outside the project there: vault_password_file: PATH",
            )
        if file is not None:
            named = home.joinpath(*file.parts[1:]) if file.parts[0] == "~" else file.expanduser()
            path = self.project.root / named
            if not path.exists():
                raise UsageError(
                    f"the vault password's file {path} is not there", cure="name the right one in boxlift.yml"
                )
            if not path.stat().st_mode & 0o111:
                yield path

    def units(self) -> dict[str, str]:
        """File name to text of the two units. UsageError where a word cannot stand in one."""
        program = Path(sys.executable).parent / "boxlift"
        title, words = TIMED[self.command]
        told = {
            "title": title,
            "project": self.project.settings.name,
            "folder": str(self.project.root),
            "user": self.owner(),
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


def _owner(path: Path) -> int:
    return path.stat().st_uid


def _template(name: str) -> str:
    return (resources.files("boxlift.unattended") / name).read_text(encoding="utf-8")
