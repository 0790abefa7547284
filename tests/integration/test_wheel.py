"""An installed wheel is complete: playbooks, roles, suites and the example inventory travel with it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = (
    "import os, sys; os.chdir(sys.argv[1]); from hatchling.build import build_wheel; build_wheel(sys.argv[2])"
)
CARRIED = (
    *("filter_plugins", "library", "module_utils", "playbooks", "roles", "tests/acceptance"),
    *("inventories/example", "bxbackup/src"),
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both wheels, unpacked as pip does it, away from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    for source in (ROOT, ROOT / "bxbackup"):
        subprocess.run([sys.executable, "-c", BUILD, str(source), str(folder)], check=True)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "installed")
    return folder / "installed"


def present(folder: str) -> set[str]:
    """Files of a folder of the checkout, without what Python leaves there."""
    found = {path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file()}
    return {str(path) for path in found if "__pycache__" not in path.parts}


def test_everything_that_runs_is_carried(installed: Path) -> None:
    content = installed / "boxlift" / "content"
    carried = {str(path.relative_to(content)) for path in content.rglob("*") if path.is_file()}
    expected = {"ansible.cfg", "constraints.txt"}.union(*(present(folder) for folder in CARRIED))
    expected |= {f"bxbackup/{name}" for name in ("LICENSE", "README.md", "pyproject.toml")}
    assert carried == expected


def test_the_wheel_works_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    words = (
        "init acme --domain portal.acme.example --staging-domain staging.acme.example"
        " --timezone Europe/Moscow --telephony-domain pbx.acme.example"
        " --portal-host 127.0.0.1 --staging-host 127.0.0.1 --telephony-host 127.0.0.1"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(installed),
        "PYTHONDONTWRITEBYTECODE": "1",
    }

    def call(*arguments: str, no_index: bool = False) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-c", "from boxlift.cli import main; main()", *arguments]
        told = environment | ({"PIP_NO_INDEX": "1"} if no_index else {})
        return subprocess.run(argv, cwd=tmp_path, env=told, check=False, capture_output=True, text=True)

    made = call(*words.split())
    assert made.returncode == 0, made.stderr
    assert call("-C", "acme", "report").returncode == 0
    lonely = call("-C", "acme", "wheels", no_index=True)
    assert lonely.returncode == 1, lonely.stderr
    assert "on a machine that does" in lonely.stderr
    hosts = tmp_path / "acme" / "inventory" / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("ansible_user: root", "ansible_port: 1"))
    ended = call("-C", "acme", "run", "provision-production")
    assert ended.returncode == 5, ended.stderr
    assert "Connection refused" in ended.stderr
