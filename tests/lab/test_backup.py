"""Production is backed up, also after a kill, and restored as docs/backup.md says."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from boxlift.verify.inventory import Inventory
from boxlift.verify.release import Release
from tests.lab.support import Play

pytestmark = pytest.mark.long
FOLDER = "/var/backups/boxlift"
DOCUMENT = Path(__file__).parents[2] / "docs" / "backup.md"
# As on a new host in the place of one that is lost.
NO_AGENTS = (
    "systemctl disable --now portal-agents.timer && systemctl stop portal-agents.service"
    " && rm /etc/systemd/system/portal-agents.* && systemctl daemon-reload"
)
LOST = "/srv/portal/current/upload/of-the-story.txt"
KEY = "/root/.ssh/id_of_the_story"
TABLES = (
    "SELECT COUNT(*) FROM information_schema.TABLES"
    " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'"
)


def proof(staging: Host) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(staging.check_output(f"cat {FOLDER}/last.json"))
    return found


def left(production: Host) -> str:
    """What a backup must not leave on production."""
    return str(
        production.check_output(
            "ls /run /usr/local/sbin | grep -e boxlift-reader -e boxlift-portal-reader;"
            " grep boxlift-reader /root/.ssh/authorized_keys; pgrep -x mariadb-backup; true"
        )
    )


@pytest.fixture(scope="module")
def backed_up(play: Play, staging: Host) -> dict[str, Any]:
    recap = play("backup_production.yml")
    assert recap.returncode == 0, recap.complaints
    return proof(staging)


def test_a_backup_holds_what_production_has(
    backed_up: dict[str, Any], release: Release, production: Host, staging: Host
) -> None:
    assert backed_up["release"] == release.name
    assert backed_up["method"] == "physical", backed_up["why"]
    assert backed_up["tables_equal"] + len(backed_up["tables_changed_meanwhile"]) == backed_up["tables"]
    assert backed_up["tables"] == int(release.database.value(TABLES))
    assert backed_up["deleted"]["files"] == 0
    assert left(production) == ""
    assert staging.check_output(f"find {FOLDER}/{backed_up['name']} -not -user root -print -quit") == ""
    assert staging.file(FOLDER).mode == 0o710
    assert staging.file(f"{FOLDER}/{backed_up['name']}").mode == 0o700
    for account in ("nobody", "mysql", "boxlift-backup"):
        assert staging.run(f"runuser -u {account} -- ls {FOLDER}/{backed_up['name']}/files").rc != 0


def kill_under_way(staging: Host) -> None:
    """Kill the unit when the database has begun to come."""
    for _ in range(600):
        status = json.loads(staging.run(f"cat {FOLDER}/status.json").stdout or "{}")
        if status.get("state") == "running" and status["bytes"]["fetched"]:
            staging.check_output("systemctl kill --signal=KILL boxlift-backup.service")
            return
        time.sleep(0.2)
    pytest.fail("no backup was under way")


def test_killed_in_the_middle_the_next_run_goes_on(
    backed_up: dict[str, Any], play: Play, production: Host, staging: Host
) -> None:
    before = staging.check_output(f"ls {FOLDER}")
    # The former run's last word must not be taken for this one's.
    staging.check_output(f"rm {FOLDER}/status.json")
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(play, "backup_production.yml", production_backup_bandwidth_kb=1000)
        kill_under_way(staging)
        recap = playing.result()
    assert recap.returncode != 0
    assert "the backup was ended from outside" in recap.output
    assert staging.check_output(f"ls {FOLDER}") == before
    assert proof(staging) == backed_up
    for _ in range(20):
        if left(production) == "":
            break
        time.sleep(0.5)
    assert left(production) == ""
    recap = play("backup_production.yml")
    assert recap.returncode == 0, recap.complaints
    assert staging.run(f"ls -d {FOLDER}/.unfinished").rc != 0
    assert proof(staging)["name"] > backed_up["name"]


@pytest.fixture
def way(production: Host, staging: Host, inventory: Inventory) -> Iterator[None]:
    """What an operator's agent does: for that time production's root may log in on the backup's host."""
    production.check_output(f"ssh-keygen -q -t ed25519 -N '' -C of-the-story -f {KEY}")
    public = production.check_output(f"cat {KEY}.pub")
    staging.check_output("echo %s >> /root/.ssh/authorized_keys", public)
    settings = f"IdentityFile {KEY}\nStrictHostKeyChecking accept-new\nUserKnownHostsFile {KEY}.known"
    production.check_output(
        "printf %s > /root/.ssh/config", f"Host {inventory.address('staging-1')}\n{settings}"
    )
    yield
    staging.check_output("sed -i '/of-the-story/d' /root/.ssh/authorized_keys")
    production.check_output(f"rm -f {KEY} {KEY}.pub {KEY}.known /root/.ssh/config")


def commands(backup: str, address: str, version: str) -> str:
    """The document's own, with the names of this lab."""
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    found = "".join(block for block in blocks if "$sql" not in block)
    for old, new in (
        ("root@staging-1", f"root@{address}"),
        ("/var/backups/boxlift/20261122220000", f"{FOLDER}/{backup}"),
        ("php8.2-fpm", f"php{version}-fpm"),
    ):
        assert old in found
        found = found.replace(old, new)
    return f"set -eo pipefail\n{found}"


@pytest.mark.usefixtures("way")
def test_production_is_restored_as_the_document_says(
    play: Play, release: Release, production: Host, staging: Host, inventory: Inventory
) -> None:
    leads = release.database.value("SELECT COUNT(*) FROM b_crm_lead")
    named = release.database.tables()  # views too
    recap = play("backup_production.yml")
    assert recap.returncode == 0, recap.complaints
    # What happens afterwards is what the restore takes back.
    release.database.rows("DELETE FROM b_crm_lead")
    production.check_output(f"touch {LOST}; rm /srv/portal/current/bitrix/.settings.php; {NO_AGENTS}")
    assert release.database.value("SELECT COUNT(*) FROM b_crm_lead") == "0"
    version = production.check_output("php -r 'echo PHP_MAJOR_VERSION, \".\", PHP_MINOR_VERSION;'")
    script = commands(proof(staging)["name"], inventory.address("staging-1"), version)
    done = production.run("bash -c %s", script)
    try:
        assert done.rc == 0, done.stderr[-3000:]
        assert release.database.value("SELECT COUNT(*) FROM b_crm_lead") == leads
        assert release.database.tables() == named
        assert not production.file(LOST).exists
        assert release.database.rows("SELECT environment FROM boxlift.environment") == [["production"]]
        code = "curl --insecure --silent --output /dev/null --write-out %{http_code} https://localhost/"
        assert production.check_output(code) in {"200", "302"}
        for playbook in ("provision.yml", "activate_release.yml"):
            recap = play(playbook)
            assert recap.returncode == 0, recap.complaints
        assert production.service("portal-agents.timer").is_running
        assert production.check_output(code) in {"200", "302"}
    finally:
        production.run("rm -rf /var/lib/mysql.before")
