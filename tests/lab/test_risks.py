"""What the move left in the project about feared defects, sources of leads and test data."""

from __future__ import annotations

from boxlift.plan import Pass
from boxlift.plan.state import position
from boxlift.project import Project
from boxlift.risks import Detector, LeadKind, RiskState, lead_view, load_register, risk_view
from boxlift.testdata import made_by_tests, proof
from boxlift.verify.release import Release


def test_machines_decided_what_they_decide_alone(project: Project) -> None:
    with project.journal() as journal:
        where = position(project.plan(), journal, Pass.FINAL, runner_alive=False)
        view = risk_view(project.root, journal, where, load_register(project.root))
    alone = {risk.id: risk.state for risk in view.risks if risk.detector is Detector.AUTOMATIC}
    assert alone == {
        # the generated backup has one login twice; the lab's inventory gives the second account another
        "old-passwords": RiskState.CLEARED,
        "search-index": RiskState.CLEARED,
        "task-comments": RiskState.CLEARED,
    }


def test_every_source_of_leads_was_collected_and_confirmed(project: Project, release: Release) -> None:
    with project.journal() as journal:
        view = lead_view(project.root, journal, "final", release.name)
    assert view.collected is not None
    assert {source.kind for source in view.sources} == set(LeadKind)
    assert view.missing == ()
    folder = project.root / "evidence" / release.name
    assert folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


def test_no_row_of_tests_is_left(project: Project, release: Release) -> None:
    listed, proved = made_by_tests(project.root, release.name), proof(project.root, release.name)
    assert listed is not None
    assert listed.closed
    assert proved is not None
    assert all(table.left == 0 for table in proved.tables.values())
