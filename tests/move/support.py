"""The people of the story, what they type, and the lab that it plays on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from boxlift.journal import Attempt, Segment
from boxlift.lab import archive as archives
from boxlift.lab.access import replace
from boxlift.lab.archive import Archive
from boxlift.lab.command import run
from boxlift.lab.hosts import Hosts
from boxlift.lab.material import python
from boxlift.lab.place import Lab
from boxlift.plan import Pass
from boxlift.project import Project, load

CANARY = "canaryINtheLINK7c1f"
"""Signature of the backup's links: nobody may ever see it again."""
ARGV = [sys.executable, "-c", "from boxlift.cli import main; main()"]
VERIFICATION_FAILED = 7
PERSON_NEXT = 8
INTERRUPTED = 130


def lab_of_the_story() -> Lab:
    """A lab beside that of the demo, so that neither disturbs the other."""
    demo = Lab.here()
    return Lab(f"{demo.name}-story", demo.repository, demo.folder.with_name(f"{demo.folder.name}-story"))


def say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


@dataclass
class Told:
    """What a command printed."""

    code: int
    out: str
    errors: str


@dataclass
class Story:
    """One move from the first host to the last confirmation; all that was ever printed is kept."""

    lab: Lab
    project: Project
    printed: list[str] = field(default_factory=list)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BOXLIFT_")}
        return kept | {"PYTHONPATH": os.pathsep.join(sys.path)}

    def boxlift(self, *words: str, code: int | None = 0) -> Told:
        """Type a command in the project's folder; its exit code has to be `code`, None: any."""
        ended = subprocess.run(
            [*ARGV, *words],
            cwd=self.project.root,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        say(f"boxlift {' '.join(words)} → {ended.returncode}")
        self.printed += [ended.stdout, ended.stderr]
        assert code is None or ended.returncode == code, f"{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
        return Told(ended.returncode, ended.stdout, ended.stderr)

    def data(self, *words: str) -> Any:
        """What a command says as JSON."""
        return json.loads(self.boxlift(*words, "--json").out)

    def stopped(self, words: Sequence[str], number: signal.Signals, when: Callable[[], bool]) -> Told:
        """Start a command and send its runner a signal as soon as `when` says so."""
        output = self.project.root / "stopped.txt"
        with output.open("w") as file:
            runner = subprocess.Popen(
                # whoever runs the tests in the background has Ctrl-C ignored for all of them
                ["env", "--default-signal=INT", *ARGV, *words],
                cwd=self.project.root,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                wait_until(lambda: runner.poll() is not None or when(), 600)
                assert runner.poll() is None, output.read_text()[-3000:]
                runner.send_signal(number)
                runner.wait(timeout=60)
            finally:
                runner.kill()
        say(f"boxlift {' '.join(words)} was sent {number.name} → {runner.returncode}")
        self.printed.append(output.read_text())
        return Told(runner.returncode, output.read_text(), "")

    def attempts(self, step: str, pass_: Pass) -> list[Attempt]:
        """Starts of a step, those in check mode left out."""
        with self.project.journal() as journal:
            known = [found for found in journal.attempts() if not found.trial]
        return [found for found in known if (found.step, found.pass_) == (step, pass_)]

    def results(self, step: str, pass_: Pass) -> int:
        """How many tasks of a step have ended on a host so far."""
        with self.project.journal() as journal:
            ids = [found.id for found in journal.attempts() if (found.step, found.pass_) == (step, pass_)]
            return sum(len(journal.results(attempt)) for attempt in ids)

    def last_look(self, step: str, pass_: Pass) -> Segment | None:
        """The newest look at the step's restore."""
        with self.project.journal() as journal:
            found = [
                segment
                for attempt in journal.attempts()
                if (attempt.step, attempt.pass_) == (step, pass_)
                for segment in journal.segments(attempt.id)
            ]
        return found[-1] if found else None

    def half_fetched(self, pass_: Pass) -> bool:
        """Whether the restore is in the midst of its fetching."""
        look = self.last_look("restore-backup", pass_)
        return look is not None and look.state == "running" and bool(look.bytes) and look.tables is not None

    def on(self, host: str, command: str) -> str:
        return run(["ssh", "-F", str(self.lab.ssh_config), "-o", "BatchMode=yes", host, command]).strip()

    def go_on(self, pass_: Pass, people: dict[str, Callable[[], None]], until: str | None = None) -> None:
        """`run` and `confirm` in turn, as people do, to the end of the pass or before the step `until`.

        `people`: what somebody does before a step is confirmed.
        """
        while True:
            told = self.boxlift("run", "--pass", pass_, "--yes", code=None)
            if told.code == 0:
                return
            assert told.code == PERSON_NEXT, f"{told.out[-3000:]}\n{told.errors[-3000:]}"
            step = self.data("status", "--pass", pass_)["next_step"]
            assert f"boxlift confirm {step} --by NAME" in told.errors
            if step == until:
                return
            people.get(step, lambda: None)()
            self.boxlift("confirm", step, "--by", "Anna", "--pass", pass_)


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.3)


def generated(lab: Lab, name: str, *options: str) -> Archive:
    """A backup of the synthetic portal; made once and kept."""
    folder = lab.folder / "backup" / name
    if not folder.is_dir():
        part = folder.with_name(f".{name}")
        shutil.rmtree(part, ignore_errors=True)
        python(lab, "lab.generator", "--out", str(part), "--quiet", *options)
        part.rename(folder)
    return archives.existing(folder)


def offer(lab: Lab, archive: Archive, scenario: str) -> str:
    """Let the cloud offer a backup; gives the signed link of its first part."""
    archives.serve(lab, archive)
    replace(lab.served / "scenario.yml", scenario, 0o644)
    return f"{archive.url}?X-Signature={CANARY}"


def begin(*, go_on: bool) -> Story:
    """New hosts and a new project; with `go_on` those of the run before."""
    lab = lab_of_the_story()
    lab.claim()
    hosts = Hosts(lab, say)
    if not go_on:
        hosts.down()
        shutil.rmtree(lab.project, ignore_errors=True)
    hosts.up()
    return Story(lab, load(lab.project))


def end(story: Story) -> None:
    """Remove the hosts; the project with its journal and logs stays."""
    Hosts(story.lab, say).down()
