"""Run one suite of acceptance tests against the project's inventory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from boxlift.content import suites
from boxlift.errors import BoxliftError, UsageError
from boxlift.journal import Result
from boxlift.plan.load import nearest
from boxlift.runner.environment import TALLY_DESCRIPTOR, for_suite
from boxlift.runner.log import Log

_OUTCOMES = {"passed": "ok", "skipped": "skipped", "failed": "failed"}
_NO_TESTS = 5
_FAILED = 1


@dataclass(frozen=True)
class SuiteOrder:
    """All that decides a suite's call of pytest."""

    suite: str
    target: str
    pass_: str
    release: str
    inventory: Path
    content: Path
    project: Path
    folder: Path
    vault_password: Path


def command(order: SuiteOrder) -> list[str]:
    """The exact argv. UsageError for a suite that does not exist."""
    known = suites(order.content)
    if order.suite not in known:
        raise UsageError(
            f"there is no suite `{order.suite}`{nearest(order.suite, known)}",
            cure=f"suites: {', '.join(known)}",
        )
    folder = order.content / "tests" / "acceptance"
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        str(folder / "pytest.ini"),
        f"--rootdir={folder}",
        "-vv",
        "-p",
        "boxlift.runner.tally",
        f"--ansible-inventory={order.inventory}",
        f"--target={order.target}",
    ]
    if order.release != "box":
        argv.append(f"--release={order.release}")
    return [*argv, str(folder / order.suite)]


class SuiteRun:
    """pytest as a child process; iterate over `results`, then read `return_code`."""

    def __init__(
        self,
        order: SuiteOrder,
        log: Log,
        base: Mapping[str, str] = os.environ,
    ) -> None:
        argv = command(order)
        told = {
            "BOXLIFT_PASS": order.pass_,
            "BOXLIFT_RELEASE": order.release,
            "BOXLIFT_PROJECT": str(order.project),
        }
        environment = for_suite(base, order.content, order.folder, order.vault_password, told)
        reading, writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                argv,
                cwd=order.project,
                env=environment | {TALLY_DESCRIPTOR: str(writing)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(writing,),
                start_new_session=True,
                text=True,
                errors="replace",
            )
        finally:
            os.close(writing)
        self._suite = order.suite
        self._lines = os.fdopen(reading, encoding="utf-8")
        self._tail: list[str] = []
        self._thread = threading.Thread(target=self._copy, args=(log,), daemon=True)
        self._thread.start()

    def _copy(self, log: Log) -> None:
        for line in self._process.stdout or ():
            log.write(line.rstrip())
            self._tail = [*self._tail[-4:], line.rstrip()]

    def results(self) -> Iterator[Result]:
        """Each test's end, as it comes."""
        with self._lines:
            for line in self._lines:
                told = json.loads(line)
                yield Result(
                    play=self._suite,
                    role="",
                    task=str(told["test"]),
                    host="",
                    started=told["start"],
                    ended=told["stop"],
                    seconds=told["seconds"],
                    outcome=_OUTCOMES[told["outcome"]],
                    cause=told["cause"],
                )

    @property
    def passed(self) -> bool:
        """Whether all tests passed; waits for the end. BoxliftError where pytest itself could not work."""
        code = self._process.wait()
        self._thread.join()
        if code in {0, _FAILED}:
            return code == 0
        if code == _NO_TESTS:
            raise BoxliftError(f"the suite {self._suite} has no tests")
        tail = "\n".join(line for line in self._tail if line)
        raise BoxliftError(f"the suite {self._suite} could not run (pytest ended with {code})\n{tail}")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
