"""What the project knows and a letter may say. Never a link to a backup, a password, or another secret.

A field is an `Unknown` where nobody knows the figure yet: it names the command that finds it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from boxlift.errors import BoxliftError
from boxlift.forecast import ask
from boxlift.forecast.arrivals import read_arrivals
from boxlift.forecast.result import Finish, Forecast
from boxlift.journal import Journal
from boxlift.letters.unknown import Unknown
from boxlift.letters.words import SAYING, Language
from boxlift.plan.model import Pass, Urgency
from boxlift.plan.state import Position, State, position
from boxlift.project import Project
from boxlift.report.clock import Clock
from boxlift.risks import LeadStatus, RiskStatus, Stage, lead_view, load_register, risk_view
from boxlift.risks.evidence import Figures, read
from boxlift.testdata import Proof, proof

FORECAST, RESTORE = "boxlift forecast", "boxlift run restore-backup"
"""Commands that find out what is not known."""
_DRAWS = 1000
"""Simulated moves: a letter tells hours, not minutes."""
SALES, LETTERS = "start-box-sales", "send-password-letters"


@dataclass(frozen=True)
class Planned:
    """One step of the cut-over. `ends` and `latest`: P50 and P95, seconds since 1970; `took` seconds."""

    id: str
    title: str
    owner: str
    done: bool
    ends: float | Unknown
    latest: float | Unknown


@dataclass(frozen=True)
class Suite:
    """The last run of one suite of tests."""

    name: str
    passed: int
    failed: int
    at: float


@dataclass(frozen=True)
class Facts:
    """All that templates may use. Moments are seconds since 1970 UTC, durations seconds, sizes bytes."""

    project: str
    language: str
    pass_name: str
    release: str
    now: float
    timezone: str
    domain: str | Unknown
    telephony_domain: str | Unknown
    backup_at: float | str | Unknown
    """When the backup was begun; before that the hour that loses least, from which later moments count."""
    backup_taken: bool
    backup_size: int | Unknown
    restore_seconds: float | Unknown
    gap_seconds: float | Unknown
    gap_latest: float | Unknown
    gap_leads: int | Unknown
    """Leads that arrive in the gap at most in 90 of 100 moves."""
    cutover_seconds: float | Unknown
    cutover_latest: float | Unknown
    sales_start: float | Unknown
    sales_latest: float | Unknown
    deadline: float | Unknown
    latest_go: float | Unknown
    letters_at: float | Unknown
    password_users: int | Unknown
    steps: tuple[Planned, ...]
    leads: tuple[LeadStatus, ...] | Unknown
    leads_missing: int | Unknown
    risks: tuple[RiskStatus, ...]
    suites: tuple[Suite, ...] | Unknown
    test_data: Proof | Unknown

    def fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def gather(project: Project, pass_: Pass | None, language: Language, clock: Clock, now: float) -> Facts:
    """Read the project for a letter; without a pass that which commands work on."""
    plan, alive = project.plan(), project.runner_alive()
    with project.journal() as journal:
        chosen = pass_ or Pass(journal.chosen_pass() or Pass.REHEARSAL)
        where = position(plan, journal, chosen, runner_alive=alive)
        told = _forecast(project, journal, chosen, now)
        leads = lead_view(project.root, journal, str(chosen), where.release)
        register = risk_view(project.root, journal, where, load_register(project.root)).risks
        suites = _suites(journal, where.release)
        moved = [attempt for attempt in journal.attempts() if attempt.bytes and attempt.outcome == "done"]
    unknown = _Unknowns(language)
    names = _names(project)
    figures = read(project.root, where.release, Stage.BACKUP.value, Figures)
    network = figures.figures.get("network_users") if figures else None
    expected = _Expected(told, where)
    took = _took(where)
    arrivals = told.gap.arrivals if told and told.gap else ()
    leads_gap = next((item for item in arrivals if item.kind == "leads"), None)
    deleted = proof(project.root, where.release)
    return Facts(
        project=project.settings.name,
        language=language,
        pass_name=str(chosen),
        release=where.release,
        now=now,
        timezone=clock.name,
        domain=names.get("portal_domain") or unknown("inventory/group_vars/all/project.yml"),
        telephony_domain=names.get("telephony_domain") or unknown("inventory/group_vars/all/project.yml"),
        backup_at=_backup_at(project, where, told) or unknown(FORECAST),
        backup_taken=told is not None and told.gap is not None and told.gap.begun,
        backup_size=moved[-1].bytes or unknown(RESTORE) if moved else unknown(RESTORE),
        restore_seconds=moved[-1].seconds or unknown(RESTORE) if moved else unknown(RESTORE),
        gap_seconds=told.gap.seconds.p50 if told and told.gap else unknown(FORECAST),
        gap_latest=told.gap.seconds.p95 if told and told.gap else unknown(FORECAST),
        gap_leads=leads_gap.p90 if leads_gap else unknown(FORECAST),
        cutover_seconds=told.cut_over.seconds.p50 if told and told.cut_over else took or unknown(FORECAST),
        cutover_latest=told.cut_over.seconds.p95 if told and told.cut_over else took or unknown(FORECAST),
        sales_start=expected.ends(SALES) or unknown(RESTORE),
        sales_latest=expected.latest(SALES) or unknown(RESTORE),
        deadline=told.decision.deadline if told and told.decision else unknown("deadline in boxlift.yml"),
        latest_go=told.decision.latest_go or unknown(FORECAST)
        if told and told.decision
        else unknown("deadline in boxlift.yml"),
        letters_at=expected.ends(LETTERS) or unknown(RESTORE),
        password_users=network.value
        if network is not None and network.value is not None
        else unknown(RESTORE),
        steps=_steps(where, expected, language, unknown),
        leads=leads.sources if leads.collected else unknown(RESTORE),
        leads_missing=len(leads.missing) if leads.collected else unknown(RESTORE),
        risks=register,
        suites=suites or unknown("boxlift verify"),
        test_data=deleted or unknown("boxlift run delete-test-data"),
    )


class _Unknowns:
    def __init__(self, language: Language) -> None:
        self._language = language

    def __call__(self, command: str) -> Unknown:
        return Unknown(self._language, command)


class _Expected:
    """When steps end, or ended. Before the backup is taken everything starts from the hour that loses least.

    Without such an hour nobody knows a moment yet: only a restored portal tells when leads come.
    """

    def __init__(self, told: Forecast | None, where: Position) -> None:
        self._told = told
        self._ended = {item.step.id: item.ended for item in where.steps if item.state is State.DONE}
        self._shift: float | None = None
        if told is not None and told.gap is not None and told.gap.begun:
            self._shift = 0.0
        elif told is not None and told.gap is not None and told.starts is not None and told.starts.best:
            self._shift = max(0.0, told.starts.best[0].at - told.gap.begins)

    def ends(self, step: str) -> float | None:
        """P50 of a step's end."""
        found = self._finish(step)
        return found.p50 + self._shift if found and self._shift is not None else self._ended.get(step)

    def latest(self, step: str) -> float | None:
        """P95 of a step's end."""
        found = self._finish(step)
        return found.p95 + self._shift if found and self._shift is not None else self._ended.get(step)

    def _finish(self, step: str) -> Finish | None:
        found = self._told.step(step) if self._told and step not in self._ended else None
        return found.ends if found else None


def _forecast(project: Project, journal: Journal, pass_: Pass, now: float) -> Forecast | None:
    """None where a forecast cannot be made: the letter says then what it lacks."""
    try:
        return ask(project, journal, pass_, now=now, draws=_DRAWS)
    except BoxliftError:
        return None


def _backup_at(project: Project, where: Position, told: Forecast | None) -> float | str | None:
    """When the dump was begun; else the best hour of the forecast."""
    try:
        arrivals = read_arrivals(project.root)
    except BoxliftError:
        arrivals = None
    if arrivals is not None and arrivals.release == where.release and arrivals.backup.began:
        return arrivals.backup.began
    if told is None or told.starts is None or not told.starts.best:
        return None
    return told.starts.best[0].at


def _names(project: Project) -> dict[str, str]:
    """Domains, where the inventory writes them out for production or for all."""
    found: dict[str, str] = {}
    for group in ("all", "production"):
        for path in sorted((project.inventory / "group_vars" / group).glob("*.yml")):
            if path.name == "vault.yml":
                continue
            try:
                data = yaml.safe_load(path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError, yaml.YAMLError):
                continue
            for name in ("portal_domain", "telephony_domain"):
                value = data.get(name) if isinstance(data, dict) else None
                if isinstance(value, str) and value and "{{" not in value:
                    found[name] = value
    return found


def _took(where: Position) -> float | None:
    """Seconds of a cut-over that is over."""
    waited = [item for item in where.in_pass if item.phase.urgency is Urgency.HIGH]
    began = [item.started for item in waited if item.started is not None]
    ended = [item.ended for item in waited if item.state is State.DONE and item.ended is not None]
    return max(ended) - min(began) if waited and began and len(ended) == len(waited) else None


def _steps(
    where: Position, expected: _Expected, language: Language, unknown: _Unknowns
) -> tuple[Planned, ...]:
    """The steps that people wait for, in order."""
    found = []
    for item in where.in_pass:
        if item.phase.urgency is not Urgency.HIGH:
            continue
        name, done = item.step.id, item.state is State.DONE
        found.append(
            Planned(
                id=name,
                title=SAYING[language].steps.get(name, item.step.title),
                owner=str(item.step.owner),
                done=done,
                ends=expected.ends(name) or unknown(RESTORE),
                latest=expected.latest(name) or unknown(RESTORE),
            )
        )
    return tuple(found)


def _suites(journal: Journal, release: str) -> tuple[Suite, ...]:
    """The last result of each test of the release, counted by suite."""
    last: dict[str, tuple[str, str, float]] = {}
    for attempt in journal.attempts():
        if attempt.release != release or attempt.trial:
            continue
        for result in journal.results(attempt.id):
            if "::" in result.task:
                last[result.task] = (result.play, result.outcome, result.ended or attempt.started)
    names = sorted({play for play, _, _ in last.values()})
    return tuple(_suite(name, [item for item in last.values() if item[0] == name]) for name in names)


def _suite(name: str, results: Sequence[tuple[str, str, float]]) -> Suite:
    return Suite(
        name,
        passed=sum(outcome == "ok" for _, outcome, _ in results),
        failed=sum(outcome == "failed" for _, outcome, _ in results),
        at=max(at for _, _, at in results),
    )
