"""Molecule's stories: each names its hosts, and what it is made of is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from boxlift.lab.errors import LabError
from boxlift.lab.topology import TOPOLOGIES
from tests.scenarios import connections
from tests.scenarios.story import HOSTS, Story, chosen, command, environment, lab_of, stories

REPOSITORY = Path(__file__).parents[2]
STORIES = stories(REPOSITORY)


def scenario(tmp_path: Path, name: str, text: str) -> None:
    folder = tmp_path / "molecule" / name
    folder.mkdir(parents=True)
    (folder / "molecule.yml").write_text(text)


def test_stories_with_the_same_hosts_come_one_after_the_other(tmp_path: Path) -> None:
    for name, topology in (("a", "single"), ("b", "clone"), ("c", "single")):
        scenario(tmp_path, name, f"ansible: {{env: {{BOXLIFT_LAB_TOPOLOGY: {topology}}}}}")
    scenario(tmp_path, HOSTS, "")
    grouped = chosen(stories(tmp_path), ["c", "b", "a"])
    assert [(topology.name, [story.name for story in group]) for topology, group in grouped.items()] == [
        ("single", ["c", "a"]),
        ("clone", ["b"]),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "name the hosts that it needs"), ("ansible: {env: {BOXLIFT_LAB_TOPOLOGY: x}}", "no such topology")],
)
def test_a_story_names_its_hosts(tmp_path: Path, text: str, told: str) -> None:
    scenario(tmp_path, "a", text)
    with pytest.raises(LabError, match=told):
        stories(tmp_path)


def test_an_unknown_story_is_refused() -> None:
    with pytest.raises(LabError, match="no such scenario: nothing; there are"):
        chosen(STORIES, ["nothing"])


def test_a_story_sees_its_own_lab_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXLIFT_LAB_SUBNET", "10.1.2.0/24")
    monkeypatch.setenv("ANSIBLE_INVENTORY", "elsewhere")
    lab = lab_of(TOPOLOGIES["split_database"])
    told = environment(lab)
    assert {name for name in told if name.startswith(("BOXLIFT_", "ANSIBLE_", "MOLECULE_"))} == {
        *("BOXLIFT_LAB", "BOXLIFT_LAB_DIR", "BOXLIFT_LAB_TOPOLOGY"),
        *("MOLECULE_COMMAND_BORDERS", "MOLECULE_EPHEMERAL_DIRECTORY", "MOLECULE_PROJECT_DIRECTORY"),
    }
    assert told["BOXLIFT_LAB"].endswith("-split-database")
    assert command(lab, "verify", "x")[3:] == ["verify", "--scenario-name", "x"]


@pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
def test_what_a_story_is_made_of_is_there(story: Story) -> None:
    folder = REPOSITORY / "molecule" / story.name
    told = yaml.safe_load((folder / "molecule.yml").read_text(encoding="utf-8"))
    playbooks = told["ansible"].get("playbooks", {})
    sequence = told.get("scenario", {}).get("test_sequence", [])
    assert (folder / playbooks.get("converge", "converge.yml")).is_file()
    if any(step.startswith("side_effect") for step in sequence):
        # Without it Molecule passes over all of them and says nothing.
        assert (folder / playbooks.get("side_effect", "side_effect.yml")).is_file()
    for step in sequence:
        verb, *places = step.split()
        for place in places:
            found = folder / place
            assert found.is_file() if verb == "side_effect" else any(found.rglob("test_*.py")), step


def test_a_box_gets_whatever_a_hostile_portal_acts_by(tmp_path: Path) -> None:
    connections.write(tmp_path / "made" / "rows.sql", "utf8mb4_uca1400_nopad_ai_ci")
    written = (tmp_path / "made" / "rows.sql").read_text(encoding="utf-8")
    code = (REPOSITORY / "molecule/shared/files/hostile.php").read_text(encoding="utf-8")
    read = set(re.findall(r"'(b_\w+)'", code))
    assert {table for table in read if f"INSERT INTO `{table}` VALUES\n" in written} == read


def test_a_task_in_which_somebody_is_killed_is_there() -> None:
    """A task that got another name is never come to: the story then fails after half an hour."""
    named = re.compile(r"[\"']([a-z_]+) : ([A-Z][^\"]+)[\"]")
    files = [*REPOSITORY.glob("molecule/**/*.yml"), *REPOSITORY.glob("molecule/**/*.py")]
    killed = {found for path in files for found in named.findall(path.read_text(encoding="utf-8"))}
    assert len(killed) > 10
    missing = [
        f"{role} : {task}"
        for role, task in sorted(killed)
        if not any(
            f"name: {task}" in path.read_text(encoding="utf-8")
            for path in (REPOSITORY / "roles" / role / "tasks").glob("*.yml")
        )
    ]
    assert missing == []
