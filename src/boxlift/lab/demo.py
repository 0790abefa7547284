"""The whole move on the lab: hosts, backup, every step of the final pass, and what came of it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from boxlift.errors import ExitCode
from boxlift.figures import duration, size
from boxlift.lab import archive as archives
from boxlift.lab.access import replace
from boxlift.lab.archive import Archive
from boxlift.lab.hosts import Hosts, LabStatus, Say
from boxlift.lab.place import Lab
from boxlift.plan import Pass
from boxlift.plan.state import Position, State, position
from boxlift.project import Project, load
from boxlift.runner import Request, run_plan
from boxlift.runner.display import display_for

CLIENT = "lab"
WATCH = "watch-portal"
"""The step whose suites hold for an open portal; run again, it changes nothing."""
_Result = TypeVar("_Result")
_VARIABLES = "demo.yml"


@dataclass(frozen=True)
class Timed:
    """What the demo did besides the plan's steps, and how long it took, in seconds."""

    title: str
    seconds: float


class Demo:
    """One run of `boxlift lab demo`; a later one goes on where an earlier one was ended."""

    def __init__(self, lab: Lab, console: Console, say: Say) -> None:
        self._lab = lab
        self._console = console
        self._say = say
        self._hosts = Hosts(lab, say)
        self._timed: list[Timed] = []

    def run(self, backup: Path | None, password_file: Path | None, until: str | None) -> ExitCode:
        """Move `backup`, or a generated one, through the final pass up to the step `until`."""
        began = time.monotonic()
        named = archives.existing(backup) if backup else None
        password = password_file.read_text(encoding="utf-8").rstrip("\r\n") if password_file else None
        status = self._timing("hosts", self._hosts.up)
        archive = named or self._timing("backup", lambda: archives.generated(self._lab))
        status = self._settle(archive, status)
        archives.serve(self._lab, archive)
        self._say(f"the cloud offers {len(archive.parts)} parts, {size(archive.size)}: {archive.url}")
        project = load(self._lab.project)
        project.set_backup(Pass.FINAL, [archive.url], password)
        request = Request(until=until, confirm_as=CLIENT)
        if not self._position(project).ahead:
            self._say("every step of the move is done; the portal is watched once more")
            request = Request(names=[WATCH])
        display = display_for(self._console)
        code = run_plan(project, Pass.FINAL, request, display=display, ask=lambda _: True)
        if code is ExitCode.DONE:
            self._report(project, status, time.monotonic() - began)
        return code

    def _settle(self, archive: Archive, status: LabStatus) -> LabStatus:
        """Make sure that hosts, journal and backup belong together; what belongs to others is made anew."""
        mark = self._lab.folder / "demo.json"
        known = json.loads(mark.read_text(encoding="utf-8")) if mark.exists() else {}
        begun = (self._lab.project / ".boxlift" / "journal.db").exists()
        why = ""
        if known and begun and known["backup"] != archive.digest:
            why = "the lab holds another backup"
        elif known and begun and known["hosts"] != self._hosts.identities():
            why = "some of the lab's hosts are new"
        if why:
            # Secrets, markers and journal of a move hold for all of its hosts or for none.
            self._say(f"{why}: the move begins again on new hosts")
            self._hosts.down()
            shutil.rmtree(self._lab.project)
            status = self._timing("new hosts", self._hosts.up)
        told = {"backup": archive.digest, "hosts": self._hosts.identities()}
        replace(mark, json.dumps(told), 0o644)
        variables = self._lab.project / "inventory" / "group_vars" / "all" / _VARIABLES
        manifest = json.dumps(str(archive.manifest)) if archive.manifest else '""'
        replace(variables, f"acceptance_manifest: {manifest}\n", 0o644)
        return status

    def _timing(self, title: str, act: Callable[[], _Result]) -> _Result:
        began = time.monotonic()
        result = act()
        self._timed.append(Timed(title, time.monotonic() - began))
        return result

    def _position(self, project: Project) -> Position:
        with project.journal() as journal:
            return position(project.plan(), journal, Pass.FINAL, runner_alive=False)

    def _report(self, project: Project, status: LabStatus, seconds: float) -> None:
        where = self._position(project)
        table = Table(box=None, pad_edge=False, title="What took how long", title_justify="left")
        table.add_column("phase, step", no_wrap=True)
        table.add_column("state", no_wrap=True)
        table.add_column("took", justify="right", no_wrap=True)
        table.add_row("[bold]lab[/]", "", "")
        for timed in self._timed:
            table.add_row(f"  {timed.title}", "done", duration(timed.seconds))
        phase = ""
        for item in where.in_pass:
            if item.phase.id != phase:
                phase = item.phase.id
                steps = [other for other in where.in_pass if other.phase.id == phase]
                total = sum(other.seconds or 0 for other in steps if other.step.owner == "contractor")
                table.add_row(f"[bold]{phase}[/] {item.phase.title}", "", f"[bold]{duration(total)}[/]")
            took = duration(item.seconds) if item.state is not State.TODO else ""
            person = item.step.kind == "confirm"
            table.add_row(f"  {item.step.id}", str(item.state), f"by {CLIENT}" if person else took)
        table.add_row("[bold]this run[/]", "", f"[bold]{duration(seconds)}[/]")
        self._console.print(table)
        self._console.print("\n".join(self._next(status)), markup=False, soft_wrap=True)

    def _next(self, status: LabStatus) -> list[str]:
        address = {host.name: host.address for host in status.hosts}
        portal, staging, cloud = (address[name] for name in ("portal-1", "staging-1", "cloud-1"))
        authority = self._lab.project / "certificates" / "lab-ca.pem"
        vault = self._lab.project / "inventory" / "group_vars" / "preproduction" / "vault.yml"
        secret = self._lab.folder / "vault-password"
        name, copy = "portal.acme.example", "staging.acme.example"
        return [
            "",
            "What to look at next",
            f"  the portal     curl --cacert {authority} --resolve {name}:443:{portal} https://{name}/",
            "  in a browser   chromium --ignore-certificate-errors "
            f'--host-resolver-rules="MAP {name} {portal}" https://{name}/',
            f"  its letters    curl http://{cloud}:8025/messages",
            f"  what left it   curl http://{cloud}:8026/requests",
            f"  its copy       curl --cacert {authority} --resolve {copy}:443:{staging} --user tester https://{copy}/",
            f"  the password   ansible-vault view --vault-password-file {secret} {vault}",
            f"  its mail       https://{copy}/-/mail/",
            f"  the move       boxlift -C {self._lab.project} status   (plan, journal, verify)",
            f"  a host         ssh -F {self._lab.ssh_config} portal-1",
            "  the end        make clean-lab",
        ]
