"""Every source of leads that the restored database knows, and which of them a person has confirmed.

A person confirms one when a test lead came through its new address: `boxlift confirm lead:web-form-3 --by
NAME`. The journal keeps that word for the release that the source was found in.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field

from boxlift.figures import iso
from boxlift.journal import Journal, Verdict
from boxlift.risks import evidence
from boxlift.risks.model import Line, Strict

FILE = "leads"
PREFIX = "lead:"
"""Begins the name under which the journal keeps a person's word on a source."""


class LeadKind(StrEnum):
    WEB_FORM = "web-form"
    SITE_BUTTON = "site-button"
    OPEN_LINE = "open-line"
    MAILBOX = "mailbox"
    WEBHOOK = "webhook"
    NUMBER = "number"


ACTIONS = {
    LeadKind.WEB_FORM: "Replace the form's script, or the link to the form, on the site; send one form.",
    LeadKind.SITE_BUTTON: "Replace the button's script on the site; send one request through the button.",
    LeadKind.OPEN_LINE: "Connect the channel in the box, not in the cloud any more; write one message to it.",
    LeadKind.MAILBOX: "Let the box read the mailbox, take it out of the cloud; send one letter to it.",
    LeadKind.WEBHOOK: "Give the new address to the system that calls it; let that system create one lead.",
    LeadKind.NUMBER: "Route the number to the telephony server of the box; call it once.",
}
"""What a person does with a source of a kind."""


class LeadSource(Strict):
    """One source as it was in the backup. Never holds the secret of a webhook's address.

    `active`: it brought leads when the backup was taken; only such a one has to be confirmed. `owner` is the
    employee who is responsible for it, `address` where clients reach it in the cloud, `new_address` where in
    the box; None where the database does not tell.
    """

    id: str = Field(pattern=r"^[a-z]+(-[a-z]+)*-[a-z0-9_-]+$")
    kind: LeadKind
    title: Line
    active: bool
    owner: Line | None = None
    address: Line | None = None
    new_address: Line | None = None


class LeadSources(Strict):
    """`leads.json`: all sources of a release. `collected`: ISO 8601, UTC; `domain`: the portal's new one."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    release: str
    collected: str
    domain: str
    sources: tuple[LeadSource, ...]


class LeadState(StrEnum):
    """inactive: it brought no leads any more when the backup was taken, so nobody need confirm it."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    INACTIVE = "inactive"


class LeadStatus(LeadSource):
    """A source, what is to be done with it, and a person's word on it. `at`: ISO 8601, UTC."""

    action: str
    state: LeadState
    by: str | None = None
    note: str | None = None
    at: str | None = None


class LeadView(Strict):
    """All sources of a release. `collected` None: nobody has looked for them yet."""

    pass_: str = Field(serialization_alias="pass")
    release: str
    collected: str | None
    sources: tuple[LeadStatus, ...]

    @property
    def missing(self) -> tuple[LeadStatus, ...]:
        """Sources that bring leads and that nobody has confirmed."""
        return tuple(item for item in self.sources if item.state in {LeadState.OPEN, LeadState.REFUSED})


def lead_view(root: Path, journal: Journal, pass_: str, release: str) -> LeadView:
    """The sources of a release as they stand now; none, and `collected` None, before they were collected."""
    found = evidence.read(root, release, FILE, LeadSources)
    if found is None:
        return LeadView(pass_=pass_, release=release, collected=None, sources=())
    words = {
        verdict.step.removeprefix(PREFIX): verdict
        for verdict in journal.verdicts()
        if verdict.step.startswith(PREFIX) and verdict.release == release
    }
    return LeadView(
        pass_=pass_,
        release=release,
        collected=found.collected,
        sources=tuple(_status(source, words.get(source.id)) for source in found.sources),
    )


def _status(source: LeadSource, word: Verdict | None) -> LeadStatus:
    fields = source.model_dump() | {"action": ACTIONS[source.kind]}
    if word is None or word.verdict == "reopen":
        return LeadStatus(**fields, state=LeadState.OPEN if source.active else LeadState.INACTIVE)
    state = LeadState.CONFIRMED if word.verdict == "confirm" else LeadState.REFUSED
    return LeadStatus(**fields, state=state, by=word.by, note=word.note, at=iso(word.at))
