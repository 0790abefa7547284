"""A canary in every place a secret can come from; none of them in anything that is stored or shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from boxlift.plan import Pass
from boxlift.project import Project, create
from boxlift.project.vault import encrypt

CANARIES = {
    "vault file": "canary-Vault-1a",
    "list in a vault": "canary-List-2b",
    "number in a vault": "70717273747576",
    "key of several lines": "-----BEGIN KEY-----\ncanaryKeyLineOne3c\ncanaryKeyLineTwo3c\n-----END KEY-----",
    "single value in a vault": "canary-Inline-4d",
    "vault password": "canary-VaultPassword-5e",
    "variable of the inventory": "canary-Плейн-6f",
    "variable of a host": "canary-Host+/=7g",
    "ini of the inventory": "canary-Ini-8h",
    "login to a host": "canary-Become-9i",
    "signature of the link": "canarySignature10j",
    "login in a link": "canary-Login-11k",
    "backup's password": "canary Backup password 12l",
    "variable of the plan": "canary-PlanVariable-13m",
    "environment": "canary-Environment-14n",
    "environment let through": "canary-Through-15o",
    "link in a note": "canarySignedNote16p",
    "link in a module's answer": "canaryAnswer17q",
    "header in a module's answer": "canaryHeader18r",
    "status of a restore": "canaryStatus19s",
    "host's environment": "canary-Environment-14n",
}
LINK = (
    f"https://mover:{quote(CANARIES['login in a link'])}@s3.example/portal.tar.gz?X-Amz-Expires=86400"
    f"&X-Amz-Signature={CANARIES['signature of the link']}"
)
PLAYBOOK = """\
- name: Tell everything
  hosts: production
  gather_facts: true
  vars:
    all_of_it:
      - "{{ vault_word }}"
      - "{{ vault_list | first }}"
      - "{{ vault_pin }}"
      - "{{ vault_private }}"
      - "{{ inline_value }}"
      - "{{ smtp_password }}"
      - "{{ api_token }}"
      - "{{ ini_secret }}"
      - "{{ ansible_become_password }}"
      - "{{ portal_backup_source | default('') }}"
      - "{{ portal_backup_password | default('') }}"
      - "{{ hook_token }}"
      - "{{ lookup('env', 'BOXLIFT_SECRET') }}"
      - "{{ lookup('file', lookup('env', 'HOME') ~ '/vault-password') }}"
      - "{{ ansible_facts.env | to_json }}"
      - "https://cdn.example/file?sig=@answer@"
      - "Authorization: Bearer @header@"
  tasks:
    - name: "Named after {{ vault_word }}"
      ansible.builtin.debug:
        msg: "{{ all_of_it }}"
    - name: Every item has a label
      ansible.builtin.debug:
        msg: "{{ item }}"
      loop: "{{ all_of_it }}"
    - name: A file whose diff tells
      ansible.builtin.copy:
        content: "{{ all_of_it | join('\\n') }}\\n"
        dest: "{{ inventory_dir }}/../../written"
        mode: "0600"
    - name: A command's words and output
      ansible.builtin.command:
        argv: [echo, "{{ all_of_it | to_json }}", "{{ vault_word | b64encode }} {{ vault_word | urlencode }}"]
      changed_when: true
    - name: Kept secret by the task itself
      ansible.builtin.command: printf {{ vault_word }}
      changed_when: true
      no_log: true
    - name: Progress of a restore
      tell_status:
        text: "https://cdn.example/part?signature=@status@"
    - name: Fail in every way
      when: lookup('file', inventory_dir ~ '/../how') == 'ways'
      block:
        - name: Fail with a broken module
          tell_status:
            text: "{{ all_of_it | to_json }}"
            broken: true
      rescue:
        - name: Again
          block:
            - name: Fail with a wrong argument
              ansible.builtin.file:
                path: /tmp
                "{{ vault_word }}": 1
          rescue:
            - name: Again
              block:
                - name: Fail in a template
                  ansible.builtin.debug:
                    msg: "{{ vault_word | no_such_filter }}"
              rescue:
                - name: Again
                  block:
                    - name: Fail in secret
                      ansible.builtin.fail:
                        msg: "{{ all_of_it }}"
                      no_log: true
                  rescue:
                    - name: Fail in pieces
                      ansible.builtin.command:
                        argv: [sh, -c, 'echo "$1" >&2; exit 1', sh, "{{ item }}"]
                      loop: "{{ all_of_it }}"
                      changed_when: true
    - name: "Fail at once with {{ vault_word }}"
      ansible.builtin.fail:
        msg: "{{ all_of_it }}"
      when: lookup('file', inventory_dir ~ '/../how') == 'fail'
"""
MODULE = """\
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec={"text": {"type": "str"}, "broken": {"type": "bool", "default": False}})
text = module.params["text"]
if module.params["broken"]:
    raise RuntimeError(text)
repair = {"at": "2026-11-20T18:00:01Z", "what": text, "part": text}
moved = {"total": 300, "fetched": 300}
error = {"what": text, "advice": text}
status = {"state": "done", "rate": 1.0, "repairs": [repair], "bytes": moved, "error": error}
status["current"] = {"part": text, "table": text}
measure = ["part", text, 1.0, 1.0, 100, None, 1]
module.exit_json(bxbackup_status=status, bxbackup_measures=[measure])
"""
SUITE = """\
import os

def test_tells(ansible_words):
    print(ansible_words)
    assert not ansible_words, ansible_words

def test_{name}_in_its_name(ansible_words):
    raise RuntimeError(ansible_words)
"""
PLAN = f"""\
phases:
  - id: prepare
    steps:
      - provision-production
      - check-environment
  - id: move
    steps:
      - request-backup
      - id: restore-backup
        needs: [request-backup]
        suites: []
        variables: {{hook_token: {CANARIES["variable of the plan"]}}}
      - inform-users
"""


@pytest.fixture
def content(tmp_path: Path) -> Path:
    root = tmp_path / "content"
    for folder in ("playbooks", "roles", "library", "inventories", "tests/acceptance/environment"):
        (root / folder).mkdir(parents=True)
    (root / "ansible.cfg").write_text("[defaults]\n")
    playbook = PLAYBOOK
    for mark, name in (("answer", "link in a module's answer"), ("header", "header in a module's answer"),
                       ("status", "status of a restore")):  # fmt: skip
        playbook = playbook.replace(f"@{mark}@", CANARIES[name])
    (root / "playbooks" / "restore_backup.yml").write_text(playbook)
    (root / "playbooks" / "provision.yml").write_text(
        playbook.replace('- "{{ hook_token }}"', '- "no token"')
    )
    (root / "library" / "tell_status.py").write_text(MODULE)
    acceptance = root / "tests" / "acceptance"
    (acceptance / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    words = json.dumps([value for name, value in CANARIES.items() if "answer" not in name and name not in (
        "variable of the plan", "link in a note", "status of a restore")])  # fmt: skip
    (acceptance / "conftest.py").write_text(
        "import pytest\n\n"
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--target')\n    parser.addoption('--release')\n\n"
        f"@pytest.fixture\ndef ansible_words():\n    return {words}\n"
    )
    suite = SUITE.replace("{name}", "vault")
    (acceptance / "environment" / "test_environment.py").write_text(suite)
    return root


@pytest.fixture(params=["file", "client"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """A project whose vault password comes from a file, or from a script that prints it."""
    template = tmp_path / "template"
    (template / "group_vars" / "all").mkdir(parents=True)
    password = tmp_path / "vault-password"
    password.write_text(CANARIES["vault password"] + "\n")
    password.chmod(0o600)
    client = tmp_path / "vault-client"
    client.write_text(f"#!/bin/sh\ncat {password}\n")
    client.chmod(0o700)
    (template / "hosts.yml").write_text(
        f"all:\n  vars: {{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}\n"
        "  children:\n    production:\n      hosts:\n"
        f"        portal-1: {{api_token: {json.dumps(CANARIES['variable of a host'])},"
        f" ansible_become_password: {CANARIES['login to a host']}}}\n"
    )
    (template / "more.ini").write_text(
        f"[production]\nportal-1 ini_secret={CANARIES['ini of the inventory']}\n"
    )
    by_file = request.param == "file"
    made = create(
        tmp_path / "acme",
        template=template,
        vault_password_file=password if by_file else None,
        vault_password_client=None if by_file else client,
    )
    source = made.vault({})
    secret = VaultSecret(source.read())
    inline = VaultLib([("default", secret)]).encrypt(CANARIES["single value in a vault"], secret=secret)
    everybody = made.inventory / "group_vars" / "all"
    (everybody / "plain.yml").write_text(
        f"smtp_password: {CANARIES['variable of the inventory']}\n"
        "inline_value: !vault |\n" + "".join(f"  {line}\n" for line in inline.decode().splitlines())
    )
    vault = {
        "vault_word": CANARIES["vault file"],
        "vault_list": [CANARIES["list in a vault"]],
        "vault_pin": int(CANARIES["number in a vault"]),
        "vault_private": CANARIES["key of several lines"],
    }
    (everybody / "secrets.yml").write_bytes(encrypt(vault, source))
    made.set_backup(Pass.REHEARSAL, [LINK], CANARIES["backup's password"])
    (made.root / "plan.yml").write_text(PLAN)
    with (made.root / "boxlift.yml").open("a") as settings:
        settings.write("plan: plan.yml\n")
    (made.root / "how").write_text("")
    return made


@pytest.fixture
def printed(project: Project, content: Path, tmp_path: Path) -> list[str]:
    """All that the commands of a move print, in good days and bad ones."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "BOXLIFT_CONTENT": str(content),
        "DEPLOY_TOKEN": CANARIES["environment"],
        "BOXLIFT_SECRET": CANARIES["environment let through"],
    }
    shown: list[str] = []

    def boxlift_(*words: str, how: str = "") -> int:
        (project.root / "how").write_text(how)
        ended = subprocess.run(
            [sys.executable, "-c", "from boxlift.cli import main; main()", *words],
            cwd=project.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        shown.extend([ended.stdout, ended.stderr])
        return ended.returncode

    note = f"see https://s3.example/x?sig={CANARIES['link in a note']} and {CANARIES['vault file']}"
    assert boxlift_("run", "provision-production", "--verbose", how="fail") == 4, shown
    if project.settings.vault_password_client:
        # all that differs is where the vault's password comes from
        return shown
    assert boxlift_("run", "provision-production", "--verbose", how="ways") == 4, shown
    assert boxlift_("run", "provision-production", "--check", "--verbose") == 0, shown
    assert boxlift_("run", "provision-production", "--json") == 0, shown
    assert boxlift_("verify", "environment") == 7
    assert boxlift_("confirm", "request-backup", "--by", note, "--note", note) == 0
    assert boxlift_("confirm", "inform-users", "--by", note, "--note", note, "--refuse") == 0
    assert boxlift_("run", "restore-backup", "--json") == 0, shown[-2:]
    assert boxlift_("note", note) == 0
    for words in ("plan", "status", "journal", "journal --tasks", "journal --tasks --format csv",
                  "journal --tasks --format jsonl", "plan --json", "status --json"):  # fmt: skip
        assert boxlift_(*words.split()) == 0
    for words in ("risks", "risks --leads", "forecast --json", "report", "letter notice"):
        boxlift_(*words.split())
    boxlift_("check")
    return shown


def forms(secret: str) -> set[str]:
    """How a secret may be written."""
    lines = [line for line in secret.splitlines() if "KEY-----" not in line]
    return {
        form
        for line in lines
        for form in (line, json.dumps(line)[1:-1], quote(line), b64encode(line.encode()).decode().rstrip("="))
    }


def test_no_canary_is_stored_or_shown(project: Project, printed: list[str]) -> None:
    kept = {str(number): text for number, text in enumerate(printed)}
    own = {project.root / "backup", project.inventory}
    for path in project.root.rglob("*"):
        if not path.is_file() or own & set(path.parents) or path.name in {"plan.yml", "how"}:
            continue
        if project.state in path.parents:
            assert not path.stat().st_mode & 0o077, f"others can read {path}"
        kept[str(path.relative_to(project.root))] = path.read_bytes().decode("utf-8", "replace")
    logs = [text for name, text in kept.items() if name.endswith(".log")]
    assert all("Named after ********" in text for text in logs if "TASK" in text)
    assert len([text for name, text in kept.items() if "********" in text and name.isdigit()]) >= 1
    for source, secret in CANARIES.items():
        for form in forms(secret):
            leaks = [name for name, text in kept.items() if form in text]
            assert not leaks, f"{source}: {form} in {leaks}"
    with project.journal() as journal:
        repairs = {found.text for found in journal.incidents() if found.kind == "repair"}
    assert repairs <= {"https://cdn.example/part?******** https://cdn.example/part?********"}
