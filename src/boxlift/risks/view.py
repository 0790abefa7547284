"""Where each feared defect stands: what was observed, what a person said, what follows from both.

What was seen in the portal counts more than what was seen in the backup: a defect that the backup has may be
repaired by then. A person's word decides where the detector is assisted or manual, until something that a
machine saw later speaks against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import Field

from boxlift.figures import count, iso
from boxlift.journal import Journal, Result, Verdict
from boxlift.plan.state import Position, State
from boxlift.risks import evidence
from boxlift.risks.evidence import Figures
from boxlift.risks.model import Detector, Observation, Risk, RiskState, Stage, Strict

PREFIX = "risk:"
"""Begins the name under which the journal keeps a person's word on a risk."""
_ITEMS = 10
"""Names of what was counted that are shown."""


class Sign(StrEnum):
    """What an observation says about the defect; `fact` decides nothing."""

    GOOD = "good"
    BAD = "bad"
    FACT = "fact"
    UNKNOWN = "unknown"


class Observed(Strict):
    """One observation with its outcome. `at`: when it was made, ISO 8601, UTC."""

    stage: Stage
    sign: Sign
    text: str
    items: tuple[str, ...] = ()
    at: str | None = None


class RiskStatus(Strict):
    """One feared defect as it stands. `by`, `note`, `at`: the last word of a person."""

    id: str
    title: str
    detector: Detector
    owner: str
    state: RiskState
    reason: str
    look: str
    remedy: str
    evidence: tuple[Observed, ...]
    by: str | None = None
    note: str | None = None
    at: str | None = None


class RiskView(Strict):
    """The whole register for one pass and its release."""

    pass_: str = Field(serialization_alias="pass")
    release: str
    risks: tuple[RiskStatus, ...]

    def of(self, state: RiskState) -> tuple[RiskStatus, ...]:
        return tuple(risk for risk in self.risks if risk.state is state)


@dataclass(frozen=True)
class _Known:
    """All that speaks about the release: figures by stage, the last result of each test, the pass."""

    figures: Mapping[Stage, Figures]
    tests: Mapping[str, Result]
    where: Position


def risk_view(root: Path, journal: Journal, where: Position, register: Sequence[Risk]) -> RiskView:
    """Read evidence and journal into the register."""
    release = where.release
    figures = {
        stage: found
        for stage in Stage
        if (found := evidence.read(root, release, stage.value, Figures)) is not None
    }
    known = _Known(figures, _tests(journal, where), where)
    words = [verdict for verdict in journal.verdicts() if verdict.step.startswith(PREFIX)]
    return RiskView(
        pass_=str(where.pass_),
        release=release,
        risks=tuple(_status(risk, known, _word(risk, words, release)) for risk in register),
    )


def _word(risk: Risk, words: Sequence[Verdict], release: str) -> Verdict | None:
    own = [
        word for word in words if word.step == f"{PREFIX}{risk.id}" and (risk.once or word.release == release)
    ]
    return own[-1] if own and own[-1].verdict != "reopen" else None


def _tests(journal: Journal, where: Position) -> dict[str, Result]:
    """The last result of each test that ran for the release, or in a phase that stands for both passes."""
    once = {state.step.id for state in where.steps if state.phase.once}
    return {
        result.task: result
        for attempt in journal.attempts()
        if (attempt.release == where.release or attempt.step in once) and not attempt.trial
        for result in journal.results(attempt.id)
        if "::" in result.task
    }


def _status(risk: Risk, known: _Known, word: Verdict | None) -> RiskStatus:
    observed = [(item, _observe(item, known)) for item in risk.evidence]
    state, reason = _state(risk, observed, word)
    return RiskStatus(
        id=risk.id,
        title=risk.title,
        detector=risk.detector,
        owner=risk.owner,
        state=state,
        reason=reason,
        look=risk.look,
        remedy=risk.remedy,
        evidence=tuple(outcome for _, outcome in observed),
        by=word.by if word else None,
        note=word.note if word else None,
        at=iso(word.at) if word else None,
    )


def _observe(item: Observation, known: _Known) -> Observed:
    if item.figure is not None:
        return _figure(item, item.figure, known.figures.get(item.stage))
    if item.tests is not None:
        return _suite(item, item.tests, known.tests)
    return _step(item, item.step or "", known.where)


def _figure(item: Observation, name: str, figures: Figures | None) -> Observed:
    figure = figures.figures.get(name) if figures else None
    if figures is None or figure is None:
        return Observed(stage=item.stage, sign=Sign.UNKNOWN, text=f"{item.says}: not looked at yet")
    if figure.value is None:
        text = f"{item.says}: the portal has no such table"
        return Observed(stage=item.stage, sign=Sign.UNKNOWN, text=text, at=figures.collected)
    sign = Sign.FACT
    if item.none_clears and figure.value == 0:
        sign = Sign.GOOD
    elif item.bad is not None:
        sign = Sign.BAD if (figure.value > 0) is (item.bad == "above zero") else Sign.GOOD
    return Observed(
        stage=item.stage,
        sign=sign,
        text=f"{item.says}: {figure.value}",
        items=figure.items[:_ITEMS],
        at=figures.collected,
    )


def _suite(item: Observation, tests: str, results: Mapping[str, Result]) -> Observed:
    ran = [result for name, result in results.items() if name.startswith(tests)]
    failed = [result for result in ran if result.outcome == "failed"]
    passed = [result for result in ran if result.outcome == "ok"]
    at = iso(max((result.ended or 0.0 for result in ran), default=0.0) or None)
    if failed:
        causes = tuple(f"{result.task}: {(result.cause or '').partition(chr(10))[0]}" for result in failed)
        text = f"{item.says}: {len(failed)} of {len(ran)} tests failed"
        return Observed(stage=item.stage, sign=Sign.BAD, text=text, items=causes[:_ITEMS], at=at)
    if passed:
        text = f"{item.says}: {count(len(passed), 'test')} passed"
        return Observed(stage=item.stage, sign=Sign.GOOD, text=text, at=at)
    return Observed(stage=item.stage, sign=Sign.UNKNOWN, text=f"{item.says}: not tested yet")


def _step(item: Observation, name: str, where: Position) -> Observed:
    found = next((state for state in where.steps if state.step.id == name), None)
    if found is None or found.state is State.SKIPPED:
        text = f"{item.says}: {name} is no step of the {where.pass_}"
        return Observed(stage=item.stage, sign=Sign.FACT, text=text)
    if found.state is State.DONE:
        text = f"{item.says}: {name} is done"
        return Observed(stage=item.stage, sign=Sign.GOOD, text=text, at=iso(found.ended))
    return Observed(stage=item.stage, sign=Sign.UNKNOWN, text=f"{item.says}: {name} is not done yet")


def _state(
    risk: Risk, observed: Sequence[tuple[Observation, Observed]], word: Verdict | None
) -> tuple[RiskState, str]:
    """State of a risk and, in words, why."""
    deciding = [(item, outcome) for item, outcome in observed if outcome.sign is not Sign.FACT]
    seen = [outcome for _, outcome in deciding if outcome.sign is not Sign.UNKNOWN]
    seen = [outcome for outcome in seen if outcome.stage is Stage.PORTAL] or seen
    bad = [outcome for outcome in seen if outcome.sign is Sign.BAD]
    if word is not None and risk.detector is not Detector.AUTOMATIC:
        return _spoken(word, bad)
    if bad:
        return RiskState.FOUND, bad[0].text
    for item, outcome in deciding:
        if item.none_clears and outcome.sign is Sign.GOOD:
            return RiskState.CLEARED, outcome.text
    if risk.detector is Detector.AUTOMATIC:
        return _proved(seen, [outcome for _, outcome in deciding])
    return RiskState.OPEN, f"a person has to look: boxlift confirm {PREFIX}{risk.id} --by NAME"


def _proved(seen: Sequence[Observed], deciding: Sequence[Observed]) -> tuple[RiskState, str]:
    """What machines alone say where nothing is bad: all that can be seen of the portal must be seen."""
    unseen = [outcome for outcome in deciding if outcome.sign is Sign.UNKNOWN]
    waiting = [outcome for outcome in unseen if outcome.stage is Stage.PORTAL]
    if seen and not waiting:
        return RiskState.CLEARED, seen[-1].text
    if any(outcome.stage is Stage.PORTAL for outcome in seen):
        return RiskState.DOUBTFUL, waiting[0].text
    return RiskState.OPEN, waiting[0].text if waiting else "not looked at yet"


def _spoken(word: Verdict, bad: Sequence[Observed]) -> tuple[RiskState, str]:
    said = f" by {word.by}" + (f": {word.note}" if word.note else "")
    if word.verdict != "confirm":
        return RiskState.FOUND, f"found{said}"
    since = [outcome for outcome in bad if outcome.at is not None and _moment(outcome.at) > word.at]
    if since:
        return RiskState.DOUBTFUL, f"cleared{said}; but since then {since[0].text}"
    return RiskState.CLEARED, f"cleared{said}"


def _moment(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
