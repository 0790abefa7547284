"""A person's word on a feared defect or on a source of leads, and what must be confirmed before a step.

`boxlift confirm risk:mobile-app` says that the defect is not there (any more), `--refuse` that it is, and
`--reopen` that nothing was said. `boxlift confirm lead:web-form-3` says that a test lead came through its new
address.
"""

from __future__ import annotations

from pathlib import Path

from boxlift.errors import RefusedError, UsageError
from boxlift.journal import Journal
from boxlift.plan.load import nearest
from boxlift.plan.model import Kind, Step
from boxlift.plan.proof import unproved
from boxlift.plan.state import Position
from boxlift.plan.verdict import Word
from boxlift.risks import lead, view
from boxlift.risks.lead import LeadState, LeadView, lead_view
from boxlift.risks.model import Detector, RiskState
from boxlift.risks.register import load_register
from boxlift.testdata import made_by_tests

_NAMED = 20
"""Sources that a refusal names."""


def is_subject(name: str) -> bool:
    """Whether a name of `boxlift confirm` is a risk or a source of leads, and not a step."""
    return name.startswith((view.PREFIX, lead.PREFIX))


def speak_of(
    root: Path, journal: Journal, where: Position, name: str, *, word: Word, by: str, note: str | None
) -> str:
    """Record a word; gives a sentence that says what it means. UsageError where it makes no sense."""
    if not by.strip():
        raise UsageError("--by needs the name of the person who says so")
    if name.startswith(lead.PREFIX):
        return _of_lead(root, journal, where, name, word=word, by=by.strip(), note=note)
    return _of_risk(root, journal, where, name, word=word, by=by.strip(), note=note)


def _of_risk(
    root: Path, journal: Journal, where: Position, name: str, *, word: Word, by: str, note: str | None
) -> str:
    register = {risk.id: risk for risk in load_register(root)}
    found = name.removeprefix(view.PREFIX)
    if found not in register:
        raise UsageError(
            f"the register has no risk `{found}`{nearest(found, register)}", cure="boxlift risks"
        )
    if register[found].detector is Detector.AUTOMATIC:
        raise UsageError(
            f"`{found}` is decided by what machines see, not by a person",
            cure=f"see why: boxlift risks {found}",
        )
    journal.verdict(where.pass_, name, where.release, verdict=word, by=by, note=note)
    state = {Word.CONFIRM: RiskState.CLEARED, Word.REFUSE: RiskState.FOUND, Word.REOPEN: RiskState.OPEN}[word]
    return f"{found} is {state}" + (f", says {by}" if word is not Word.REOPEN else " again")


def _of_lead(
    root: Path, journal: Journal, where: Position, name: str, *, word: Word, by: str, note: str | None
) -> str:
    sources = lead_view(root, journal, where.pass_, where.release)
    _collected(sources)
    found = name.removeprefix(lead.PREFIX)
    known = {source.id: source for source in sources.sources}
    if found not in known:
        raise UsageError(
            f"{where.release} has no lead source `{found}`{nearest(found, known)}",
            cure="boxlift risks --leads",
        )
    if word is Word.CONFIRM and known[found].state is LeadState.CONFIRMED:
        raise UsageError(
            f"`{found}` is confirmed already by {known[found].by}",
            cure=f"boxlift confirm {name} --by NAME --reopen",
        )
    journal.verdict(where.pass_, name, where.release, verdict=word, by=by, note=note)
    left = len(lead_view(root, journal, where.pass_, where.release).missing)
    said = {Word.CONFIRM: "confirmed", Word.REFUSE: "refused", Word.REOPEN: "open again"}[word]
    rest = (
        f"{left} of {len(sources.sources)} lead sources are left"
        if left
        else "every lead source is confirmed"
    )
    return f"{found} is {said}; {rest}"


def confirm_leads(root: Path, journal: Journal, where: Position, *, by: str) -> int:
    """Confirm every source that is left in somebody's name (for the lab); gives how many."""
    missing = lead_view(root, journal, where.pass_, where.release).missing
    for source in missing:
        journal.verdict(
            where.pass_, f"{lead.PREFIX}{source.id}", where.release, verdict=Word.CONFIRM, by=by, note=None
        )
    return len(missing)


def unready(root: Path, journal: Journal, where: Position, step: Step) -> list[str]:
    """What keeps a person from confirming a step, one thing a line; nothing where all is ready."""
    if step.preview is not None and step.kind is Kind.CONFIRM:
        listed = made_by_tests(root, where.release)
        if listed is None or not listed.closed:
            return [f"what tests made is not told apart from what is carried over: boxlift run {step.id}"]
    doubt = unproved(journal, where, step)
    if doubt is not None:
        return [doubt]
    if not step.needs_leads:
        return []
    sources = lead_view(root, journal, where.pass_, where.release)
    if sources.collected is None:
        return [f"the lead sources of {where.release} were never collected: boxlift run repair-portal"]
    missing = sources.missing
    lines = [f"{item.id}: {item.title} ({item.owner or 'no owner known'})" for item in missing[:_NAMED]]
    if len(missing) > _NAMED:
        lines.append(f"and {len(missing) - _NAMED} more")
    if not lines:
        return []
    return [f"{len(missing)} of {len(sources.sources)} lead sources are not confirmed", *lines]


def admit(root: Path, journal: Journal, where: Position, step: Step) -> None:
    """RefusedError that lists what is missing before a person may confirm a step."""
    missing = unready(root, journal, where, step)
    if missing:
        first, *rest = missing
        raise RefusedError(
            "\n".join([f"`{step.id}` cannot be confirmed: {first}", *(f"  {line}" for line in rest)]),
            cure=_cure(step),
        )


def _cure(step: Step) -> str:
    if step.needs_leads:
        return "boxlift risks --leads, then each: boxlift confirm lead:NAME --by NAME"
    return f"boxlift verify {step.proof}" if step.proof is not None else f"boxlift run {step.id}"


def _collected(sources: LeadView) -> None:
    if sources.collected is None:
        raise RefusedError(
            f"the lead sources of {sources.release} were never collected", cure="boxlift run repair-portal"
        )
