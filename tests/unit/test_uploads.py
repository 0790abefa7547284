"""The cloud is not given up while it holds the only copy of an upload."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from boxlift.errors import ExitCode, RefusedError
from boxlift.journal import Result
from boxlift.plan import Pass
from boxlift.plan.model import Step
from boxlift.plan.proof import unproved
from boxlift.plan.state import position
from boxlift.project import Project, create
from boxlift.risks.word import admit
from boxlift.uploads import GIVEN_UP, MISSING, give_up, given_up, keep_missing, shown
from tests.unit.acceptance import suite
from tests.unit.forecast.diary import Diary

STEP, SUITE, RELEASE = "release-cloud", "uploads", "final-1"
CAUSE = "28 uploaded files are not on the host\nall of them: evidence"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    template = tmp_path / "template"
    template.mkdir()
    return create(tmp_path / "acme", template=template, vault_password_file=tmp_path / "password")


@pytest.fixture
def diary(project: Project) -> Diary:
    """A final pass in which nothing but the last step is left."""
    return Diary(project.root / ".boxlift" / "journal.db").go(Pass.FINAL, until=STEP)


def verified(
    diary: Diary,
    *outcomes: str,
    ended: str = "done",
    release: str = RELEASE,
    trial: bool = False,
    of: str = SUITE,
) -> None:
    """A verification whose tests ended so; what ended `running` did not."""
    diary.now += 60
    attempt = diary.journal.begin(
        run=9, pass_="final", phase="command", step="verify", kind="suite",
        release=release, trial=trial, log="l",
    )  # fmt: skip
    tests = [
        Result(of, "", f"{of}/test.py::test_{number}", "", 1.0, 2.0, 1.0, outcome, cause=CAUSE)
        for number, outcome in enumerate(outcomes)
    ]
    diary.journal.add(attempt, tests)
    if ended != "running":
        diary.journal.end(attempt, ended, 0 if ended == "done" else 7)


def doubt(diary: Diary) -> str | None:
    where = position(diary.plan, diary.journal, Pass.FINAL, runner_alive=False)
    return unproved(diary.journal, where, diary.plan.step(STEP))


NOT_YET = "suite `uploads` has not passed since remove-leftovers"


@pytest.mark.parametrize(
    ("happened", "said"),
    [
        (lambda _: None, NOT_YET),
        (lambda diary: verified(diary, "ok"), None),
        (lambda diary: verified(diary, "ok", of="business"), NOT_YET),
        (lambda diary: verified(diary, "failed", ended="failed"), CAUSE.partition("\n")[0]),
        (lambda diary: verified(diary, "skipped"), NOT_YET),
        (lambda diary: verified(diary, "ok", release="rehearsal-1"), NOT_YET),
        (lambda diary: verified(diary, "ok", trial=True), NOT_YET),
        (lambda diary: verified(diary, "ok", ended="interrupted"), NOT_YET),
        (lambda diary: verified(diary, "ok", ended="running"), NOT_YET),
        (verified, NOT_YET),
    ],
    ids=[
        "nothing", "passed", "another suite", "failed", "skipped", "another release", "trial", "interrupted",
        "killed", "no tests",
    ],
)  # fmt: skip
def test_only_a_suite_that_has_passed_is_a_proof(
    diary: Diary, happened: Callable[[Diary], None], said: str | None
) -> None:
    happened(diary)
    assert doubt(diary) == said


def test_the_last_run_counts_and_only_after_what_the_step_needs(diary: Diary) -> None:
    verified(diary, "ok")
    verified(diary, "failed", ended="failed")
    assert doubt(diary) is not None
    verified(diary, "ok")
    assert doubt(diary) is None
    diary.now += 60
    diary.attempt(*diary.step("remove-leftovers"), Pass.FINAL, RELEASE, 60.0)
    assert doubt(diary) == NOT_YET


def test_a_person_cannot_confirm_what_is_not_proved(project: Project, diary: Diary) -> None:
    verified(diary, "failed", ended="failed")
    with project.journal() as journal:
        where = position(project.plan(), journal, Pass.FINAL, runner_alive=False)
        with pytest.raises(RefusedError, match="28 uploaded files are not on the host") as caught:
            admit(project.root, journal, where, project.plan().step(STEP))
        assert caught.value.code is ExitCode.REFUSED
        assert caught.value.cure == "boxlift verify uploads"
        verified(diary, "ok")
        admit(project.root, journal, where, project.plan().step(STEP))


def test_a_proof_is_for_a_persons_step() -> None:
    told = {"id": "a", "title": "abc", "owner": "client", "kind": "suite", "suites": ["portal"]}
    with pytest.raises(ValueError, match="person's step"):
        Step.model_validate(told | {"proof": SUITE})


# the suite


@pytest.fixture
def judge() -> ModuleType:
    return suite("uploads/test_uploads")


FOUND = {"disk/1/a b.pdf": "in bucket", shown("disk/2/new\nline \udcff.txt"): "missing"}


def test_all_that_is_missing_is_counted_and_kept(judge: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception) as told:
        judge.judge(FOUND, tmp_path, RELEASE)
    first, *_ = str(told.value.msg).splitlines()
    assert first.startswith(
        "2 uploaded files are not on the host (1 in bucket, 1 missing), for example disk/1/"
    )
    listed = tmp_path / "evidence" / RELEASE / MISSING
    assert listed.read_text().splitlines() == ["disk/1/a b.pdf", r"disk/2/new\nline \udcff.txt"]
    assert stat.S_IMODE(listed.stat().st_mode) == 0o600
    judge.judge({}, tmp_path, RELEASE)
    assert listed.read_text() == ""


def test_what_is_given_up_need_not_be_there(judge: ModuleType, tmp_path: Path) -> None:
    keep_missing(tmp_path, RELEASE, FOUND)
    listed = tmp_path / "evidence" / RELEASE
    (listed / GIVEN_UP).write_bytes((listed / MISSING).read_bytes())
    judge.judge(FOUND, tmp_path, RELEASE)
    with pytest.raises(pytest.fail.Exception, match=r"1 uploaded files .* \(1 missing\), for example disk/3"):
        judge.judge(FOUND | {"disk/3/c.pdf": "missing"}, tmp_path, RELEASE)
    with pytest.raises(pytest.fail.Exception):
        judge.judge(FOUND, tmp_path, "final-2")


def test_the_stand_in_of_the_lab_gives_up_what_was_found(tmp_path: Path) -> None:
    assert give_up(tmp_path, RELEASE) == 0
    keep_missing(tmp_path, RELEASE, ["a"])
    assert give_up(tmp_path, RELEASE) == 1
    keep_missing(tmp_path, RELEASE, ["b"])
    give_up(tmp_path, RELEASE)
    assert given_up(tmp_path, RELEASE) == {"a", "b"}


def test_without_a_project_nothing_is_written(judge: ModuleType) -> None:
    with pytest.raises(pytest.fail.Exception):
        judge.judge(FOUND, None, RELEASE)
