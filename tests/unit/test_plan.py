"""The plan: the contract's steps, and what a project's own file may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxlift.plan import Kind, Pass, PlanError, default_plan, load_plan, parse_plan
from boxlift.plan.load import Known

CONTRACT = {
    "prepare": (
        "medium",
        "provision-production check-environment install-portal buy-certificate deploy-certificate"
        " check-portal build-staging",
    ),
    "move": (
        "high",
        "request-backup inform-users restore-backup activate-release repair-portal configure-telephony-server"
        " connect-telephony check-telephony check-business go-no-go stop-cloud-sales transfer-delta"
        " delete-test-data declare-healthy backup-production switch-names open-portal send-password-letters"
        " start-box-sales",
    ),
    "settle": (
        "low",
        "watch-portal soak approve refresh-staging backup-production-again remove-leftovers release-cloud",
    ),
}
REHEARSAL = (
    "provision-production check-environment install-portal buy-certificate deploy-certificate check-portal"
    " build-staging request-backup inform-users restore-backup activate-release repair-portal"
    " configure-telephony-server connect-telephony check-telephony check-business delete-test-data"
    " declare-healthy refresh-staging"
)
CLIENT = (
    "buy-certificate request-backup inform-users configure-telephony-server check-telephony check-business"
    " go-no-go stop-cloud-sales delete-test-data declare-healthy start-box-sales soak approve release-cloud"
)


def test_steps_and_phases_are_those_of_the_contract() -> None:
    plan = default_plan()
    told = {
        phase.id: (str(phase.urgency), " ".join(step.id for step in phase.steps)) for phase in plan.phases
    }
    assert told == CONTRACT


def test_rehearsal_has_the_steps_marked_so() -> None:
    assert " ".join(step.id for step in default_plan().in_pass(Pass.REHEARSAL)) == REHEARSAL


def test_final_pass_has_every_step() -> None:
    plan = default_plan()
    assert [step.id for step in plan.in_pass(Pass.FINAL)] == plan.ids()


def test_the_clients_steps_are_persons_steps() -> None:
    clients = [step for _, step in default_plan().steps() if step.owner == "client"]
    assert " ".join(step.id for step in clients) == CLIENT
    # the test data is deleted by a machine, on the client's word
    assert [step.id for step in clients if step.kind is not Kind.CONFIRM] == ["delete-test-data"]


def test_a_rehearsal_neither_opens_the_portal_nor_mails_its_users() -> None:
    rehearsal = {step.id for step in default_plan().in_pass(Pass.REHEARSAL)}
    assert not rehearsal & {"open-portal", "send-password-letters", "switch-names", "stop-cloud-sales"}


def test_staging_is_built_and_refreshed_by_the_same_playbooks() -> None:
    plan = default_plan()
    assert plan.step("build-staging").playbooks == plan.step("refresh-staging").playbooks
    assert plan.step("build-staging").target == "preproduction"


def test_a_need_outside_the_pass_stands_for_its_own_needs() -> None:
    plan = default_plan()
    assert plan.needs("delete-test-data", Pass.FINAL) == ["check-business", "transfer-delta"]
    assert plan.needs("delete-test-data", Pass.REHEARSAL) == ["check-business"]
    assert plan.needs("refresh-staging", Pass.REHEARSAL) == ["declare-healthy"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", None), ("90s", 90), ("15m", 900), ("1h 30m", 5400), ("3d", 259200)]
)
def test_durations(text: str, seconds: int | None) -> None:
    plan = f"phases: [{{id: a, title: aaa, urgency: low, steps: [{_person('b', f'estimate: {text}')}]}}]"
    expected = int(text) if seconds is None else seconds
    assert parse_plan(plan, "plan.yml").step("b").estimate == expected


def _person(name: str, more: str = "") -> str:
    return f"{{id: {name}, title: ttt, owner: client, kind: confirm, instructions: do, {more}}}"


KNOWN = Known(frozenset({"install_portal.yml", "warm_up.yml"}), frozenset({"repairs", "environment"}))
OWN = """\
phases:
  - id: prepare
    steps:
      - provision-production
      - id: install-portal
        estimate: 3h
      - id: warm-up
        title: Warm the caches
        owner: contractor
        kind: confirm
        instructions: Open each page once.
        needs: [install-portal]
      - deploy-certificate
"""


def test_a_projects_plan_drops_adds_and_changes_steps() -> None:
    plan = parse_plan(OWN, "plan.yml", default_plan())
    assert plan.ids() == ["provision-production", "install-portal", "warm-up", "deploy-certificate"]
    assert plan.step("install-portal").estimate == 10800
    assert plan.step("install-portal").playbooks == ("install_portal.yml", "request_certificate.yml")


def test_needs_on_dropped_steps_pass_on_to_what_those_needed() -> None:
    plan = parse_plan(OWN, "plan.yml", default_plan())
    assert plan.step("install-portal").needs == ("provision-production",)
    assert plan.step("deploy-certificate").needs == ("install-portal",)


@pytest.mark.parametrize(
    ("change", "line", "text"),
    [
        (("estimate: 3h", "estimat: 3h"), 6, "unknown key `estimat` in a step; did you mean `estimate`?"),
        (("- provision-production", "- provision-prodution"), 4, "did you mean `provision-production`?"),
        (("needs: [install-portal]", "needs: [instal-portal]"), 12, "did you mean `install-portal`?"),
        (("needs: [install-portal]", "needs: [deploy-certificate]"), 12, "which comes later in the plan"),
        (("- deploy-certificate", "- install-portal"), 13, "the id `install-portal` is used twice"),
        (("owner: contractor", "owner: nobody"), 9, "owner: Input should be 'contractor' or 'client'"),
        (("owner: contractor", "owner: cliemt"), 9, "or 'client'; did you mean `client`?"),
        (("estimate: 3h", "playbooks: [instal_portal.yml]"), 6, "did you mean `install_portal.yml`?"),
        (("estimate: 3h", "suites: [repair]"), 6, "the suite `repair`, which does not exist; did you mean"),
        (("estimate: 3h", "estimate: 3h\n        estimate: 4h"), 7, "found duplicate key"),
        (("estimate: 3h", "estimate: soon"), 6, "a duration is written as 90s, 15m, 1h 30m or 3d"),
        (("        kind: confirm\n", ""), 7, "kind: Field required"),
        (("phases:", "phase:"), 1, "unknown key `phase` in a plan; did you mean `phases`?"),
        (("    steps:", "    step:"), 3, "unknown key `step` in a phase; did you mean `steps`?"),
        (("- id: prepare", "- id: [prepare"), 3, "expected ',' or ']'"),
    ],
)
def test_mistakes_are_told_with_line_and_nearest_name(change: tuple[str, str], line: int, text: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(OWN.replace(*change), "plan.yml", default_plan(), KNOWN)
    assert any(problem.line == line and text in problem.text for problem in caught.value.problems), (
        caught.value
    )
    assert caught.value.code == 2
    assert f"plan.yml:{line}: " in caught.value.message


def test_all_mistakes_are_told_at_once() -> None:
    wrong = OWN.replace("estimate: 3h", "estimat: 3h").replace("owner: contractor", "ower: contractor")
    with pytest.raises(PlanError) as caught:
        parse_plan(wrong, "plan.yml", default_plan())
    assert [problem.line for problem in caught.value.problems] == [6, 7, 9]


def test_a_plan_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(PlanError, match="a plan is a mapping"):
        parse_plan("- a\n", "plan.yml")


def test_a_project_reorders_steps() -> None:
    text = (
        "phases:\n  - id: move\n    steps:\n      - inform-users\n"
        "      - {id: request-backup, needs: [inform-users]}\n      - restore-backup\n"
    )
    plan = parse_plan(
        text.replace("inform-users\n", "{id: inform-users, needs: []}\n", 1), "p", default_plan()
    )
    assert plan.ids() == ["inform-users", "request-backup", "restore-backup"]
    assert plan.needs("restore-backup", Pass.FINAL) == ["request-backup"]
    with pytest.raises(PlanError, match="p:4: `inform-users` needs `request-backup`, which comes later"):
        parse_plan(text, "p", default_plan())


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"phases:\n  - id: \xff\n", id="not text"),
        pytest.param(b"phases: &a\n  - *a\n", id="self-made loop"),
        pytest.param(
            b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + b"".join(b"%c: &%c [%s]\n" % (n, n, b",".join([b"*%c" % (n - 1)] * 10)) for n in b"bcdefghi")
            + b"phases: *i\n",
            id="bomb",
        ),
        pytest.param(b"phases: " + b"[" * 20_000, id="deep", marks=pytest.mark.slow),
        pytest.param(b"phases: \x00", id="control characters"),
        pytest.param(b"42", id="a number"),
        pytest.param(b"phases: [{id: a, steps: 1}]", id="steps that are no list"),
        pytest.param(b"phases: !!python/object/apply:os.system ['true']", id="unknown tag"),
        pytest.param(b"", id="empty"),
    ],
)
def test_a_hostile_plan_is_refused_with_a_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plan.yml"
    path.write_bytes(content)
    with pytest.raises(PlanError, match=r"plan\.yml:\d+: "):
        load_plan(path)
