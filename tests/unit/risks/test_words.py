"""What a person may say about risks and sources of leads, and what a step waits for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from boxlift.errors import ExitCode, PersonNextError, RefusedError, UsageError
from boxlift.plan import Pass
from boxlift.plan.model import Step
from boxlift.plan.verdict import Word
from boxlift.project import Project
from boxlift.risks import LeadState, lead_view
from boxlift.risks.word import admit, confirm_leads, is_subject, speak_of, unready
from boxlift.runner import walk
from boxlift.runner.display import PlainDisplay
from tests.unit.risks.conftest import standing

SALES = "start-box-sales"
FINAL = "final-1"


@pytest.fixture
def sources(lay: Callable[..., None]) -> None:
    found = [
        {"id": f"web-form-{number}", "kind": "web-form", "title": f"Form {number}", "active": number < 23}
        for number in range(1, 25)
    ]
    lay("leads", release=FINAL, domain="portal.acme.example", sources=found)


def say(project: Project, name: str, word: Word = Word.CONFIRM, by: str = "A") -> str:
    with project.journal() as journal:
        where = standing(project, journal, Pass.FINAL)
        return speak_of(project.root, journal, where, name, word=word, by=by, note=None)


def waiting(project: Project) -> list[str]:
    with project.journal() as journal:
        where = standing(project, journal, Pass.FINAL)
        return unready(project.root, journal, where, project.plan().step(SALES))


def test_the_sales_step_waits_for_every_source(project: Project, sources: None) -> None:
    missing = waiting(project)
    assert missing[0] == "22 of 24 lead sources are not confirmed"
    assert missing[1] == "web-form-1: Form 1 (no owner known)"
    assert missing[-1] == "and 2 more"
    with project.journal() as journal:
        where = standing(project, journal, Pass.FINAL)
        with pytest.raises(RefusedError) as raised:
            admit(project.root, journal, where, project.plan().step(SALES))
        assert raised.value.code is ExitCode.REFUSED
        assert "web-form-20" in raised.value.message
        assert "risks --leads" in (raised.value.cure or "")
    assert say(project, "lead:web-form-1") == "web-form-1 is confirmed; 21 of 24 lead sources are left"
    with project.journal() as journal:
        assert confirm_leads(project.root, journal, standing(project, journal, Pass.FINAL), by="lab") == 21
    assert waiting(project) == []
    assert "open again; 1 of 24" in say(project, "lead:web-form-1", Word.REOPEN)
    assert "refused; 1 of 24" in say(project, "lead:web-form-1", Word.REFUSE)
    assert say(project, "lead:web-form-1") == "web-form-1 is confirmed; every lead source is confirmed"


def test_sources_that_nobody_collected_are_missing_too(project: Project) -> None:
    assert waiting(project) == ["the lead sources of final-1 were never collected: boxlift run repair-portal"]
    with pytest.raises(RefusedError):
        say(project, "lead:web-form-1")


def test_other_steps_wait_for_no_source(project: Project) -> None:
    plan = project.plan()
    asking = [step.id for _, step in plan.steps() if step.needs_leads]
    assert asking == [SALES]


@pytest.mark.usefixtures("sources")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lead:web-from-1", "did you mean `web-form-1`?"),
        ("lead:", "no lead source"),
        ("risk:mobil-app", "did you mean `mobile-app`?"),
        ("risk:search-index", "decided by what machines see"),
    ],
)
def test_what_makes_no_sense_is_said(project: Project, name: str, said: str) -> None:
    assert is_subject(name)
    with pytest.raises(UsageError) as raised:
        say(project, name)
    assert said in raised.value.message


@pytest.mark.usefixtures("sources")
def test_a_word_needs_a_name_and_is_said_once(project: Project) -> None:
    with pytest.raises(UsageError, match="--by"):
        say(project, "risk:mobile-app", by="  ")
    assert say(project, "lead:web-form-2", by=" B ")
    with pytest.raises(UsageError, match="confirmed already by B"):
        say(project, "lead:web-form-2")
    with project.journal() as journal:
        view = lead_view(project.root, journal, "final", FINAL)
    assert view.sources[1].state is LeadState.CONFIRMED


def test_words_on_risks(project: Project) -> None:
    assert say(project, "risk:mobile-app") == "mobile-app is cleared, says A"
    assert say(project, "risk:mobile-app", Word.REFUSE) == "mobile-app is found, says A"
    assert say(project, "risk:mobile-app", Word.REOPEN) == "mobile-app is open again"


def test_a_machine_step_cannot_wait_for_sources() -> None:
    with pytest.raises(ValueError, match="person's step"):
        Step.model_validate(
            {
                "id": "a",
                "title": "abc",
                "owner": "client",
                "kind": "suite",
                "suites": ["portal"],
                "needs_leads": True,
            }
        )


def test_a_run_names_what_is_missing(
    project: Project, sources: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with project.journal() as journal:
        where = standing(project, journal, Pass.FINAL)
        item = where.of(SALES)
        monkeypatch.setattr(walk, "_admit", lambda *_: None)
        with pytest.raises(PersonNextError) as raised:
            walk._person(project, journal, where, item, confirm_as=None, shown=PlainDisplay())
    assert "22 of 24 lead sources" in raised.value.message
    assert raised.value.cure == f"boxlift -C {project.root} confirm {SALES} --by NAME"
