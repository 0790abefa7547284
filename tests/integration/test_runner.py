"""The runner with real ansible-playbook, on this machine alone (connection local)."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from boxlift.cli import app
from boxlift.content import content_root
from boxlift.plan import Pass
from boxlift.project import Project, create

CANARY = "canary-7f3a9c"
PLAYBOOK = """\
- name: Provision
  hosts: production
  gather_facts: false
  tasks:
    - name: Tell secrets
      ansible.builtin.debug:
        msg: "{{ vault_cache_password }} {{ lookup('env', 'CANARY_ENVIRONMENT') }} https://a.example/b?sig=CANARY"
    - name: Write what was told
      ansible.builtin.copy:
        content: "{{ boxlift_pass }} {{ portal_release }} {{ portal_target }}"
        dest: "{{ inventory_dir }}/../told"
        mode: "0600"
    - name: Take long
      ansible.builtin.command: sleep {{ lookup('ansible.builtin.file', inventory_dir ~ '/../sleep') }}
      changed_when: false
    - name: Fail where it is asked for
      ansible.builtin.fail:
        msg: "{{ lookup('ansible.builtin.file', inventory_dir ~ '/../fail') }} {{ vault_cache_password }}"
      when: lookup('ansible.builtin.file', inventory_dir ~ '/../fail') | length > 0
"""
RESTORE = """\
- name: Restore
  hosts: production
  gather_facts: false
  tasks:
    - name: Wait for the restore
      bxbackup_look:
        source: "{{ portal_backup_source }}"
      register: look
      until: look.bxbackup_status.state == 'done'
      retries: 5
      delay: 0
"""
MODULE = """\
import json, pathlib
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec={"source": {"type": "str"}})
path = pathlib.Path("@@")
looks = int(path.read_text()) + 1 if path.exists() else 1
path.write_text(str(looks))
repair = {"at": "2026-11-20T18:00:01Z", "what": "fetched again", "part": "a.tar.gz.3"}
repairs = [repair] if looks > 1 else []
moved = {"total": 300, "fetched": looks * 100}
state = "done" if looks > 2 else "running"
module.exit_json(bxbackup_status={"state": state, "rate": 100.0, "repairs": repairs, "bytes": moved})
"""
SUITE = """\
import os

def test_knows_where_it_is():
    assert os.environ["BOXLIFT_PASS"] == "rehearsal"

def test_may_fail():
    assert not os.path.exists(os.environ["BOXLIFT_PROJECT"] + "/break"), "{canary}"
"""
INVENTORY = f"""\
all:
  vars: {{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}
  children:
    production: {{hosts: {{portal-1: }}}}
"""


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Playbooks and suites in the layout of the repository."""
    root = tmp_path_factory.mktemp("content")
    for folder in ("playbooks", "roles", "library", "inventories", "tests/acceptance/environment"):
        (root / folder).mkdir(parents=True)
    (root / "ansible.cfg").write_text("[defaults]\n")
    (root / "playbooks" / "provision.yml").write_text(PLAYBOOK)
    (root / "playbooks" / "restore_backup.yml").write_text(RESTORE)
    (root / "library" / "bxbackup_look.py").write_text(MODULE.replace("@@", str(root / "looks")))
    acceptance = root / "tests" / "acceptance"
    (acceptance / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    (acceptance / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--target')\n    parser.addoption('--release')\n"
    )
    suite = SUITE.replace("{canary}", CANARY)
    (acceptance / "environment" / "test_environment.py").write_text(suite)
    (acceptance / "restore").mkdir()
    (acceptance / "restore" / "test_restore.py").write_text("def test_restored():\n    pass\n")
    return root


@pytest.fixture
def project(tmp_path: Path) -> Project:
    template = tmp_path / "template"
    template.mkdir()
    (template / "hosts.yml").write_text(INVENTORY)
    made = create(tmp_path / "acme", template=template, vault_password_file=tmp_path / "vault-password")
    for name in ("sleep", "fail"):
        (made.root / name).write_text("0" if name == "sleep" else "")
    (made.root / "inventory" / "group_vars" / "all.yml").write_text(f"mail_password: {CANARY}\n")
    return made


Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(content: Path) -> Mapping[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/tmp"),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "BOXLIFT_CONTENT": str(content),
        "CANARY_ENVIRONMENT": f"{CANARY}-environment",
    }


ARGV = [sys.executable, "-c", "from boxlift.cli import main; main()"]


def look(project: Project, *words: str) -> str:
    """Output of a command that starts nothing."""
    ended = CliRunner().invoke(app, ["-C", str(project.root), *words])
    assert ended.exit_code == 0, ended.output
    return ended.output


@pytest.fixture
def run(content: Path, project: Project) -> Run:
    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*ARGV, *words],
            cwd=project.root,
            env=environment(content),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return call


def rows(project: Project, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(project.state / "journal.db") as database:
        return database.execute(query).fetchall()


def test_a_step_runs_and_leaves_only_its_log(run: Run, project: Project) -> None:
    ended = run("run", "provision-production")
    assert ended.returncode == 0, ended.stderr
    assert "✓ provision-production" in ended.stdout
    assert (project.root / "told").read_text() == "rehearsal box production"
    folder = project.runs / "0001"
    assert [path.name for path in folder.iterdir()] == ["provision-production.log"]
    assert rows(project, "SELECT step, outcome, exit, changes FROM attempts") == [
        ("provision-production", "done", 0, 1)
    ]
    assert rows(project, "SELECT host, task, outcome FROM results WHERE outcome = 'changed'") == [
        ("portal-1", "Write what was told", "changed")
    ]


def test_a_failing_step_says_all_that_is_needed(run: Run, project: Project) -> None:
    (project.root / "fail").write_text("no space left")
    ended = run("run", "provision-production")
    assert ended.returncode == 4
    assert ended.stderr.splitlines() == [
        "✗ provision-production on portal-1 · Fail where it is asked for",
        "  no space left ********",
        "  next: boxlift run provision-production      log: .boxlift/runs/0001/provision-production.log",
    ]
    (project.root / "fail").write_text("refused: it is open")
    assert run("run", "provision-production").returncode == 6
    assert (
        look(project, "status")
        .splitlines()[0]
        .endswith("provision-production failed: refused: it is open ********")
    )


def test_no_secret_is_stored_or_shown(run: Run, project: Project) -> None:
    (project.root / "break").touch()
    (project.root / "fail").write_text(CANARY)
    secrets = [CANARY, "sig=CANARY", vault_value(project, "vault_cache_password"), password(project)]
    shown = ""
    for words in (["run", "provision-production"], ["verify", "environment"]):
        ended = run(*words)
        shown += ended.stdout + ended.stderr
    shown += look(project, "journal", "--tasks") + look(project, "status")
    for path in project.state.rglob("*"):
        if path.is_file():
            assert not path.stat().st_mode & 0o077, path
            shown += path.read_bytes().decode("utf-8", "replace")
    for secret in secrets:
        assert secret not in shown


def password(project: Project) -> str:
    return project.vault({}).path.read_text().strip()


def vault_value(project: Project, name: str) -> str:
    argv = ["ansible-vault", "view", "--vault-password-file", str(project.vault({}).path)]
    shown = subprocess.run(
        [str(Path(sys.executable).parent / argv[0]), *argv[1:], "group_vars/production/vault.yml"],
        cwd=project.inventory,
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(rf"^{name}: (.+)$", shown.stdout, re.MULTILINE)
    assert found
    return found.group(1)


def test_check_mode_changes_nothing_and_does_no_step(run: Run, project: Project) -> None:
    ended = run("run", "provision-production", "--check")
    assert ended.returncode == 0, ended.stderr
    assert not (project.root / "told").exists()
    assert "+rehearsal box production" in (project.runs / "0001" / "provision-production.log").read_text()
    assert "0 of 19 steps done" in look(project, "status")


def test_run_goes_on_to_the_next_person_and_says_what_to_do(run: Run, project: Project) -> None:
    plan = project.root / "plan.yml"
    plan.write_text(
        "phases:\n"
        "  - id: prepare\n"
        "    steps: [provision-production, check-environment, buy-certificate]\n"
        "  - id: move\n"
        "    steps: [request-backup, {id: restore-backup, needs: [request-backup]}, inform-users]\n"
    )
    with (project.root / "boxlift.yml").open("a") as settings:
        settings.write("plan: plan.yml\n")
    ended = run("run")
    assert ended.returncode == 8
    assert "the next step is the client's: buy-certificate" in ended.stderr
    assert "next: boxlift confirm buy-certificate --by NAME" in ended.stderr
    look(project, "confirm", "buy-certificate", "--by", "Anna")
    look(project, "confirm", "request-backup", "--by", "Anna")

    ended = run("run")
    assert ended.returncode == 3
    assert "nobody has said yet where the rehearsal's backup is" in ended.stderr
    project.set_backup(Pass.REHEARSAL, ["https://s3.example/a.tar.gz?X-Amz-Signature=CANARY"])
    ended = run("run")
    assert ended.returncode == 8, ended.stderr
    assert "repaired by itself: fetched again a.tar.gz.3" in ended.stdout
    assert rows(project, "SELECT bytes, outcome FROM attempts WHERE step = 'restore-backup'") == [
        (300, "done")
    ]
    assert rows(project, "SELECT kind, text FROM incidents") == [("repair", "fetched again a.tar.gz.3")]
    assert rows(project, "SELECT state, bytes, rate FROM segments ORDER BY id")[-1] == ("done", 300, 100.0)
    assert "CANARY" not in "".join(path.read_text() for path in project.runs.rglob("*.log"))


def test_a_failed_suite_is_3_in_the_plan_and_7_by_itself(run: Run, project: Project) -> None:
    assert run("run", "provision-production", "check-environment").returncode == 0
    (project.root / "break").touch()
    ended = run("run", "check-environment")
    assert ended.returncode == 3
    assert "environment/test_environment.py::test_may_fail" in ended.stderr
    assert run("verify", "environment").returncode == 7


def test_a_suite_that_looks_at_nothing_is_no_proof(run: Run, project: Project, content: Path) -> None:
    (content / "tests" / "acceptance" / "business").mkdir(exist_ok=True)
    idle = content / "tests" / "acceptance" / "business" / "test_business.py"
    idle.write_text(
        "import pytest\n\n@pytest.mark.parametrize('n', [1, 2])\ndef test(n):\n    pytest.skip('no')\n"
    )
    ended = run("verify", "business")
    assert ended.returncode == 7
    assert "every test of it was skipped (2)" in ended.stderr
    (attempt,) = rows(project, "SELECT outcome FROM attempts WHERE step = 'verify'")
    assert attempt == ("failed",)


def test_an_unreachable_host_is_5(run: Run, project: Project) -> None:
    (project.inventory / "hosts.yml").write_text(
        "production: {hosts: {portal-1: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n"
    )
    ended = run("run", "provision-production")
    assert ended.returncode == 5
    assert "provision-production on portal-1" in ended.stderr
    (done,) = [
        event for event in told(run("run", "provision-production", "--json")) if event["event"] == "done"
    ]
    assert done["text"].startswith("✗ provision-production · ")
    assert done["text"].endswith(" · exit code 5")


def told(ended: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.fixture
def started(content: Path, project: Project) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """A runner in the midst of a task that takes long."""
    processes = []

    def start() -> subprocess.Popen[str]:
        (project.root / "sleep").write_text("600.25")
        process = subprocess.Popen(
            # A test run in the background ignores Ctrl-C, and so would all that it starts.
            ["env", "--default-signal=INT", *ARGV, "run", "provision-production"],
            cwd=project.root,
            env=environment(content),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        processes.append(process)
        deadline = time.monotonic() + 30
        while not (project.root / "told").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (project.root / "told").exists()
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def of_project(project: Project) -> list[int]:
    """Ids of ansible-playbook's processes of this project."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            ours = f"BOXLIFT_RUN={project.runs}".encode() in entry.read_bytes()
            if ours and b"ansible-playbook" in entry.with_name("cmdline").read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_orderly_and_goes_on(
    started: Callable[[], subprocess.Popen[str]], run: Run, project: Project, number: signal.Signals
) -> None:
    process = started()
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130, output
    assert "next: boxlift run provision-production" in output
    assert not of_project(project)
    assert rows(project, "SELECT outcome, exit FROM attempts") == [("interrupted", 130)]
    assert [path.name for path in (project.runs / "0001").iterdir()] == ["provision-production.log"]
    (project.root / "sleep").write_text("0")
    assert run("run", "provision-production").returncode == 0


def test_a_killed_runner_leaves_a_state_that_the_next_copes_with(
    started: Callable[[], subprocess.Popen[str]], run: Run, project: Project
) -> None:
    process = started()
    process.kill()
    process.wait()
    assert "provision-production failed: the runner was ended" in look(project, "status")
    (project.root / "sleep").write_text("0")
    ended = run("run", "provision-production")
    assert ended.returncode == 0, ended.stderr
    assert "provision-production was interrupted when its runner was ended" in ended.stdout
    assert not of_project(project)
    assert rows(project, "SELECT outcome FROM attempts") == [("interrupted",), ("done",)]
    assert not list(project.runs.glob("*/*/env"))


def test_a_killed_ansible_fails_the_step(
    started: Callable[[], subprocess.Popen[str]], project: Project
) -> None:
    process = started()
    for number in of_project(project):
        os.kill(number, signal.SIGKILL)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1, output
    assert "ansible-playbook was killed on the control node" in output


def test_a_second_runner_refuses(
    started: Callable[[], subprocess.Popen[str]], run: Run, project: Project
) -> None:
    process = started()
    ended = run("run")
    assert ended.returncode == 6
    assert "another runner works on this project: process" in ended.stderr
    assert "provision-production runs since" in look(project, "status")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


def test_check_looks_at_every_host_and_tells_all_at_once(run: Run, project: Project, content: Path) -> None:
    shutil.copy(content_root() / "playbooks" / "check_hosts.yml", content / "playbooks")
    for name in ("library", "module_utils", "filter_plugins", "roles"):
        shutil.copytree(content_root() / name, content / name, dirs_exist_ok=True)
    (project.inventory / "hosts.yml").write_text(
        INVENTORY
        + "    preproduction:\n"
        + "      hosts: {staging-1: {ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}}\n"
        + "    portal: {hosts: {portal-1: }}\n"
    )
    ended = run("check", "--json")
    assert ended.returncode == 3, ended.stderr
    found = {f"{item['subject']} {item['check']}": item for item in json.loads(ended.stdout)["checks"]}
    assert found["portal-1 reachable"]["ok"]
    assert found["portal-1 clock"]["ok"]
    assert "Connection refused" in found["staging-1 reachable"]["measured"]
    assert found["preproduction roles"]["measured"] == "no host for portal, database, cache, push, search"
    assert found["portal-1 variables"]["measured"] == "without portal_id, portal_domain, portal_timezone"
    assert not list(project.runs.iterdir())
