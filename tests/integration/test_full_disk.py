"""A disk that really fills up in the midst of a run: a tmpfs of its own, in a mount namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from boxlift.project import Project, create

PLAYBOOK = """\
- name: Fill the disk
  hosts: production
  gather_facts: false
  tasks:
    - name: Change something
      ansible.builtin.command: "true"
      changed_when: true
    - name: Take all that is left
      ansible.builtin.shell: test -e {{ room }} || cat /dev/zero >{{ inventory_dir }}/../fill; exit 0
      vars:
        room: "{{ lookup('env', 'BOXLIFT_KEPT') }}/code"
      changed_when: true
    - name: Work on with long words {{ item }}
      ansible.builtin.debug:
        msg: "{{ 'word ' * 4000 }}"
      loop: "{{ range(60) | list }}"
"""
INVENTORY = f"""\
all:
  vars: {{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}
  children:
    production: {{hosts: {{portal-1: }}}}
"""
PLAN = """\
phases:
  - id: prepare
    steps:
      - {id: fill-disk, title: Fill the disk, owner: contractor, kind: playbook, playbooks: [fill_disk.yml]}
"""
SCRIPT = """\
set -eu
mount -t tmpfs -o size=40m,mode=0700 tmpfs "$1"
cp -a "$2/." "$1"
cd "$1"
export BOXLIFT_KEPT="$4"
"$3" -c 'from boxlift.cli import main; main()' run >"$4/output" 2>&1 && code=0 || code=$?
echo $code >"$4/code"
"$3" -c 'from boxlift.cli import main; main()' status >>"$4/output" 2>&1 && code=0 || code=$?
echo $code >>"$4/code"
rm fill
"$3" -c 'from boxlift.cli import main; main()' run >>"$4/output" 2>&1 && code=0 || code=$?
echo $code >>"$4/code"
cp -a .boxlift "$4/state"
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    template = tmp_path / "template"
    template.mkdir()
    (template / "hosts.yml").write_text(INVENTORY)
    made = create(tmp_path / "acme", template=template, vault_password_file=tmp_path / "vault-password")
    made.playbooks.mkdir()
    (made.playbooks / "fill_disk.yml").write_text(PLAYBOOK)
    (made.root / "plan.yml").write_text(PLAN)
    with (made.root / "boxlift.yml").open("a") as settings:
        settings.write("plan: plan.yml\n")
    return made


def unshared(*words: str) -> list[str]:
    """A command with mounts of its own."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--mount", *words]


def test_the_end_of_a_run_is_kept_and_it_goes_on_when_there_is_room_again(
    project: Project, tmp_path: Path
) -> None:
    if shutil.which("unshare") is None or subprocess.run(unshared("true"), check=False).returncode:
        pytest.skip("this machine gives no mount namespace")
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    kept.mkdir()
    argv = ["sh", "-c", SCRIPT, "sh", str(disk), str(project.root), sys.executable, str(kept)]
    ended = subprocess.run(
        unshared(*argv),
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "TMPDIR": str(tmp_path),
            "PYTHONPATH": os.pathsep.join(sys.path),
            "ANSIBLE_LOCAL_TEMP": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    output = (kept / "output").read_text()
    assert ended.returncode == 0, ended.stderr + output
    assert (kept / "code").read_text().split() == ["1", "0", "0"], output
    assert "the disk of the project is full" in output
    assert "make room, then run the step again" in output
    assert "fill-disk failed: the disk of the project is full" in output
    shutil.rmtree(project.state)
    shutil.copytree(kept / "state", project.state)
    with project.journal() as journal:
        failed, done = journal.attempts()
        assert (failed.outcome, failed.exit, done.outcome) == ("failed", 1, "done")
        tasks = [found.task for found in journal.results(failed.id)]
        assert tasks[0] == "Change something"
        assert [found.kind for found in journal.incidents()] == ["failure"]
