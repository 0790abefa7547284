"""What the documents point at exists, and nothing in them waits to be written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import ansible
import pytest
import yaml

from boxlift.plan import Pass, load_plan
from boxlift.project import Answers, create

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *REPOSITORY.glob("docs/*.md"),
        *REPOSITORY.glob("bxbackup/*.md"),
        *REPOSITORY.glob("roles/*/README.md"),
        *REPOSITORY.glob("lab/*/README.md"),
    ]
)
PLAYBOOKS = sorted(REPOSITORY.glob("playbooks/*.yml"))
PLAIN = re.compile(r"^(?:# )?(?:[A-Z_]+=\S+ )*(?:ansible-playbook|ansible) (?!ended).*$", re.MULTILINE)
PLACE = "-i acme/inventory --vault-password-file FILE"
BEGIN = 100
"""Characters by which a paragraph is known."""
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_nothing_waits_to_be_written(document: Path) -> None:
    assert re.findall(r"@@\w*|\bTODO\b|\bFIXME\b|\bTBD\b", document.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_examples_name_nobody_elses_domain(document: Path) -> None:
    assert re.findall(r"\bacme\.(?:ru|com|net|org|lan)\b", document.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, *PLAYBOOKS], ids=lambda path: str(path.relative_to(REPOSITORY))
)
def test_plain_ansible_is_called_in_one_form(document: Path) -> None:
    """Inventory and vault's password by name, the playbook from the checkout (docs/project.md)."""
    for line in PLAIN.findall(document.read_text(encoding="utf-8")):
        assert PLACE in line
        for playbook in re.findall(r"\S*\w+\.yml\b", re.sub(r"@\S+", "", line)):
            assert playbook.startswith("playbooks/")
            assert (REPOSITORY / playbook).is_file()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_paragraph_stands_there_twice(document: Path) -> None:
    """Not even with another end, as two changes of one paragraph leave it; rows and figures may be alike."""
    lines = document.read_text(encoding="utf-8").splitlines()
    begins = Counter(line[:BEGIN] for line in lines if len(line) > BEGIN and not line.startswith(("|", " ")))
    assert [begin for begin, times in begins.items() if times > 1] == []


def test_the_form_of_plain_ansible_reads_inventory_and_vault(tmp_path: Path) -> None:
    create(
        tmp_path / "acme",
        answers=Answers(timezone="Europe/Moscow"),
        vault_password_file=tmp_path / "password",
    )
    place = PLACE.replace("acme", str(tmp_path / "acme")).replace("FILE", str(tmp_path / "password"))
    told = "msg={{ portal_settings_crypto_key }}:{{ mail_relay_host }}"
    seen = subprocess.run(
        [
            Path(sys.executable).with_name("ansible"),
            "portal-1",
            *place.split(),
            "-m",
            "ansible.builtin.debug",
            "-a",
            told,
        ],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert seen.returncode == 0, seen.stderr
    assert re.search(r"[0-9a-f]{32}:mail\.example\.com", seen.stdout)


def test_the_collections_are_those_of_the_package() -> None:
    wanted = yaml.safe_load((REPOSITORY / "requirements.yml").read_text(encoding="utf-8"))["collections"]
    for collection in wanted:
        # By path: once Ansible's own loader is at work, importlib no longer finds the collections.
        folder = Path(ansible.__file__).parents[1] / "ansible_collections"
        manifest = folder / collection["name"].replace(".", "/") / "MANIFEST.json"
        carried = json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"]
        assert collection["version"] == carried, collection["name"]


def test_the_readme_leads_to_every_document() -> None:
    links = LINK.findall((REPOSITORY / "README.md").read_text(encoding="utf-8"))
    assert {f"docs/{path.name}" for path in REPOSITORY.glob("docs/*.md")} <= set(links)


def test_the_plan_is_told_with_its_owners() -> None:
    text = (REPOSITORY / "docs" / "plan.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z][a-z, -]+) \| (\w*) \| (●?) ?\|", text, re.MULTILINE)
    told = {
        name: (owner, mark == "●")
        for names, owner, mark in rows
        for name in names.split(", ")
        if name != "step"
    }
    assert told == {
        step.id: (str(step.owner), Pass.REHEARSAL in step.passes) for _, step in load_plan(None).steps()
    }


def test_make_tells_what_it_can_be_asked_for() -> None:
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    parts = {"help", "lab-packages", "test-packages", "test-and-lint", "on-hosts"}
    parts |= {"lint-python", "lint-content"}
    told = "\n".join(re.findall(r"echo '(make .*)'$", text, re.MULTILINE))
    assert [
        name for name in targets.split() if name not in parts and not re.search(rf"[ ;]{name}[ :]", told)
    ] == []


def test_two_commands_stand_on_the_first_screen() -> None:
    screen = (REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()[:20]
    assert {line.split("#")[0].strip() for line in screen} >= {"make demo", "make test"}
