"""What the clean-up after a move takes away."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.portal.test_web import INSTALLERS
from tests.playbook import ansible_playbook
from tests.templates.renderer import ROOT, Renderer

FOLDERS = ["box", "final-1", "kept-1", "rehearsal-1", "somebody-elses"]


def test_only_former_releases_of_the_register_go(example: Renderer) -> None:
    facts: dict[str, Any] = {
        "leftovers_keep_releases": ["kept-1"],
        "__leftovers_link": {"stat": {"lnk_source": "releases/final-1"}},
        "__leftovers_releases": {"files": [{"path": f"/srv/portal/releases/{name}"} for name in FOLDERS]},
    }
    asked = example.value("leftovers", "__leftovers_folders", **facts)
    assert asked == ["box", "rehearsal-1", "somebody-elses"]
    records = [{"item": name, "release": {} if "else" in name else {"name": name}} for name in asked]
    assert example.value("leftovers", "__leftovers_former", __leftovers_records={"results": records}) == [
        "box",
        "rehearsal-1",
    ]


@pytest.mark.slow
def test_installers_go_from_each_folder_and_nothing_else_does(tmp_path: Path) -> None:
    """portal_runtime B names them, and the three folders in which they must not remain."""
    root = tmp_path / "releases" / "final-1"
    names = ["restore.php", "bitrixsetup.php", "bitrix8setup.php", "export_file.csv", "1c_bx_import.php"]
    kept = ["index.php", "bitrix/index.php", "upload/disk/restore.php", "upload/restore.php.pdf"]
    for path in [*(f"{folder}/{name}" for folder in (".", "bitrix", "upload") for name in names), *kept]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    (root / "upload" / "restore.php").unlink()
    (root / "upload" / "restore.php").symlink_to("disk/restore.php")
    role = {"name": "leftovers", "tasks_from": "installers"}
    variables = {"leftovers_base_path": str(tmp_path), "leftovers_release": "final-1"}
    play = {"hosts": "all", "gather_facts": False, "vars": variables, "connection": "local"}
    (tmp_path / "play.yml").write_text(
        yaml.safe_dump([{**play, "tasks": [{"ansible.builtin.import_role": role}]}])
    )
    python = f"-eansible_python_interpreter={sys.executable}"
    done = ansible_playbook(tmp_path, "--inventory=portal-1,", python, "play.yml")
    assert done.returncode == 0, done.stdout
    left = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
    assert left == set(kept)


def test_the_suite_looks_for_what_the_role_removes(example: Renderer) -> None:
    assert sorted(example.value("leftovers", "__leftovers_installers")) == sorted(INSTALLERS)


def test_a_release_is_without_installers_before_it_is_served() -> None:
    plays = yaml.safe_load((ROOT / "playbooks" / "activate_release.yml").read_text(encoding="utf-8"))
    names = [task["name"] for task in plays[1]["tasks"]]
    assert names.index("Remove installers before anybody can reach them") < names.index("Switch")
