"""Each playbook is looked at before its first run, killed, and followed by a restart; each role is killed.

What is left out stands in CONTRIBUTING.md with why.
"""

from __future__ import annotations

import re

import pytest

from tests.scenarios.acts import Act, Kind, acts, roles_of
from tests.scenarios.story import REPOSITORY, stories

PLAYBOOKS = {path.stem for path in REPOSITORY.glob("playbooks/*.yml")}
ROLES = {folder.parent.name for folder in REPOSITORY.glob("roles/*/meta")}
STORY = "trixie"
"""The one that looks at every playbook on a host that has nothing: tests/fresh."""
ACTS = acts(STORY)
RUN = list(dict.fromkeys(act.playbook for act in ACTS if act.kind is Kind.RUN))
NAMED = re.compile(r"[\"']([a-z_]+) : [A-Z][^\"]+[\"]")


def listed(heading: str) -> set[str]:
    """First column of a table of CONTRIBUTING.md."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def place(wanted: Act) -> int:
    """Where an act comes first; behind all where it never does."""
    alike = [
        number
        for number, act in enumerate(ACTS)
        if (act.kind, act.playbook) == (wanted.kind, wanted.playbook)
    ]
    return min(alike, default=len(ACTS))


def test_each_playbook_is_told_or_its_absence_is() -> None:
    absent = listed("Playbooks that the story of Debian 13 does not tell")
    assert set(RUN) | absent == PLAYBOOKS
    assert set(RUN) & absent == set()


@pytest.mark.parametrize("playbook", [name for name in RUN if name != "provision"])
def test_it_is_looked_at_before_it_is_run(playbook: str) -> None:
    """Provisioning is looked at with all others on the host that has nothing."""
    looked = place(Act(Kind.CHECKED, playbook))
    assert looked < place(Act(Kind.RUN, playbook))
    assert looked < place(Act(Kind.KILLED, playbook)) or place(Act(Kind.KILLED, playbook)) == len(ACTS)


@pytest.mark.parametrize("playbook", RUN)
def test_the_host_is_off_after_it_before_another_is_run(playbook: str) -> None:
    first = place(Act(Kind.RUN, playbook))
    following = [act for act in ACTS[first:] if (act.kind, act.playbook) != (Kind.RUN, playbook)]
    assert following[0].kind is Kind.RESTART


def test_all_of_them_are_looked_at_on_a_host_that_has_nothing() -> None:
    text = (REPOSITORY / "molecule" / STORY / "molecule.yml").read_text(encoding="utf-8")
    (first, *_) = re.findall(r"^    - (.*)$", text.partition("test_sequence:")[2], re.M)
    assert first == "verify tests/fresh"


def test_each_role_is_looked_at_in_check_mode_or_its_absence_is_told() -> None:
    looked_at = {"provision"} | {act.playbook for act in ACTS if act.kind is Kind.CHECKED}
    seen = {role for playbook in looked_at for role in roles_of(playbook)}
    absent = listed("Roles that no story looks at in check mode")
    assert seen | absent == ROLES
    assert seen & absent == set()


def test_each_role_is_killed_and_finished_or_leaves_nothing_half_done() -> None:
    killed = {
        task.partition(" : ")[0]
        for story in stories(REPOSITORY)
        for act in acts(story.name)
        for task in act.killed_in
        if " : " in task
    }
    by_tests = {
        role
        for path in REPOSITORY.glob("molecule/**/*.py")
        for role in NAMED.findall(path.read_text(encoding="utf-8"))
    }
    spared = listed("Roles that no story kills")
    assert killed | by_tests | spared == ROLES
    assert (killed | by_tests) & spared == set()


def test_whatever_is_killed_is_run_to_its_end_afterwards() -> None:
    for number, act in enumerate(ACTS):
        if act.kind is Kind.KILLED:
            assert any(later.kind is Kind.RUN for later in ACTS[number:]), act
