"""What a report says of the story, and of projects in which little or much has happened."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from boxlift.figures import duration
from boxlift.forecast.arrivals import FILE
from boxlift.forecast.result import Forecast
from boxlift.journal import Measure, Segment
from boxlift.plan import Pass
from boxlift.project import Project
from boxlift.project.folder import load
from boxlift.report import gather, render
from boxlift.report.model import Course, Missing, Report
from boxlift.report.page import SECTIONS
from boxlift.report.plot.week import chosen_hours
from boxlift.report.transfer import hourly
from tests.story import SIZE, empty, moment, quick, tell
from tests.unit.report.page import parse, section

pytestmark = pytest.mark.slow

CANARY = "c4nary-9f3b71"


def begin(project: Project, step: str = "restore-backup", *, release: str = "rehearsal-1") -> int:
    with project.journal() as journal:
        return journal.begin(
            run=1,
            pass_="rehearsal",
            phase="move",
            step=step,
            kind="playbook",
            release=release,
            trial=False,
            log="log",
        )


def test_a_project_in_which_nothing_happened_says_so_in_every_section(project: Project) -> None:
    text = render(gather(project))
    for name in (
        "week",
        "timeline",
        "facts",
        "transfer",
        "events",
        "repairs",
        "verification",
        "leads",
        "words",
    ):
        empty = [
            one.words() for one in section(text, name).all("p") if one.attributes.get("class") == "empty"
        ]
        assert empty, name
    assert "nobody has looked for the lead sources" in section(text, "leads").words().lower()
    assert "0 of 19 steps done" in section(text, "standing").words()
    assert "provision-production" in section(text, "left").words()


def test_the_story_is_told_with_its_figures(story: Report) -> None:
    text = render(story)
    transfer = section(text, "transfer").words()
    assert "rehearsal-1" in transfer
    assert "30.0 GB" in transfer
    assert "9 h 36 min" in transfer
    assert "13 h 26 min" in transfer
    assert "part fetched again: CRC mismatch acme_20261105.tar.gz.7" in section(text, "events").words()
    left = section(text, "left").words()
    assert "soak" in left
    assert "Give up the cloud portal" in left
    assert "start-box-sales" not in left


def test_all_times_are_those_of_the_portals_zone(story: Report) -> None:
    text = render(story)
    assert "Europe/Moscow" in parse(text).all("header")[0].words()
    assert "Sun 15 Nov 2026, 11:00" in text
    assert 'datetime="2026-11-15T08:00:00.000Z"' in text


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """As it stands after the rehearsal: the final move is planned."""
    project = empty(tmp_path_factory.mktemp("acme"))
    tell(project, until="rehearsal")
    return gather(project, now=moment(10, 11))


def test_after_the_rehearsal_the_final_move_is_forecast(rehearsed: Report) -> None:
    told = rehearsed.forecast
    assert isinstance(told, Forecast)
    assert told.cut_over is not None
    text = render(rehearsed)
    words = section(text, "forecast").words()
    assert duration(told.cut_over.seconds.p80) in words
    assert "What decides most is" in words
    assert "What follows is the final move" in section(text, "standing").words()
    assert "No deadline is set" in words
    assert len(section(text, "forecast").all("svg")) == 1


def test_a_deadline_gives_the_latest_hours(project: Project) -> None:
    (project.root / "boxlift.yml").write_text("version: 1\nname: acme\ndeadline: 2026-11-23 09:00:00\n")
    project = load(project.root)
    tell(project, until="rehearsal")
    report = gather(project, now=moment(10, 11))
    told = report.forecast
    assert isinstance(told, Forecast)
    assert told.decision is not None
    words = section(render(report), "forecast").words()
    assert "Deadline Mon 23 Nov 2026, 09:00" in words
    assert f"meet it: {report.clock.moment(told.decision.latest_start)}" in words
    assert f"Latest hour to say go: {report.clock.moment(told.decision.latest_go)}" in words
    assert "No deadline is set" not in words
    assert "%" in section(render(report), "week").all("table")[1].words()


def test_a_start_is_recommended_and_framed_in_the_week(rehearsed: Report) -> None:
    told, week = rehearsed.forecast, rehearsed.week
    assert isinstance(told, Forecast)
    assert not isinstance(week, Missing)
    assert told.starts is not None
    began = rehearsed.clock.at(told.starts.best[0].at)
    assert 24 * began.weekday() + began.hour in week.chosen
    text = render(rehearsed)
    best = rehearsed.clock.moment(told.starts.best[0].at)
    assert f"order the backup for {best}" in section(text, "week").words()
    assert week.kind == "leads"
    assert sum(week.hours) == pytest.approx(546, abs=1)
    assert section(text, "week").all("table")[-1].words().count(":00") == 24


def test_the_forecast_is_held_against_the_fact(story: Report) -> None:
    told = story.forecast
    assert isinstance(told, Forecast)
    text = section(render(story), "facts")
    (restore,) = [fact for fact in told.facts if fact.step == "restore-backup"]
    assert restore.inside
    row = next(row for row in text.all("tr") if "restore-backup" in row.words())
    assert row.words().endswith("14 h inside")
    assert "cut-over" in text.words()
    assert "Forecasts made before the fact" in text.words()


def test_a_broken_count_of_arrivals_leaves_the_rest_standing(project: Project) -> None:
    path = project.root / FILE
    path.parent.mkdir()
    path.write_text("{", encoding="utf-8")
    report = gather(project)
    assert isinstance(report.week, Missing)
    assert isinstance(report.forecast, Missing)
    assert "cannot be used" in section(render(report), "week").words()


def test_hours_go_over_the_weeks_end() -> None:
    assert chosen_hours(166, 4) == {166, 167, 0, 1}
    assert len(chosen_hours(5, 1000)) == 168


def test_every_attempt_and_every_persons_step_is_in_the_timeline(story: Report) -> None:
    rehearsal, final = story.passages
    bars = {(bar.step, bar.attempt): bar for stage in rehearsal.stages for bar in stage.bars}
    assert bars["restore-backup", 1].course is Course.FAILED
    assert bars["restore-backup", 2].seconds == 10 * 3600
    assert bars["check-business", 1].person
    assert rehearsal.complete
    assert [stage.phase for stage in final.stages] == ["move", "settle"]
    waiting = [bar.step for stage in final.stages for bar in stage.bars if bar.course is Course.WAITING]
    assert waiting == ["soak"]


def test_the_other_pass_does_not_seem_to_wait(project: Project) -> None:
    tell(project, until="rehearsal")
    report = gather(project, Pass.REHEARSAL, now=moment(8, 10))
    assert report.passages[1].stages == ()


def test_slices_hold_all_bytes_and_the_gap(story: Report) -> None:
    assert not isinstance(story.transfers, Missing)
    final = story.transfers[1]
    assert sum(part.bytes for part in final.slices) == pytest.approx(SIZE, rel=1e-6)
    assert sum(part.bytes for part in hourly(final)) == pytest.approx(SIZE, rel=1e-6)
    assert any(part.bytes == 0 for part in final.slices)
    assert all(
        after.started == pytest.approx(before.started + before.seconds)
        for before, after in zip(final.slices, final.slices[1:], strict=False)
    )
    assert {event.kind for event in final.events} == {"repair", "note"}


def test_measures_go_before_looks_and_looks_tell_what_came_after(project: Project) -> None:
    first = begin(project)
    second = begin(project)
    with project.journal() as journal:
        lines = [Measure("h", "line", "", 1000.0 + 30 * number, 30.0, 300) for number in range(4)]
        looks = [Segment("h", 1000.0 + 60 * number, "running", 999, 4000) for number in range(2)]
        journal.add(first, [], looks, [*lines, Measure("h", "part", "p1", 1000.0, 9.0, 5)])
        journal.add(
            second,
            [],
            [Segment("h", at, "running", got, 4000) for at, got in ((1200.0, 1200), (1260.0, 1800))],
        )
    transfers = gather(project).transfers
    assert not isinstance(transfers, Missing)
    (transfer,) = transfers
    assert sum(part.bytes for part in transfer.slices) == 1200 + 600
    assert (transfer.started, transfer.ended) == (1000.0, 1260.0)
    assert transfer.fetched == 1800


def test_a_repair_is_proved_by_the_tests_that_ran_after_it(story: Report) -> None:
    proofs = {(repair.pass_name, repair.what): repair.proof for repair in story.repairs}
    part = proofs["rehearsal", "part fetched again: CRC mismatch acme_20261105.tar.gz.7"]
    assert (part.holds, part.text) == (True, "814 tests of suite restore passed")
    push = proofs["final", "Files and attachments in the messenger: the push server is on"]
    assert (push.holds, push.text) == (True, "2 tests of suite repairs passed")


def test_a_repair_without_a_test_is_not_called_proved(project: Project) -> None:
    begin(project)
    with project.journal() as journal:
        journal.incident("rehearsal", "repair", "part fetched again", step="restore-backup")
    (repair,) = gather(project).repairs
    assert repair.proof.holds is None
    assert "open" in section(render(gather(project)), "repairs").words()


def test_cases_of_a_test_are_counted_together(story: Report) -> None:
    (restore,) = [
        run for run in story.verifications if (run.suite, run.pass_name) == ("restore", "rehearsal")
    ]
    assert restore.sound
    assert {group.name: group.passed for group in restore.groups}[
        "restore/test_tables.py::test_every_table_equals_the_manifest"
    ] == 812


def test_a_failed_run_is_told_with_its_cause(project: Project) -> None:
    attempt = begin(project)
    with project.journal() as journal:
        journal.end(attempt, "failed", 3, cause="part 7 arrives damaged\nmore")
        journal.incident("rehearsal", "failure", "part 7 arrives damaged", step="restore-backup", cost=60)
    text = render(gather(project))
    assert "part 7 arrives damaged" in section(text, "standing").words()
    assert "part 7 arrives damaged" in section(text, "events").words()
    assert "failed" in section(text, "timeline").words()


def test_an_attempt_whose_runner_is_gone_does_not_run(project: Project) -> None:
    begin(project)
    report = gather(project)
    (bar,) = [bar for stage in report.passages[0].stages for bar in stage.bars if not bar.person]
    assert bar.course is Course.INTERRUPTED
    assert not report.running
    render(report)


def test_a_run_that_goes_on_lasts_until_now(project: Project) -> None:
    begin(project)
    with project.lock("run"):
        report = gather(project)
    (bar,) = [bar for stage in report.passages[0].stages for bar in stage.bars if not bar.person]
    assert bar.course is Course.RUNNING
    assert report.running


def test_a_thousand_notes_are_folded_and_complete(project: Project) -> None:
    with project.journal() as journal:
        quick(journal)
        for number in range(1000):
            journal.incident("rehearsal", "note", f"note number {number}")
    text = render(gather(project))
    words = section(text, "events").words()
    assert "1000 notes of people" in words
    assert "note number 999" in words
    assert len(section(text, "events").all("details")) == 1


def test_of_many_incidents_the_newest_are_unfolded(project: Project) -> None:
    with project.journal() as journal:
        quick(journal)
        for number in range(150):
            journal.incident("rehearsal", "repair", f"part {number} fetched again", at=1000.0 + number)
    events = section(render(gather(project)), "events")
    (folded,) = events.all("details")
    assert "50 earlier incidents" in folded.words()
    assert "part 49 fetched" in folded.words()
    assert "part 50 fetched" not in folded.words()
    assert "150 incidents" in events.words()


HOSTILE = (
    """<script>alert(1)</script> "x' onmouseover=alert(2) {{ 7*7 }} {% raw %} &amp; $\\frac{1}{2}$ ]]> -->"""
)


def test_a_persons_bar_begins_when_the_person_says(project: Project) -> None:
    with project.journal() as journal:
        began = time.time() - 7200
        journal.verdict(
            "rehearsal", "request-backup", "rehearsal-1", verdict="confirm", by="A", note=None, began=began
        )
    bars = [bar for stage in gather(project).passages[0].stages for bar in stage.bars]
    assert [bar.started for bar in bars if bar.step == "request-backup"] == [began]


def test_hostile_words_stay_words(project: Project) -> None:
    attempt = begin(project)
    with project.journal() as journal:
        looks = [
            Segment("<b>h</b>", 1000.0 + 60 * number, "running", 100 * number, 900) for number in range(9)
        ]
        journal.add(attempt, [], looks)
        journal.incident("rehearsal", "note", HOSTILE, step="restore-backup", cost=60, at=1200.0)
        journal.incident("rehearsal", "repair", HOSTILE, host="<img src=x>", at=1300.0)
        journal.verdict(
            "rehearsal", "request-backup", "rehearsal-1", verdict="confirm", by=HOSTILE, note=HOSTILE
        )
        journal.end(attempt, "failed", 4, cause=HOSTILE)
    page = parse(render(gather(project)))
    assert page.all("script") == []
    assert page.all("img") == []
    assert not [name for one in page.elements() for name in one.attributes if name.startswith("on")]
    assert page.words().count("<script>alert(1)</script>") >= 5
    assert "{{ 7*7 }}" in page.words()


def test_evidence_that_cannot_be_read_is_told_and_the_rest_is_there(project: Project) -> None:
    folder = project.root / "evidence" / "rehearsal-1"
    folder.mkdir(parents=True)
    (folder / "leads.json").write_text('{"schema": 1, "release": "<b>"', encoding="utf-8")
    report = gather(project)
    assert isinstance(report.leads, Missing)
    assert "cannot be used" in section(render(report), "leads").words()


@pytest.mark.parametrize(("left", "verdict"), [(0, "proved"), (2, "disproved")])
def test_the_deletion_of_test_data_is_a_repair_with_its_proof(
    project: Project, left: int, verdict: str
) -> None:
    folder = project.root / "evidence" / "rehearsal-1"
    folder.mkdir(parents=True)
    content = {
        "schema": 1,
        "release": "rehearsal-1",
        "collected": "2026-11-22T10:00:00Z",
        "deleted": 7,
        "tables": {"b_crm_lead": {"left": left, "kept": 0, "rows": 9, "baseline": 9}},
        "other": [],
        "missing": [],
    }
    (folder / "test-data-proof.json").write_text(json.dumps(content), encoding="utf-8")
    words = section(render(gather(project)), "repairs").words()
    assert "What tests made is gone" in words
    assert f" {verdict} " in words


def test_lead_sources_and_risks_are_shown_as_they_stand(project: Project) -> None:
    folder = project.root / "evidence" / "rehearsal-1"
    folder.mkdir(parents=True)
    source = {
        "kind": "web-form",
        "title": "Offer <form>",
        "active": True,
        "address": "b24-x.bitrix24.example",
    }
    content = {
        "schema": 1,
        "release": "rehearsal-1",
        "collected": "2026-11-22T10:00:00Z",
        "domain": "portal.acme.example",
        "sources": [{"id": "web-form-3", **source}, {"id": "web-form-4", **source, "active": False}],
    }
    (folder / "leads.json").write_text(json.dumps(content), encoding="utf-8")
    text = render(gather(project))
    leads = section(text, "leads").words()
    assert "2 sources in the restored database" in leads
    assert "1 active one without a confirmation" in leads
    assert "Offer <form>" in leads
    assert "boxlift confirm lead:web-form-3 --by NAME" in leads
    risks = section(text, "risks")
    assert len(risks.all("tr")) == 11
    assert "Users who cannot log in" in risks.words() or "password" in risks.words()


def test_no_secret_reaches_a_report(project: Project, tmp_path: Path) -> None:
    """Canaries where a secret can come from: the links and the vault's folder are not even read."""
    backup = project.root / "backup"
    backup.mkdir()
    (backup / "rehearsal.txt").write_text(f"https://cdn.example/p.tar.gz?sig={CANARY}\n", encoding="utf-8")
    (backup / "rehearsal.password").write_text(CANARY, encoding="utf-8")
    values = project.inventory / "group_vars" / "all" / "vault.yml"
    values.write_text(f"vault_portal_crypto_key: {CANARY}\n", encoding="utf-8")
    attempt = begin(project)
    with project.journal() as journal:
        link = f"https://u:{CANARY}@cdn.example/p.tar.gz?sig={CANARY}"
        journal.incident("rehearsal", "note", f"fetched {link} again")
        journal.end(attempt, "failed", 4, cause=link)
    text = render(gather(project))
    assert CANARY not in text
    assert "https://********@cdn.example/p.tar.gz?********" in text


def test_the_page_is_whole_and_asks_for_nothing(story: Report) -> None:
    text = render(story)
    page = parse(text)
    ids = [one.attributes["id"] for one in page.elements() if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    assert [one.attributes["id"] for one in page.all("section")] == list(SECTIONS)
    assert page.all("script") == []
    assert not [one for one in page.elements() if "style" in one.attributes]
    for one in page.elements():
        for name in ("href", "src"):
            target = one.attributes.get(name) or "#"
            assert target == "data:," or target[1:] in ids or target == "#", target
    (policy,) = [
        one.attributes["content"]
        for one in page.all("meta")
        if one.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert str(policy).startswith("default-src 'none'")
    assert "unsafe" not in str(policy)
    assert not re.search(r"#00f0\d\d", text), "an ink was not made a property of the page"


def test_tables_and_plots_can_be_read_aloud(story: Report) -> None:
    page = parse(render(story))
    for table in page.all("table"):
        assert table.all("caption")
        assert all(head.attributes.get("scope") in {"col", "row"} for head in table.all("th"))
    drawings = page.all("svg")
    assert len(drawings) == 7
    for drawing in drawings:
        assert drawing.attributes["role"] == "img"
        assert drawing.all("title")[0].words()
