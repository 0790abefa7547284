"""What was verified, what was repaired, and what shows that the repairs hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from boxlift.figures import count
from boxlift.journal import Attempt, Journal, Result
from boxlift.plan import Plan
from boxlift.report.model import Cases, Failure, Proof, Repair, Verification

_CASE = re.compile(r"\[.*\]$", re.DOTALL)
_RESTORE = "restore"
_REPAIRS = "repairs"


class _Area(NamedTuple):
    """One repair of the portal: the role that makes it, the module of the suite that proves it."""

    role: str
    what: str
    module: str


_AREAS = (
    _Area("portal_domain", "Links in notifications and letters name the portal's domain", "test_domain"),
    _Area("portal_push", "Files and attachments in the messenger: the push server is on", "test_push"),
    _Area("portal_users", "Users without a password of the portal's own can set one", "test_users"),
    _Area("portal_search", "Full-text search has its index", "test_search"),
    _Area("portal_quiet", "Nothing leaves the portal before it is opened", "test_quiet"),
)


def verifications(plan: Plan, journal: Journal) -> tuple[Verification, ...]:
    """The newest run of each suite in each pass, oldest first."""
    boxed = {step.id for _, step in plan.steps() if step.release == "box"}
    newest: dict[tuple[str, str], Verification] = {}
    for attempt in journal.attempts():
        if attempt.trial:
            continue
        suites: dict[str, list[Result]] = {}
        for result in journal.results(attempt.id):
            # a test runs on the control node and belongs to no role
            if not result.host and not result.role:
                suites.setdefault(result.play, []).append(result)
        for suite, results in suites.items():
            release = "box" if attempt.step in boxed else attempt.release
            key = attempt.pass_, suite
            newest.pop(key, None)
            newest[key] = _verification(attempt, suite, release, results)
    return tuple(newest.values())


def _verification(attempt: Attempt, suite: str, release: str, results: Sequence[Result]) -> Verification:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(_CASE.sub("", result.task), []).append(result)
    return Verification(
        suite=suite,
        pass_name=attempt.pass_,
        release=release,
        step=attempt.step,
        at=max((result.ended or attempt.started for result in results), default=attempt.started),
        complete=attempt.outcome in {"done", "failed"},
        groups=tuple(
            Cases(
                name=name,
                passed=sum(case.outcome == "ok" for case in cases),
                failed=sum(case.outcome == "failed" for case in cases),
                skipped=sum(case.outcome == "skipped" for case in cases),
                seconds=sum(case.seconds or 0.0 for case in cases),
            )
            for name, cases in groups.items()
        ),
        failures=tuple(
            Failure(result.task, result.cause or "") for result in results if result.outcome == "failed"
        ),
    )


def repairs(plan: Plan, journal: Journal, checked: Sequence[Verification]) -> tuple[Repair, ...]:
    """What a transfer repaired by itself, then what was put right in the restored portal."""
    return (*_of_transfers(journal, checked), *_of_portals(plan, journal, checked))


def _of_transfers(journal: Journal, checked: Sequence[Verification]) -> Iterator[Repair]:
    for incident in journal.incidents():
        if incident.kind == "repair":
            proof = _proof(checked, incident.pass_, _RESTORE, None, since=incident.at)
            yield Repair(incident.at, incident.pass_, incident.text, "while the backup arrived", proof)


@dataclass
class _Touched:
    """Changes of one role in one pass."""

    at: float | None = None
    changes: int = 0


def _of_portals(plan: Plan, journal: Journal, checked: Sequence[Verification]) -> Iterator[Repair]:
    # what opens the portal takes the quiet back, and the copy for staging is another portal
    repairing = {
        step.id
        for _, step in plan.steps()
        if step.release == "restored" and step.target == "production" and not step.destructive
    }
    seen: dict[tuple[str, str], _Touched] = {}
    for attempt in journal.attempts():
        if attempt.trial or attempt.step not in repairing:
            continue
        for result in journal.results(attempt.id):
            if result.role and result.outcome in {"ok", "changed"}:
                touched = seen.setdefault((attempt.pass_, result.role), _Touched())
                touched.at = result.ended or attempt.started
                touched.changes += result.outcome == "changed"
    for (pass_name, role), touched in seen.items():
        for area in _AREAS:
            if area.role == role:
                how = count(touched.changes, "change") if touched.changes else "was right already"
                yield Repair(
                    touched.at, pass_name, area.what, how, _proof(checked, pass_name, _REPAIRS, area.module)
                )


def _proof(
    checked: Sequence[Verification],
    pass_name: str,
    suite: str,
    module: str | None,
    *,
    since: float = 0.0,
) -> Proof:
    """The tests of a suite, or of one of its modules, that ran after the repair."""
    for run in checked:
        if run.pass_name != pass_name or run.suite != suite or run.at < since:
            continue
        groups = [group for group in run.groups if module is None or f"/{module}.py" in f"/{group.name}"]
        passed, failed = sum(group.passed for group in groups), sum(group.failed for group in groups)
        if failed:
            return Proof(f"{count(failed, 'test')} of suite {suite} failed", holds=False)
        if passed:
            return Proof(f"{count(passed, 'test')} of suite {suite} passed", holds=True)
    return Proof(f"no test of suite {suite} shows it yet", holds=None)
