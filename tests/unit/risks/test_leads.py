"""Sources of leads: which are there, which a person has confirmed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from boxlift.errors import UsageError
from boxlift.project import Project
from boxlift.risks import LeadState, LeadView, lead_view
from tests.unit.risks.conftest import RELEASE

SOURCES = [
    {
        "id": "web-form-3",
        "kind": "web-form",
        "title": "Call me back",
        "active": True,
        "owner": "Ivanova Anna",
        "address": None,
        "new_address": "https://portal.acme.example/upload/crm/form/loader_3_abc.js",
    },
    {"id": "mailbox-1", "kind": "mailbox", "title": "sales@", "active": False},
    {"id": "open-line-1-telegrambot", "kind": "open-line", "title": "Line 1", "active": True},
]


@pytest.fixture
def collected(lay: Callable[..., None]) -> None:
    lay("leads", domain="portal.acme.example", sources=SOURCES)


def look(project: Project, release: str = RELEASE) -> LeadView:
    with project.journal() as journal:
        return lead_view(project.root, journal, "rehearsal", release)


@pytest.mark.usefixtures("collected")
def test_a_word_confirms_one_source_of_one_release(project: Project) -> None:
    with project.journal() as journal:
        journal.verdict("rehearsal", "lead:web-form-3", RELEASE, verdict="confirm", by="A", note="one came")
        journal.verdict(
            "final", "lead:open-line-1-telegrambot", "final-1", verdict="confirm", by="A", note=None
        )
    found = {item.id: item for item in look(project).sources}
    assert found["web-form-3"].state is LeadState.CONFIRMED
    assert (found["web-form-3"].by, found["web-form-3"].note) == ("A", "one came")
    assert found["mailbox-1"].state is LeadState.INACTIVE
    assert [item.id for item in look(project).missing] == ["open-line-1-telegrambot"]
    assert all(item.action for item in found.values())


@pytest.mark.usefixtures("collected")
def test_a_refused_and_a_reopened_source_are_missing(project: Project) -> None:
    for word, state in (
        ("refuse", LeadState.REFUSED),
        ("confirm", LeadState.CONFIRMED),
        ("reopen", LeadState.OPEN),
    ):
        with project.journal() as journal:
            journal.verdict("rehearsal", "lead:web-form-3", RELEASE, verdict=word, by="A", note=None)
        assert look(project).sources[0].state is state


def test_nothing_collected_is_not_nothing_found(project: Project) -> None:
    view = look(project)
    assert (view.collected, view.sources) == (None, ())


def test_no_terminal_obeys_a_title(project: Project, lay: Callable[..., None]) -> None:
    hostile = SOURCES[0] | {"title": "Call\x1b]0;x\x07 me\nback\u202e", "owner": "\x1b[2J"}
    lay("leads", domain="x", sources=[hostile])
    source = look(project).sources[0]
    assert (source.title, source.owner) == ("Call ]0;x  me back", "[2J")


def test_a_file_that_is_cut_names_itself_and_the_cure(project: Project, lay: Callable[..., None]) -> None:
    lay("leads", domain="x", sources=[])
    path = project.root / "evidence" / RELEASE / "leads.json"
    path.write_text(path.read_text()[:-5])
    with pytest.raises(UsageError) as raised:
        look(project)
    assert str(path) in raised.value.message
    assert "boxlift run repair-portal" in (raised.value.cure or "")
