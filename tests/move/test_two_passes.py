"""A whole move as people do it: a rehearsal and the final pass, with stops, damage and second thoughts.

The tests are chapters: each goes on where the one before has ended (`pytest -x tests/move`).
"""

from __future__ import annotations

import csv
import io
import json
import signal
from typing import Any

import pytest

from boxlift.lab.archive import Archive
from boxlift.plan import Pass
from boxlift.uploads import GIVEN_UP, MISSING
from tests.lab.support import Outside
from tests.move.support import (
    CANARY,
    INTERRUPTED,
    PERSON_NEXT,
    VERIFICATION_FAILED,
    Story,
    generated,
    offer,
)

SCENARIO = """\
rate: {connection: 1M, total: 3M}
faults:
  - {kind: flip, match: "*.gz.3", at: 50%, count: 1}
  - {kind: status, code: 503, retry_after: 1, match: "*.gz.5", count: 1}
"""
RECIPIENT = "movers@acme.example"


@pytest.fixture(scope="session")
def first(story: Story) -> Archive:
    """The rehearsal's backup."""
    return generated(story.lab, "first", "--size", "110M", "--part-limit", "12M", "--uploads", "inside")


@pytest.fixture(scope="session")
def second(story: Story) -> Archive:
    """The final one: a week later, a little larger."""
    at = "2026-11-27 22:00:00"
    return generated(story.lab, "second", "--size", "130M", "--part-limit", "12M", "--seed", "2", "--at", at)


@pytest.fixture(scope="session")
def outside(story: Story) -> Outside:
    return Outside(story.on("cloud-1", "hostname -I").split()[0])


def every_lead_source_is_tested(story: Story) -> None:
    """Somebody sends a test lead through each source's new address."""
    for source in story.data("risks", "--leads")["sources"]:
        if source["state"] != "confirmed":
            story.boxlift("confirm", f"lead:{source['id']}", "--by", "Boris")


def steps(story: Story) -> dict[str, Any]:
    """The plan's steps as `plan` shows them."""
    return {step["id"]: step for phase in story.data("plan")["phases"] for step in phase["steps"]}


def test_the_hosts_are_prepared_in_spite_of_ctrl_c(story: Story) -> None:
    told = story.stopped(
        ["run"], signal.SIGINT, lambda: story.results("provision-production", Pass.REHEARSAL) > 3
    )
    assert told.code == INTERRUPTED
    assert "next: boxlift run provision-production" in told.out
    story.go_on(Pass.REHEARSAL, {}, until="request-backup")
    tries = story.attempts("provision-production", Pass.REHEARSAL)
    assert [(found.outcome, found.exit) for found in tries] == [("interrupted", 130), ("done", 0)]


def test_a_killed_runner_finds_the_restore_again_and_a_damaged_part_is_replaced(
    story: Story, first: Archive
) -> None:
    story.boxlift("confirm", "request-backup", "--by", "Anna", "--note", "ordered for Thursday")
    story.boxlift("confirm", "inform-users", "--by", "Anna")
    assert story.boxlift("run", code=3).errors.startswith(
        "✗ nobody has said yet where the rehearsal's backup is"
    )
    story.project.set_backup(Pass.REHEARSAL, [offer(story.lab, first, SCENARIO)])
    told = story.stopped(["run"], signal.SIGKILL, lambda: story.half_fetched(Pass.REHEARSAL))
    assert told.code == -signal.SIGKILL
    unit = "bxbackup-restore@rehearsal-1.service"
    assert story.on("portal-1", f"systemctl is-active {unit} || true") in {"active", "activating"}
    assert "restore-backup failed: the runner was ended" in story.boxlift("status").out
    assert story.boxlift("run", code=PERSON_NEXT).out.count("restore-backup was interrupted") == 1
    starts = story.on(
        "portal-1",
        f"journalctl --output=export _SYSTEMD_UNIT={unit} | grep -a ^_SYSTEMD_INVOCATION_ID= | sort -u",
    )
    assert len(starts.splitlines()) == 1, "the restore was started a second time"
    tries = story.attempts("restore-backup", Pass.REHEARSAL)
    assert [found.outcome for found in tries] == ["interrupted", "done"]
    assert tries[-1].bytes == first.size
    assert {found.release for found in tries} == {"rehearsal-1"}
    with story.project.journal() as journal:
        repairs = [found for found in journal.incidents() if found.kind == "repair"]
    damaged = [found for found in repairs if found.text.endswith(first.parts[3].name)]
    assert damaged
    assert all(found.cost is not None and found.cost >= 0 for found in repairs)


def test_people_refuse_and_think_again(story: Story) -> None:
    story.go_on(Pass.REHEARSAL, {}, until="check-business")
    story.boxlift("confirm", "check-telephony", "--by", "Boris", "--refuse", "--note", "no records")
    told = story.boxlift("run", code=PERSON_NEXT)
    assert "check-telephony (refused by Boris: no records)" in told.errors
    story.boxlift("confirm", "check-business", "--by", "Anna", code=6)
    story.boxlift("note", "records were in another folder", "--step", "check-telephony", "--cost", "12")
    story.boxlift("confirm", "check-telephony", "--by", "Boris")
    told = story.boxlift("confirm", "connect-telephony", "--by", "Anna", "--reopen")
    assert "doubtful now, do or confirm them again: check-telephony" in told.out
    story.boxlift("confirm", "connect-telephony", "--by", "Anna")
    story.boxlift("confirm", "check-telephony", "--by", "Boris", "--reopen")
    story.go_on(Pass.REHEARSAL, {})
    assert story.data("status")["done"] == "the rehearsal is complete"
    assert story.data("status")["doubtful"] == []


def test_the_rehearsal_reached_nobody(story: Story, outside: Outside) -> None:
    for step in ("open-portal", "send-password-letters"):
        told = story.boxlift("run", step, "--pass", "rehearsal", "--yes", code=6)
        assert f"{step} is no step of the rehearsal" in told.errors
    assert not story.attempts("open-portal", Pass.REHEARSAL)
    assert {mail["to"] for mail in outside.mails()} <= {RECIPIENT}
    assert outside.requests() == []
    assert outside.connections() == []
    marker = json.loads(story.on("portal-1", "cat /etc/boxlift/environment.json"))
    assert marker["lifecycle"] == "rehearsal"


def test_the_rehearsal_gives_the_final_passs_forecast(story: Story, first: Archive) -> None:
    told = story.data("forecast", "--pass", "final")
    assert told["restore"]["earlier"] == first.size
    lanes = {lane["id"]: lane["basis"] for lane in told["restore"]["lanes"]}
    assert lanes["transfer"]["source"] == "measured"
    with story.project.journal() as journal:
        attempt = story.attempts("restore-backup", Pass.REHEARSAL)[-1]
        measured = [found.kind for found in journal.measures(attempt.id)]
    assert lanes["unpack"]["samples"] == measured.count("unpack") == len(first.parts)
    assert lanes["load"]["samples"] == measured.count("table")
    sources = {step["id"]: step["basis"]["source"] for step in told["steps"]}
    assert sources["activate-release"] == sources["check-business"] == "history"
    assert sources["go-no-go"] == "estimate"


def test_the_final_pass_goes_on_after_ctrl_c(story: Story, second: Archive, outside: Outside) -> None:
    story.boxlift("confirm", "request-backup", "--by", "Anna", "--pass", "final")
    story.boxlift("confirm", "inform-users", "--by", "Anna")
    story.project.set_backup(Pass.FINAL, [offer(story.lab, second, SCENARIO)])
    told = story.stopped(["run"], signal.SIGINT, lambda: story.half_fetched(Pass.FINAL))
    assert told.code == INTERRUPTED
    assert "next: boxlift run restore-backup" in told.out
    assert "measured once" in told.out
    story.go_on(Pass.FINAL, {}, until="start-box-sales")
    assert story.attempts("restore-backup", Pass.FINAL)[-1].bytes == second.size
    assert outside.mails()
    assert (
        "lead sources are not confirmed"
        in story.boxlift("confirm", "start-box-sales", "--by", "Anna", code=6).errors
    )
    story.go_on(Pass.FINAL, {"start-box-sales": lambda: every_lead_source_is_tested(story)}, until="approve")
    story.boxlift("confirm", "approve", "--by", "Anna", "--pass", "final")


def test_the_cloud_stays_while_it_has_the_only_copy_of_a_file(story: Story) -> None:
    told = story.boxlift("run", "--pass", "final", "--yes", code=VERIFICATION_FAILED)
    assert "uploaded files are not on the host" in told.errors
    assert "next: boxlift verify uploads" in told.errors
    refused = story.boxlift("confirm", "release-cloud", "--by", "Anna", "--pass", "final", code=6)
    assert "uploaded files are not on the host" in refused.errors
    evidence = story.project.root / "evidence" / "final-1"
    (evidence / GIVEN_UP).write_bytes((evidence / MISSING).read_bytes())
    story.go_on(Pass.FINAL, {})
    assert story.data("status")["done"] == "the final is complete"
    told = story.boxlift("rollback", code=6)
    assert "refused: " in told.errors


def test_the_journal_has_it_all(story: Story) -> None:
    with story.project.journal() as journal:
        attempts, incidents, verdicts = journal.attempts(), journal.incidents(), journal.verdicts()
        details = sum(
            len(journal.results(found.id)) + len(journal.segments(found.id)) + len(journal.measures(found.id))
            for found in attempts
        )
    interruptions = [found for found in incidents if found.kind == "interruption"]
    assert [(found.pass_, found.step) for found in interruptions] == [
        ("rehearsal", "provision-production"),
        ("rehearsal", "restore-backup"),
        ("final", "restore-backup"),
    ]
    assert all(found.cost is not None for found in interruptions)
    (note,) = [found for found in incidents if found.kind == "note"]
    assert (note.step, note.cost) == ("check-telephony", 720.0)
    rows = len(attempts) + len(incidents) + len(verdicts)
    assert len(story.data("journal")["records"]) == rows
    lines = story.boxlift("journal", "--tasks", "--format", "jsonl").out.splitlines()
    assert len(lines) == rows + details
    table = list(csv.DictReader(io.StringIO(story.boxlift("journal", "--format", "csv").out)))
    assert len(table) == rows
    of_plan = steps(story)
    for attempt in attempts:
        if attempt.pass_ == Pass.FINAL and attempt.phase != "command" and not attempt.trial:
            took = sum(found.seconds or 0.0 for found in story.attempts(attempt.step, Pass.FINAL))
            assert of_plan[attempt.step]["seconds"] == pytest.approx(took, abs=0.001)


def test_forecast_and_fact_stand_side_by_side(story: Story) -> None:
    told = story.data("forecast", "--pass", "final")
    assert told["complete"]
    facts = {fact["step"]: fact for fact in told["facts"] if fact["pass"] == Pass.FINAL}
    for step in ("restore-backup", "activate-release", "repair-portal", "open-portal"):
        tries = story.attempts(step, Pass.FINAL)
        assert tries[-1].ended is not None
        assert facts[step]["took"] == pytest.approx(tries[-1].ended - tries[0].started, abs=1)
        said = facts[step]["seconds"]
        assert facts[step]["inside"] == (said["p10"] <= facts[step]["took"] <= said["p90"])
    (frozen,) = [found for found in told["coverage"] if found["method"] == "frozen"]
    assert frozen["of"] == len([fact for fact in told["facts"] if fact["step"] != "cut-over"])


def test_the_report_tells_what_the_journal_knows(story: Story, first: Archive, second: Archive) -> None:
    story.boxlift("report")
    page = (story.project.root / "report.html").read_text()
    for words in ("rehearsal-1", "final-1", "records were in another folder", first.parts[3].name,
                  second.parts[3].name, *(step["id"] for step in steps(story).values())):  # fmt: skip
        assert words in page, words
    assert "http://" not in page.replace("http://www.w3.org/", "")


def test_no_secret_was_ever_shown_or_kept(story: Story) -> None:
    secrets = [CANARY, (story.lab.folder / "vault-password").read_text().strip()]
    for place in story.project.root.rglob("*"):
        if not place.is_file() or place.is_symlink() or place.parent.name == "backup":
            continue
        content = place.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content, f"{place} holds a secret"
    for text in story.printed:
        for secret in secrets:
            assert secret not in text
