"""Somebody spoils each role's work in a story, and the next run of its playbook puts it in order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.scenarios.drift import FILES, STORIES, Drift, drifts, read
from tests.scenarios.story import stories

REPOSITORY = Path(__file__).parents[2]
FOUND = sorted(STORIES.glob(f"*/vars/{FILES}"))
ROLES = {folder.parent.name for folder in REPOSITORY.glob("roles/*/meta")}
HEADING = "## Roles without a drift"


def without_a_drift() -> set[str]:
    """Roles of the list in CONTRIBUTING.md."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition(f"{HEADING}\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_each_role_is_spoilt_and_repaired_or_leaves_nothing() -> None:
    spoilt = {drift.role for file in FOUND for drift in read(file)}
    idle = without_a_drift()
    assert spoilt | idle == ROLES
    assert spoilt & idle == set()


def test_each_role_that_provisions_is_spoilt_in_the_story_that_ci_tells() -> None:
    plays = yaml.safe_load((REPOSITORY / "playbooks/provision.yml").read_text(encoding="utf-8"))
    roles = {
        role if isinstance(role, str) else role["role"] for play in plays for role in play.get("roles", [])
    }
    # Nothing to do on a host of production that has everything.
    idle = {"database_tunnel", "mail_reader", "search_engine"}
    assert roles - idle - without_a_drift() == {drift.role for drift in drifts("infrastructure")}


@pytest.mark.parametrize("file", FOUND, ids=lambda file: f"{file.parts[-3]}-{file.stem}")
class TestFile:
    def test_each_drift_is_one_of_its_own(self, file: Path) -> None:
        told = read(file)
        assert len({drift.name for drift in told}) == len(told)
        (story,) = (one for one in stories(REPOSITORY) if one.name == file.parts[-3])
        hosts = {host.name for host in story.topology.hosts}
        assert [drift.name for drift in told if drift.host not in hosts or drift.cause == drift.probe] == []

    def test_the_story_causes_them_and_looks_afterwards(self, file: Path) -> None:
        folder = file.parents[1]
        told = yaml.safe_load((folder / "molecule.yml").read_text(encoding="utf-8"))
        steps = [step.split() for step in told["scenario"]["test_sequence"]]
        caused = [place for place, step in enumerate(steps) if causes(folder, step, file)]
        looked = [place for place, step in enumerate(steps) if looks(folder, step, file)]
        assert caused
        assert looked
        # A test may do all of it by itself.
        assert caused == looked or caused[0] < looked[0]


def causes(folder: Path, step: list[str], file: Path) -> bool:
    """Whether a step of a story does the damage of a file: a playbook, or a test that does all by itself."""
    verb, *places = step
    if verb == "side_effect":
        named = f"vars_files: [vars/{file.name}]"
        return any(named in (folder / place).read_text(encoding="utf-8") for place in places)
    return looks(folder, step, file) and "drift.cause" in text_of(folder, step)


def looks(folder: Path, step: list[str], file: Path) -> bool:
    """Whether tests of a step look at what came of it."""
    moment = file.stem.removeprefix("drifts").removeprefix("_")
    asked = ", ".join(f'"{name}"' for name in (file.parts[-3], moment) if name)
    return f"drifts({asked})" in text_of(folder, step)


def text_of(folder: Path, step: list[str]) -> str:
    """Text of the tests that a step runs."""
    verb, *places = step
    files = [file for place in places for file in (folder / place).rglob("test_*.py")]
    return "".join(file.read_text(encoding="utf-8") for file in files) if verb == "verify" else ""


def test_a_drift_says_whose_work_it_spoils() -> None:
    drift = Drift("web: the site's file is gone", "rm a", "cat a", "here")
    assert (drift.role, drift.host) == ("web", "portal-1")
