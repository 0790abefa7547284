"""What is no longer asked for goes from a host: real tasks of the roles, in a folder instead of /etc."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.playbook import REPOSITORY, ansible_playbook

pytestmark = pytest.mark.slow
Configure = Callable[..., str]
RELAY = {"mail_relay_host": "mail.acme.example", "mail_relay_hostname": "portal.acme.example"}
BASE = {"base_timezone": "Europe/Riga"}


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Run the tasks `configure` of a role once for each settings; what Ansible printed of the last."""
    etc = tmp_path / "etc"

    def configured(role: str, *runs: dict[str, Any]) -> str:
        folder = tmp_path / "roles" / role
        shutil.copytree(REPOSITORY / "roles" / role, folder, dirs_exist_ok=True)
        for name in ("tasks/configure.yml", "vars/main.yml", "templates/main.cf.j2"):
            file = folder / name
            if file.exists():
                file.write_text(
                    file.read_text(encoding="utf-8").replace("/etc/", f"{etc}/"), encoding="utf-8"
                )
        task = {"ansible.builtin.include_role": {"name": role, "tasks_from": "configure"}}
        play = tmp_path / "play.yml"
        play.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
        python = {"ansible_python_interpreter": sys.executable}
        for given in runs:
            where = ("--inventory=localhost,", "--connection=local", str(play))
            done = ansible_playbook(tmp_path, *where, f"-e{json.dumps(given | python)}")
            assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    for name in ("postfix", "apt/apt.conf.d"):
        (etc / name).mkdir(parents=True)
    return configured


def test_a_password_goes_with_its_account(configure: Configure, tmp_path: Path) -> None:
    password = tmp_path / "etc/postfix/relay_password"
    account = {"mail_relay_user": "portal@acme.example", "mail_relay_password": "canary-password"}
    configure("mail_relay", RELAY | account)
    assert password.read_text() == "[mail.acme.example]:25 portal@acme.example:canary-password\n"
    assert password.stat().st_mode & 0o777 == 0o600
    assert f"texthash:{password}\n" in (tmp_path / "etc/postfix/main.cf").read_text()
    configure("mail_relay", RELAY)
    assert not password.exists()
    assert "sasl" not in (tmp_path / "etc/postfix/main.cf").read_text()
    assert "changed=0" in configure("mail_relay", RELAY)


def test_an_address_goes_when_it_no_longer_gets_every_mail(configure: Configure, tmp_path: Path) -> None:
    one = {"mail_relay_mode": "catch_all", "mail_relay_catch_all": "tests@acme.example"}
    configure("mail_relay", RELAY | one)
    assert (tmp_path / "etc/postfix/catch_all").read_text() == "/.*/ tests@acme.example\n"
    configure("mail_relay", RELAY | {"mail_relay_mode": "discard"})
    assert not (tmp_path / "etc/postfix/catch_all").exists()


def test_security_updates_end_when_they_are_no_longer_asked_for(configure: Configure, tmp_path: Path) -> None:
    updates = tmp_path / "etc/apt/apt.conf.d/20auto-upgrades"
    configure("base", BASE | {"base_security_updates": True})
    assert 'APT::Periodic::Unattended-Upgrade "1";\n' in updates.read_text()
    configure("base", BASE)
    assert not updates.exists()
    assert "changed=0" in configure("base", BASE)


def test_security_updates_that_somebody_else_asked_for_stay(configure: Configure, tmp_path: Path) -> None:
    updates = tmp_path / "etc/apt/apt.conf.d/20auto-upgrades"
    updates.write_text('APT::Periodic::Unattended-Upgrade "1";\n')
    assert "changed=0" in configure("base", BASE, BASE)
    assert updates.read_text() == 'APT::Periodic::Unattended-Upgrade "1";\n'
