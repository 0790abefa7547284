"""How the state of a feared defect comes about."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from boxlift.plan import Pass
from boxlift.project import Project
from boxlift.risks import Detector, RiskState, RiskStatus, Sign, load_register, risk_view
from boxlift.risks.model import Observation, Risk, Stage
from tests.unit.risks.conftest import LATER, RELEASE, ran, standing

Figures = Callable[..., None]


def look(project: Project, *risks: Risk, pass_: Pass = Pass.REHEARSAL) -> dict[str, RiskStatus]:
    with project.journal() as journal:
        register = risks or load_register(project.root)
        view = risk_view(project.root, journal, standing(project, journal, pass_), register)
    return {risk.id: risk for risk in view.risks}


def say(project: Project, name: str, word: str = "confirm", release: str = RELEASE) -> None:
    with project.journal() as journal:
        journal.verdict("rehearsal", f"risk:{name}", release, verdict=word, by="A", note="looked")


def test_the_register_is_the_ten_of_the_story(project: Project) -> None:
    found = look(project)
    assert len(found) == 10
    assert {risk.state for risk in found.values()} == {RiskState.OPEN}
    assert all(risk.look for risk in found.values() if risk.detector is not Detector.AUTOMATIC)
    assert all(risk.remedy and risk.reason for risk in found.values())


def test_what_the_backup_shows_is_found_before_the_portal_runs(project: Project, figures: Figures) -> None:
    figures("backup", search_rows=0, network_users=(2, ["a", "b"]), applications=0, orphan_tasks=0, bots=3)
    found = look(project)
    assert found["search-index"].state is RiskState.FOUND
    assert found["old-passwords"].state is RiskState.FOUND
    assert found["old-passwords"].evidence[0].items == ("a", "b")
    # nothing installed: nothing can fail, and nobody need look
    assert found["cloud-applications"].state is RiskState.CLEARED
    assert found["application-licences"].state is RiskState.CLEARED
    # sound in the backup says nothing of the portal yet
    assert found["task-comments"].state is RiskState.OPEN
    assert found["chat-bots"].state is RiskState.OPEN


def test_the_portal_counts_more_than_the_backup(project: Project, figures: Figures) -> None:
    figures("backup", search_rows=0)
    figures("portal", search_rows=120)
    # one of two observations of the portal is missing
    assert look(project)["search-index"].state is RiskState.DOUBTFUL
    with project.journal() as journal:
        ran(journal, "repair-portal", ("repairs/test_search.py::test_search_finds", "ok"))
    assert look(project)["search-index"].state is RiskState.CLEARED
    with project.journal() as journal:
        ran(journal, "repair-portal", ("repairs/test_search.py::test_search_finds", "failed"))
    status = look(project)["search-index"]
    assert status.state is RiskState.FOUND
    assert status.evidence[-1].items == ("repairs/test_search.py::test_search_finds: why",)


def test_tests_of_another_release_prove_nothing(project: Project, figures: Figures) -> None:
    figures("portal", search_rows=120)
    with project.journal() as journal:
        ran(journal, "repair-portal", ("repairs/test_search.py::x", "ok"), release="final-1")
    assert look(project)["search-index"].state is RiskState.DOUBTFUL


def test_tests_of_the_preparation_stand_for_both_passes(project: Project) -> None:
    with project.journal() as journal:
        ran(journal, "check-environment", ("environment/test_services.py::x", "ok"))
    evidence = look(project, pass_=Pass.FINAL)["sessions-and-rights"].evidence
    assert evidence[0].sign is Sign.GOOD


def test_a_person_decides_where_machines_cannot(project: Project) -> None:
    say(project, "mobile-app")
    status = look(project)["mobile-app"]
    assert (status.state, status.by, status.note) == (RiskState.CLEARED, "A", "looked")
    say(project, "mobile-app", "refuse")
    assert look(project)["mobile-app"].state is RiskState.FOUND
    say(project, "mobile-app", "reopen")
    status = look(project)["mobile-app"]
    assert (status.state, status.by) == (RiskState.OPEN, None)


def test_a_word_holds_for_its_release_unless_it_is_about_both(project: Project) -> None:
    say(project, "mobile-app")
    say(project, "application-licences")
    found = look(project, pass_=Pass.FINAL)
    assert found["mobile-app"].state is RiskState.OPEN
    assert found["application-licences"].state is RiskState.CLEARED


def test_what_a_machine_sees_later_puts_a_word_in_doubt(project: Project) -> None:
    say(project, "mobile-app")
    with project.journal() as journal:
        ran(journal, "check-portal", ("portal/test_web.py::test_tls", "failed"))
    status = look(project)["mobile-app"]
    assert status.state is RiskState.DOUBTFUL
    assert "1 of 1 tests failed" in status.reason


def test_a_persons_word_does_not_move_an_automatic_detector(project: Project, figures: Figures) -> None:
    figures("backup", search_rows=0)
    say(project, "search-index")
    assert look(project)["search-index"].state is RiskState.FOUND


def test_a_step_that_the_pass_lacks_decides_nothing(project: Project, figures: Figures) -> None:
    figures("portal", network_users=0)
    assert look(project)["old-passwords"].state is RiskState.CLEARED
    figures("portal", network_users=1)
    assert look(project)["old-passwords"].state is RiskState.FOUND


def test_a_portal_without_the_table_is_unknown(project: Project, figures: Figures) -> None:
    figures("backup", applications=None)
    status = look(project)["cloud-applications"]
    assert status.state is RiskState.OPEN
    assert status.evidence[0].sign is Sign.UNKNOWN


@pytest.mark.parametrize(
    "wrong",
    [
        {"figure": "a", "tests": "b"},
        {},
        {"tests": "a", "bad": "zero"},
        {"step": "a-step", "none_clears": True},
    ],
)
def test_an_observation_looks_at_one_thing(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"exactly one|belong to"):
        Observation.model_validate({"stage": "portal", "says": "some thing", **wrong})


def test_every_moment_of_a_test_is_told(project: Project) -> None:
    with project.journal() as journal:
        ran(journal, "repair-portal", ("repairs/test_push.py::x", "ok"))
    push = look(project)["mobile-app"].evidence[1]
    assert (push.stage, push.sign) == (Stage.PORTAL, Sign.GOOD)
    assert push.at is not None
    assert push.at > f"{int(LATER) // 31_622_400 + 1970}"
