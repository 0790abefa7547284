"""Role portal_users as a play on this host, against the stand-in and a MariaDB of the tests'."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.integration.portal_site import Site, restored_site
from tests.playbook import ansible_playbook

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="the play acts as root, and the portal's user is root here"),
]
RELEASE = "final-1"
Play = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def site(tmp_path: Path, mariadb_socket: Path) -> Site:
    """A restored release with two employees who have a password nowhere: anna and boris."""
    found = restored_site(tmp_path / "site", mariadb_socket, "portal_final_1")
    found.sql("DROP DATABASE IF EXISTS boxlift")
    found.sql("DELETE FROM b_module WHERE ID IN ('bitrix24', 'security')")
    found.sql("UPDATE b_user SET ACTIVE = 'N'")
    employees = found.sql("SELECT ID FROM b_user WHERE EXTERNAL_AUTH_ID = 'socservices' ORDER BY ID LIMIT 2")
    for (user,), name in zip(employees, ("anna", "boris"), strict=True):
        values = (name, f"{name}@acme.example", user)
        found.sql("UPDATE b_user SET ACTIVE = 'Y', LOGIN = %s, EMAIL = %s WHERE ID = %s", *values)
    return found


@pytest.fixture
def play(tmp_path: Path, site: Site, client_options: Path) -> Play:
    """Run an entry point, or several in one play."""
    base = tmp_path / "portal"
    site.place(base, RELEASE)
    (base / "current").symlink_to(f"releases/{RELEASE}")
    (tmp_path / "ini").mkdir()
    (tmp_path / "ini" / "mail.ini").write_text(f"sendmail_path = {site.home}/sendmail {site.home}/mail\n")
    host = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        **{f"portal_{role}_base_path": str(base) for role in ("users", "cache")},
        **{f"portal_{role}_user": "root" for role in ("users", "cache")},
        **{f"portal_{role}_release": RELEASE for role in ("users", "cache")},
        "portal_users_database_options_file": str(client_options),
        "portal_users_lock_file": str(tmp_path / "lock"),
        "portal_users_report_folder": str(tmp_path / "report"),
        "portal_users_per_minute": 60000,
        "portal_users_pass": "final",
        "portal_users_work_begins": "none",
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"portal-1": host}}}))

    def played(*entries: str, given: str = "{}", **variables: str) -> subprocess.CompletedProcess[str]:
        tasks = [
            {"ansible.builtin.import_role": {"name": "portal_users", "tasks_from": entry}}
            for entry in entries
        ]
        (tmp_path / "play.yml").write_text(
            yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}])
        )
        more = [f"-e{given}", *(f"-e{name}={value}" for name, value in variables.items())]
        return ansible_playbook(
            tmp_path,
            *("--inventory=hosts.yml", "play.yml", *more),
            PHP_INI_SCAN_DIR=f":{tmp_path / 'ini'}",
        )

    return played


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What Ansible printed, as one line."""
    return re.sub(r"\s+", " ", done.stdout + done.stderr)


def test_everybody_gets_an_account_and_one_letter(site: Site, play: Play, tmp_path: Path) -> None:
    done = play("main", "letters")
    assert done.returncode == 0, said(done)
    assert sorted(letter["To"] for letter in site.letters()) == ["anna@acme.example", "boris@acme.example"]
    report = (tmp_path / "report" / f"letters-{RELEASE}.csv").read_text(encoding="utf-8")
    assert [line.split(";")[1:4] for line in report.splitlines()[1:]] == [
        ["anna", "anna@acme.example", "sent"],
        ["boris", "boris@acme.example", "sent"],
    ]


def test_nothing_is_sent_where_not_exactly_one_letter_would_be_made(site: Site, play: Play) -> None:
    site.sql("UPDATE b_event_message SET EVENT_NAME = 'USER_PASS_REQUEST' WHERE EVENT_NAME = 'CRM_EMAIL'")
    twice = play("main", "letters")
    assert "refused: site s1 has 2 active templates of USER_PASS_REQUEST (" in said(twice)
    site.sql("UPDATE b_event_message SET ACTIVE = 'N'")
    never = play("letters")
    assert "refused: site s1 has no active templates of USER_PASS_REQUEST;" in said(never)
    assert 0 not in (twice.returncode, never.returncode)
    assert site.letters() == []
    assert site.sql("SELECT COUNT(*) FROM boxlift.person WHERE letter <> 'none'") == [(0,)]


def test_who_is_not_taken_over_is_told_and_in_the_list(site: Site, play: Play, tmp_path: Path) -> None:
    site.sql("INSERT INTO b_user (LOGIN, EXTERNAL_AUTH_ID, ACTIVE, PASSWORD) VALUES ('anna', '', 'N', 'x')")
    ((anna,),) = site.sql("SELECT ID FROM b_user WHERE LOGIN = 'anna' AND EXTERNAL_AUTH_ID = 'socservices'")
    done = play("main")
    assert done.returncode != 0
    assert f"anna (ID {anna}): A user with this login is already there.;" in said(done)
    assert f"portal_users_logins, as {{{anna}: another.login}}" in said(done)
    assert "boxlift run repair-portal" in said(done)
    done = play("letters")
    assert done.returncode == 0, said(done)
    assert "WARNING: these cannot sign in" in said(done)
    report = (tmp_path / "report" / f"letters-{RELEASE}.csv").read_text(encoding="utf-8")
    assert f"{anna};anna;anna@acme.example;no account;A user with this login is already there." in report
    assert [letter["To"] for letter in site.letters()] == ["boris@acme.example"]
    other = json.dumps({"portal_users_logins": {anna: "anna.two"}})
    assert play("main", given=other).returncode == 0
    assert site.sql("SELECT LOGIN, COALESCE(EXTERNAL_AUTH_ID, '') FROM b_user WHERE ID = %s", anna) == [
        ("anna.two", "")
    ]


def test_the_final_pass_asks_until_when_links_must_live(site: Site, play: Play) -> None:
    done = play("main", "letters", portal_users_work_begins="")
    assert done.returncode != 0
    assert "refused: nobody said when people will read their letters" in said(done)
    assert site.letters() == []
    listed = play("letters", portal_users_work_begins="", portal_users_dry_run="true")
    assert listed.returncode == 0, said(listed)
    assert site.letters() == []
    named = {"portal_users_pass": "rehearsal", "portal_users_recipients": ["anna@acme.example"]}
    assert play("letters", portal_users_work_begins="", given=json.dumps(named)).returncode == 0
    assert [letter["To"] for letter in site.letters()] == ["anna@acme.example"]


@pytest.fixture
def guarded(site: Site) -> Callable[[], tuple[str, str]]:
    """A portal whose captcha guards the recovery of passwords: what its database says of it, and its code."""
    site.option("main", "captcha_restoring_password", "Y")

    def seen() -> tuple[str, str]:
        ((value,),) = site.sql(
            "SELECT VALUE FROM b_option WHERE MODULE_ID = 'main' AND NAME = 'captcha_restoring_password'"
        )
        name = "'main', 'captcha_restoring_password', 'none'"
        return value, site.php(f"echo \\Bitrix\\Main\\Config\\Option::get({name});")

    assert seen() == ("Y", "Y")
    return seen


def test_the_captcha_is_back_when_the_letters_are_out(
    site: Site, play: Play, guarded: Callable[[], tuple[str, str]]
) -> None:
    done = play("main", "letters")
    assert done.returncode == 0, said(done)
    assert sorted(letter["To"] for letter in site.letters()) == ["anna@acme.example", "boris@acme.example"]
    assert guarded() == ("Y", "Y")


def test_the_captcha_is_back_when_the_letters_fail(
    site: Site, play: Play, guarded: Callable[[], tuple[str, str]]
) -> None:
    assert play("main").returncode == 0
    code = site.root / "bitrix/modules/main/classes/general/user.php"
    code.write_text(code.read_text().replace("function SendPassword(", "function SendNothing("))
    failed = play("letters")
    assert failed.returncode != 0
    assert "CUser::SendPassword" in said(failed), said(failed)
    assert site.letters() == []
    assert guarded() == ("Y", "Y")


def chain(process: int) -> list[int]:
    """A process and those that started it, up to what this test started."""
    found: list[int] = []
    while process not in (0, 1, os.getpid()):
        found.append(process)
        status = Path(f"/proc/{process}/stat").read_text()
        process = int(status.rpartition(")")[2].split()[1])
    return found


def kill_while_it_mails(marker: Path) -> None:
    """Kill the play, its module and PHP as soon as a letter is on its way."""
    while not (marker.is_file() and marker.read_text().endswith("\n")):
        time.sleep(0.02)
    for process in reversed(chain(int(marker.read_text()))):
        os.kill(process, signal.SIGKILL)


def test_the_captcha_is_back_in_the_run_after_one_that_was_killed(
    site: Site, play: Play, guarded: Callable[[], tuple[str, str]], tmp_path: Path
) -> None:
    assert play("main").returncode == 0
    sendmail = site.home / "sendmail"
    works, marker = sendmail.read_text(), tmp_path / "mails"
    sendmail.write_text(f"#!/bin/sh\necho $$ > {marker}\nexec sleep 60\n")
    killer = threading.Thread(target=kill_while_it_mails, args=[marker], daemon=True)
    killer.start()
    killed = play("letters")
    assert killed.returncode == -signal.SIGKILL, said(killed)
    killer.join()
    assert guarded() == ("N", "N")
    sendmail.write_text(works)
    after = play("letters")
    assert [letter["To"] for letter in site.letters()][-1] == "boris@acme.example", said(after)
    assert guarded() == ("Y", "Y")
