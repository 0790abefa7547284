"""pytest plugin: tells the runner of each test's end, one JSON line on the descriptor it was given."""

from __future__ import annotations

import json
import os

import pytest

from boxlift.runner.environment import TALLY_DESCRIPTOR


class Tally:
    """Writes `{"test", "outcome", "seconds", "start", "stop", "cause"}` a test."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "w", encoding="utf-8")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test counts by its call; set-up and tear-down where they fail, set-up where it skips."""
        if report.when != "call" and not report.failed and not (report.when == "setup" and report.skipped):
            return
        self._tell(report.nodeid, report.outcome, _cause(report), report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._tell(report.nodeid, "failed", str(report.longrepr).strip().splitlines()[-1], None)

    def _tell(self, test: str, outcome: str, cause: str | None, report: pytest.TestReport | None) -> None:
        line = {
            "test": test,
            "outcome": outcome,
            "seconds": report.duration if report else 0.0,
            "start": report.start if report else None,
            "stop": report.stop if report else None,
            "cause": cause,
        }
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def _cause(report: pytest.TestReport) -> str | None:
    if not report.failed:
        return None
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash is not None else report.longrepr).removeprefix("Failed: ")


def pytest_configure(config: pytest.Config) -> None:
    descriptor = os.environ.get(TALLY_DESCRIPTOR)
    if descriptor is not None:
        config.pluginmanager.register(Tally(int(descriptor)), "boxlift-tally")
