"""Which steps a run goes through, and where it stops; no Ansible is started here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from boxlift.errors import ExitCode, PersonNextError, PreflightError, RefusedError, UsageError
from boxlift.journal import Result, Segment
from boxlift.plan import Pass
from boxlift.plan.state import position
from boxlift.plan.verdict import Word, speak
from boxlift.project import Project, create
from boxlift.risks.word import admit
from boxlift.runner import Command, Request, run_command, run_plan, run_verification
from boxlift.runner.attempt import Attempts
from boxlift.runner.display import Display
from boxlift.runner.outlook import Outlook, outlook
from boxlift.runner.work import Work
from boxlift.uploads import given_up, keep_missing

Works = list[Work]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    template = tmp_path / "template"
    template.mkdir()
    made = create(tmp_path / "acme", template=template, vault_password_file=tmp_path / "password")
    for pass_ in Pass:
        made.set_backup(pass_, [f"/backup/{pass_}.tar.gz"])
    return made


def list_test_data(project: Project, release: str, *ids: int, closed: bool) -> None:
    """Lay the list that the playbook writes in check mode."""
    path = project.root / "evidence" / release / "test-data.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {"table": "b_crm_lead", "kind": "lead", "ids": ids, "titles": [], "kept": 0}
    head = {"schema": 1, "release": release, "collected": "now", "closed": closed}
    path.write_text(json.dumps(head | {"tables": [made], "other": [], "missing": []}))


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> Works:
    """Every work is recorded and succeeds, but for steps named in `fail`."""
    done: Works = []

    def carry_out(self: Attempts, work: Work) -> ExitCode:
        done.append(work)
        if work.trial and "delete_test_data.yml" in work.playbooks:
            list_test_data(self._project, work.release, closed="portal_test_data_close" in work.variables)
        attempt = self._journal.begin(
            run=1, pass_=work.pass_, phase=work.phase, step=work.step, kind=work.kind,
            release=work.release, trial=work.trial, log="",
        )  # fmt: skip
        failed = work.title.startswith("FAIL")
        tests = [
            Result(suite, "", f"{suite}/test_it.py::test_it", "", 1.0, 2.0, 1.0, "failed" if failed else "ok")
            for suite in work.suites
        ]
        self._journal.add(attempt, tests)
        self._journal.end(attempt, "failed" if failed else "done", 4 if failed else 0)
        return ExitCode.HOST_FAILED if failed else ExitCode.DONE

    monkeypatch.setattr(Attempts, "carry_out", carry_out)
    return done


def go(
    project: Project, request: Request | None = None, pass_: Pass | None = None, *, agree: bool = False
) -> ExitCode:
    return run_plan(project, pass_, request, display=Display(), ask=lambda _: agree)


def steps(works: Works) -> str:
    return " ".join(work.step for work in works)


def named(*names: str) -> Request:
    return Request(names=names)


ANNA = "Anna"


def collect_leads(project: Project) -> None:
    """What `repair-portal` finds out about the sources of leads of the final release."""
    evidence = project.root / "evidence" / "final-1" / "leads.json"
    evidence.parent.mkdir(parents=True, exist_ok=True)
    found = [{"id": "webhook-1", "kind": "webhook", "title": "shop", "active": True}]
    head = {"schema": 1, "release": "final-1", "collected": "now", "domain": "portal.acme.example"}
    evidence.write_text(json.dumps(head | {"sources": found}))


def test_run_goes_on_until_a_person_is_next(project: Project, works: Works) -> None:
    with pytest.raises(PersonNextError, match="the next step is the client's: buy-certificate") as caught:
        go(project)
    assert caught.value.cure == f"boxlift -C {project.root} confirm buy-certificate --by NAME"
    assert steps(works) == "provision-production check-environment install-portal"


def test_with_a_stand_in_for_persons_the_whole_rehearsal_runs(project: Project, works: Works) -> None:
    assert go(project, Request(confirm_as=ANNA)) is ExitCode.DONE
    assert steps(works) == (
        "provision-production check-environment install-portal deploy-certificate check-portal build-staging"
        " restore-backup activate-release repair-portal delete-test-data delete-test-data refresh-staging"
    )
    assert [work.trial for work in works if work.step == "delete-test-data"] == [True, False]
    assert go(project) is ExitCode.DONE
    assert len(works) == 12


def test_the_final_pass_begins_at_the_backup_and_asks_before_what_is_destructive(
    project: Project, works: Works
) -> None:
    go(project, Request(confirm_as=ANNA))
    works.clear()
    with pytest.raises(RefusedError, match="open-portal is destructive and was not agreed to") as caught:
        go(project, Request(confirm_as=ANNA), Pass.FINAL)
    assert caught.value.cure == f"boxlift -C {project.root} run open-portal --yes"
    assert steps(works) == (
        "restore-backup activate-release repair-portal transfer-delta delete-test-data delete-test-data"
        " backup-production"
    )
    assert {work.release for work in works} == {"final-1"}
    with pytest.raises(RefusedError, match=r"start-box-sales.*lead sources of final-1 were never collected"):
        go(project, Request(confirm_as=ANNA), agree=True)
    collect_leads(project)
    assert go(project, Request(confirm_as=ANNA), agree=True) is ExitCode.DONE
    assert steps(works).endswith(
        "open-portal send-password-letters watch-portal refresh-staging backup-production-again"
        " remove-leftovers verify"
    )
    assert works[-1].suites == ["uploads"]


def lose_an_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    """Suite `uploads` fails while nobody has given up a file."""
    real = Attempts.carry_out

    def carry_out(self: Attempts, work: Work) -> ExitCode:
        root = self._project.root
        if tuple(work.suites) == ("uploads",) and not given_up(root, work.release):
            keep_missing(root, work.release, ["disk/1/a.pdf"])
            real(self, replace(work, title="FAIL"))
            return ExitCode.VERIFICATION_FAILED
        return real(self, work)

    monkeypatch.setattr(Attempts, "carry_out", carry_out)


def test_nobody_is_called_to_give_up_the_cloud_while_it_has_the_only_copy(
    project: Project, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect_leads(project)
    go(project, Request(until="approve", confirm_as=ANNA), Pass.FINAL, agree=True)
    lose_an_upload(monkeypatch)
    works.clear()
    assert go(project, pass_=Pass.FINAL, agree=True) is ExitCode.VERIFICATION_FAILED
    assert (works[-1].suites, works[-1].resume) == (
        ["uploads"],
        f"boxlift -C {project.root} verify uploads",
    )
    run_verification(project, display=Display())
    assert works[-1].suites == ["environment", "portal", "repairs", "business", "uploads"]
    evidence = project.root / "evidence" / "final-1"
    (evidence / "uploads-missing.txt").rename(evidence / "uploads-given-up.txt")
    with pytest.raises(PersonNextError, match="release-cloud"):
        go(project, agree=True)
    with project.journal() as journal:
        speak(
            project.plan(), journal, Pass.FINAL, "release-cloud",
            word=Word.CONFIRM, by=ANNA, note=None, runner_alive=False,
        )  # fmt: skip
    run_verification(project, display=Display())
    assert works[-1].suites == ["environment", "portal", "repairs", "business"]
    with pytest.raises(UsageError, match="proof of production"):
        run_verification(project, suite="uploads", staging=True, display=Display())


def test_the_labs_stand_in_gives_up_what_nobody_has(
    project: Project, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect_leads(project)
    lose_an_upload(monkeypatch)
    assert go(project, Request(confirm_as=ANNA), Pass.FINAL, agree=True) is ExitCode.DONE
    assert steps(works).endswith(" remove-leftovers verify verify")
    assert given_up(project.root, "final-1") == {"disk/1/a.pdf"}


def test_test_data_is_shown_before_anybody_agrees(
    project: Project, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(project, Request(until="check-business", confirm_as=ANNA))
    works.clear()
    told: list[str] = []
    recorded = Attempts.carry_out

    def carry_out(self: Attempts, work: Work) -> ExitCode:
        code = recorded(self, work)
        list_test_data(project, work.release, 501, 502, closed=False)
        return code

    monkeypatch.setattr(Attempts, "carry_out", carry_out)
    monkeypatch.setattr(Display, "line", lambda _, text: told.append(text))
    with pytest.raises(RefusedError, match="delete-test-data is destructive and was not agreed to"):
        go(project)
    assert [work.trial for work in works] == [True]
    assert "  made by tests since the restore: 2 rows" in told
    assert "    lead: 2" in told
    assert go(project, named("delete-test-data"), agree=True) is ExitCode.DONE
    assert [work.trial for work in works] == [True, True, False]
    told.clear()
    assert go(project, Request(names=["delete-test-data"], trial=True)) is ExitCode.DONE
    assert [work.trial for work in works] == [True, True, False, True]
    assert "    lead: 2" in told


def test_what_is_carried_over_waits_for_a_closed_list(project: Project, works: Works) -> None:
    go(project, Request(until="stop-cloud-sales", confirm_as=ANNA), Pass.FINAL)
    works.clear()
    with project.journal() as journal:
        where = position(project.plan(), journal, Pass.FINAL, runner_alive=False)
        step = project.plan().step("transfer-delta")
        with pytest.raises(RefusedError, match="not told apart") as caught:
            admit(project.root, journal, where, step)
        assert caught.value.cure == "boxlift run transfer-delta"
    with pytest.raises(PersonNextError, match="transfer-delta"):
        go(project)
    assert [(work.trial, dict(work.variables)["portal_test_data_close"]) for work in works] == [(True, True)]
    # the list is closed once and for all
    with pytest.raises(PersonNextError, match="transfer-delta"):
        go(project)
    assert len(works) == 1
    with project.journal() as journal:
        admit(project.root, journal, where, step)


def test_what_each_playbook_is_told(project: Project, works: Works) -> None:
    go(project, Request(confirm_as=ANNA))
    told = {work.step: dict(work.variables) for work in works}
    assert told["install-portal"] == {
        "boxlift_pass": "rehearsal",
        "portal_release": "box",
        "portal_target": "production",
    }
    assert told["restore-backup"] == {
        "boxlift_pass": "rehearsal",
        "portal_release": "rehearsal-1",
        "portal_target": "production",
        "portal_backup_source": "/backup/rehearsal.tar.gz",
    }
    assert told["build-staging"]["portal_target"] == "preproduction"
    assert "portal_backup_source" not in told["activate-release"]


def test_a_failure_ends_the_run(project: Project, works: Works) -> None:
    fail(project, "check-environment")
    assert go(project) is ExitCode.HOST_FAILED
    assert steps(works) == "provision-production check-environment"
    with pytest.raises(RefusedError, match="install-portal needs steps that are not done: check-environment"):
        go(project, named("install-portal"))


def fail(project: Project, step: str) -> None:
    """Give the project a plan whose step fails in `works`."""
    (project.root / "plan.yml").write_text(
        "phases:\n"
        "  - id: prepare\n"
        "    steps:\n"
        "      - provision-production\n"
        f"      - {{id: {step}, title: FAIL}}\n"
        "      - install-portal\n"
    )
    settings = project.root / "boxlift.yml"
    settings.write_text(settings.read_text() + "plan: plan.yml\n")
    object.__setattr__(project, "settings", project.settings.model_copy(update={"plan": Path("plan.yml")}))


def test_a_named_step_runs_again_and_a_phase_goes_on(project: Project, works: Works) -> None:
    go(project, named("provision-production"))
    go(project, named("provision-production"))
    assert steps(works) == "provision-production provision-production"
    works.clear()
    with pytest.raises(PersonNextError):
        go(project, named("prepare"))
    assert steps(works) == "check-environment install-portal"


def test_steps_are_taken_in_the_plans_order(project: Project, works: Works) -> None:
    go(project, named("install-portal", "check-environment", "provision-production"))
    assert steps(works) == "provision-production check-environment install-portal"


def test_a_stretch(project: Project, works: Works) -> None:
    go(project, Request(until="check-environment"))
    assert steps(works) == "provision-production check-environment"
    works.clear()
    go(project, Request(until="check-environment"))
    assert steps(works) == ""
    go(project, Request(start="check-environment", until="install-portal"))
    assert steps(works) == "check-environment install-portal"


def test_check_mode_does_nothing_for_the_plan(project: Project, works: Works) -> None:
    go(project, Request(trial=True))
    assert [(work.step, work.trial) for work in works] == [("provision-production", True)]
    works.clear()
    go(project, Request(names=("provision-production", "check-environment", "install-portal"), trial=True))
    assert steps(works) == "provision-production install-portal"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (named("provision-prod"), "the plan has no step or phase `provision-prod`; did you mean"),
        (
            Request(start="instal-portal"),
            "no step `instal-portal`; did you mean `install-portal`",
        ),
        (Request(until="prepare"), "the plan has no step `prepare`"),
        (Request(names=("move",), start="install-portal"), "not both"),
        (Request(start="install-portal", until="provision-production"), "comes before install-portal"),
    ],
)
def test_requests_that_make_no_sense(project: Project, works: Works, request_: Request, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        go(project, request_)


def test_a_rehearsal_refuses_what_reaches_people(project: Project, works: Works) -> None:
    with pytest.raises(RefusedError, match="send-password-letters is no step of the rehearsal"):
        go(project, named("send-password-letters"), agree=True)


def test_a_persons_step_by_name(project: Project, works: Works) -> None:
    with pytest.raises(PersonNextError, match="request-backup"):
        go(project, named("request-backup"))
    with pytest.raises(RefusedError, match="inform-users needs steps that are not done: request-backup"):
        go(project, named("inform-users"))


def test_a_restore_without_a_backup_is_not_started(project: Project, works: Works) -> None:
    (project.root / "backup" / "rehearsal.txt").unlink()
    with pytest.raises(PreflightError, match="nobody has said yet where the rehearsal's backup is"):
        go(project, Request(confirm_as=ANNA))
    assert steps(works).endswith("build-staging")


def test_the_pass_that_was_named_is_remembered(project: Project, works: Works) -> None:
    go(project, Request(until="build-staging", confirm_as=ANNA))
    with pytest.raises(PersonNextError, match="request-backup"):
        go(project, None, Pass.FINAL)
    with project.journal() as journal:
        assert journal.chosen_pass() == "final"


def test_a_mistyped_step_chooses_no_pass(project: Project, works: Works) -> None:
    with pytest.raises(UsageError, match="no step or phase"):
        go(project, named("open-portall"), Pass.FINAL)
    with project.journal() as journal:
        assert journal.chosen_pass() is None


def test_commands_beside_the_plan(project: Project, works: Works) -> None:
    go(project, Request(until="check-environment"))
    works.clear()
    run_command(project, Command.ACTIVATE, release="rehearsal-1", display=Display())
    run_command(project, Command.ROLLBACK, display=Display())
    run_command(project, Command.CLONE, Pass.FINAL, display=Display())
    run_command(project, Command.CERTIFICATE, display=Display())
    run_command(project, Command.CERTIFICATE, staging=True, display=Display())
    run_command(project, Command.BACKUP, Pass.FINAL, display=Display())
    assert [(work.playbooks, work.variables["portal_target"]) for work in works] == [
        (("activate_release.yml",), "production"),
        (("rollback_release.yml",), "production"),
        (("clone_to_preproduction.yml",), "preproduction"),
        (("deploy_certificate.yml",), "production"),
        (("deploy_certificate.yml",), "preproduction"),
        (("backup_production.yml",), "production"),
    ]
    releases = [work.variables["portal_release"] for work in works]
    assert releases == ["rehearsal-1", "rehearsal-1", "final-1", "rehearsal-1", "rehearsal-1", "final-1"]
    assert works[0].resume == f"boxlift -C {project.root} activate rehearsal-1"
    assert works[-2].resume == f"boxlift -C {project.root} certificate --staging"
    assert works[-1].resume == f"boxlift -C {project.root} backup"
    with pytest.raises(UsageError, match="is no name of a release"):
        run_command(project, Command.ACTIVATE, release="../box", display=Display())
    works.clear()
    with pytest.raises(PersonNextError):
        go(project)
    assert steps(works) == "install-portal"


def test_verification_takes_the_suites_of_the_steps_done(project: Project, works: Works) -> None:
    with pytest.raises(RefusedError, match="no step is done yet"):
        run_verification(project, display=Display())
    go(project, Request(until="check-portal", confirm_as=ANNA))
    run_verification(project, display=Display())
    assert (works[-1].suites, works[-1].variables["portal_release"]) == (["environment", "portal"], "box")
    go(project, Request(until="restore-backup", confirm_as=ANNA))
    run_verification(project, display=Display())
    assert works[-1].suites == ["environment", "portal", "restore"]
    go(project, Request(until="activate-release", confirm_as=ANNA))
    run_verification(project, display=Display())
    assert works[-1].suites == ["environment"]
    go(project, Request(until="repair-portal", confirm_as=ANNA))
    run_verification(project, display=Display())
    assert works[-1].suites == ["environment", "portal", "repairs", "business"]
    assert works[-1].variables["portal_release"] == "rehearsal-1"
    run_verification(project, staging=True, display=Display())
    assert (works[-1].suites, works[-1].target) == (["staging"], "preproduction")


def test_an_open_portal_is_verified_and_watched_whole(project: Project, works: Works) -> None:
    collect_leads(project)
    go(project, Request(until="watch-portal", confirm_as=ANNA), Pass.FINAL, agree=True)
    assert tuple(works[-1].suites) == ("environment", "portal", "business")
    run_verification(project, display=Display())
    assert works[-1].suites == ["environment", "portal", "repairs", "business"]


def test_only_what_is_looked_at_before_the_work_is_a_preflight(project: Project, works: Works) -> None:
    collect_leads(project)
    go(project, Request(until="watch-portal", confirm_as=ANNA), Pass.FINAL, agree=True)
    assert [work.step for work in works if work.preflight] == ["check-environment"]


def test_one_suite_by_name(project: Project, works: Works) -> None:
    run_verification(project, suite="staging", display=Display())
    assert (works[-1].suites, works[-1].target, works[-1].preflight) == (["staging"], "preproduction", False)
    assert works[-1].resume == f"boxlift -C {project.root} verify staging"
    with pytest.raises(UsageError, match="did you mean `restore`"):
        run_verification(project, suite="restor", display=Display())


class Told(Display):
    """Keeps what a run says beforehand and between its steps."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def outlook(self, outlook: Outlook) -> None:
        self.said += outlook.lines()

    def line(self, text: str) -> None:
        self.said.append(text)


def test_a_run_says_beforehand_what_it_will_do(project: Project, works: Works) -> None:
    told = Told()
    with pytest.raises(PersonNextError):
        run_plan(project, display=told)
    assert told.said[0].startswith("rehearsal, release rehearsal-1: about 38 min, until ")
    assert told.said[-1].startswith("  done: ")
    assert told.said[1:-1] == [
        "  provision-production  20 min, as the plan guesses",
        "  check-environment     3 min, as the plan guesses",
        "  install-portal        15 min, as the plan guesses",
        "  then the client's buy-certificate",
    ]


def test_bytes_of_a_restore_are_what_is_left_else_what_the_last_one_moved(
    project: Project, works: Works
) -> None:
    go(project, Request(until="restore-backup", confirm_as=ANNA))
    plan = project.plan()
    with project.journal() as journal:
        attempt = journal.begin(
            run=2, pass_="rehearsal", phase="move", step="restore-backup", kind="playbook",
            release="rehearsal-1", trial=False, log="",
        )  # fmt: skip
        journal.add(attempt, [], [Segment("h", 1.0, "running", bytes=300, bytes_total=1000)])
        journal.end(attempt, "failed", 4, moved=300)
        rehearsal = position(plan, journal, Pass.REHEARSAL, runner_alive=False)
        ahead = outlook(rehearsal, ["restore-backup"], journal, trial=False, confirmed=False).steps
        assert (ahead[0].bytes, ahead[0].bytes_known) == (700, True)
        final = position(plan, journal, Pass.FINAL, runner_alive=False)
        ahead = outlook(final, ["restore-backup"], journal, trial=False, confirmed=False).steps
        assert ahead[0].bytes is None
        assert ahead[0].confidence.startswith("measured once")


def test_a_change_behind_a_test_is_told(
    project: Project, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(project, Request(until="check-business", confirm_as=ANNA))
    real = Attempts.carry_out

    def changing(self: Attempts, work: Work) -> ExitCode:
        code = real(self, work)
        self._journal._db.execute("UPDATE attempts SET changes = 1 WHERE step = 'repair-portal'")
        return code

    monkeypatch.setattr(Attempts, "carry_out", changing)
    told = Told()
    run_plan(project, request=named("repair-portal"), display=told)
    assert told.said[-1] == (
        "! doubtful now, do or confirm them again: configure-telephony-server, connect-telephony,"
        " check-telephony, check-business"
    )


def test_a_destructive_step_is_asked_for_with_all_doubts(project: Project, works: Works) -> None:
    go(project, Request(until="switch-names", confirm_as=ANNA), Pass.FINAL)
    with project.journal() as journal:
        for word in (Word.REOPEN, Word.CONFIRM):
            speak(
                project.plan(), journal, Pass.FINAL, "go-no-go",
                word=word, by=ANNA, note=None, runner_alive=False,
            )  # fmt: skip
    asked: list[str] = []

    def ask(question: str) -> bool:
        asked.append(question)
        return False

    with pytest.raises(RefusedError):
        run_plan(project, request=named("open-portal"), display=Display(), ask=ask)
    assert "agents, mail" in asked[0]
    assert asked[0].endswith(
        "; doubtful: stop-cloud-sales, transfer-delta, delete-test-data, declare-healthy,"
        " backup-production, switch-names"
    )
