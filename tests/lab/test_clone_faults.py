"""What goes wrong with a copy leaves production as it was and the active copy serving, and is told."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from testinfra.host import Host

from boxlift.project import Project
from boxlift.verify.release import Release
from tests.lab.support import Play

pytestmark = pytest.mark.long

RELEASE = "clone-20200101000000"
UNIT = f"boxlift-clone@{RELEASE}.service"
FOLDER = f"/var/lib/boxlift/clones/{RELEASE}"
READER = "/var/lib/boxlift/reader"
OTHER = "/run/systemd/system/bxbackup-restore@other.service"
REMOVE = (
    f"systemctl disable --now boxlift-database@{RELEASE}.service; systemctl stop {UNIT};"
    f" systemctl reset-failed '*{RELEASE}*'; rm -rf {FOLDER} /srv/portal/releases/{RELEASE}"
)
PRINT = """
set -e
cd /srv/portal
readlink current; ls releases
sha256sum current/bitrix/.settings*.php current/bitrix/php_interface/dbconn.php
for table in b_file b_crm_lead b_crm_deal b_crm_contact; do
    mariadb -N -e "CHECKSUM TABLE {database}.$table"
done
mariadb -N -e 'SELECT User, Host, Priv FROM mysql.global_priv ORDER BY 1, 2' | sha256sum
ls /run | grep boxlift-reader || true
"""


@pytest.fixture(scope="module")
def admitted(play: Play, staging: Host) -> Iterator[None]:
    """Staging may read production, and everything for a copy is there."""
    recap = play("../tests/lab/clone_admitted.yml")
    assert recap.returncode == 0, recap.output[-3000:]
    try:
        yield
    finally:
        staging.run(REMOVE)
        play("../tests/lab/clone_withdrawn.yml")


@pytest.fixture
def harmless(production: Host, staging: Host, release: Release) -> Iterator[None]:
    """Production has the same fingerprint before and after, and staging serves the same copy."""
    command = PRINT.replace("{database}", release.database.name)
    active = staging.check_output("readlink /srv/portal/current")
    before = production.check_output(command)
    yield
    assert production.check_output(command) == before
    assert staging.check_output("readlink /srv/portal/current") == active
    code = staging.check_output(
        "curl --insecure --silent --output /dev/null --write-out %{http_code} https://localhost/"
    )
    assert code in {"200", "302", "401", "403"}


Pull = Callable[..., dict[str, Any]]


@pytest.fixture
def begin(admitted: None, staging: Host) -> Iterator[Callable[[], None]]:
    """Begin a copy from nothing and wait until bytes come."""

    def begun() -> None:
        staging.run(REMOVE)
        staging.check_output(f"systemctl start {UNIT}")
        for _ in range(100):
            if status(staging).get("bytes", {}).get("fetched"):
                return
            time.sleep(0.2)
        pytest.fail(staging.check_output(f"journalctl --unit={UNIT} --lines=20 --no-pager"))

    yield begun
    staging.run(REMOVE)


def status(staging: Host) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(staging.run(f"cat {FOLDER}/status.json").stdout or "{}")
    return found


def ended(staging: Host, seconds: float = 120) -> dict[str, Any]:
    """Wait for the end of the unit; what it said last."""
    deadline = time.monotonic() + seconds
    while staging.run(f"systemctl is-active {UNIT}").stdout.strip() in {
        "active",
        "activating",
        "deactivating",
    }:
        assert time.monotonic() < deadline, status(staging)
        time.sleep(0.5)
    return status(staging)


def gone(host: Host, program: str) -> None:
    """Wait until a program that lost its reader has ended."""
    for _ in range(20):
        if host.run(f"pgrep -x {program}").rc != 0:
            return
        time.sleep(0.5)
    pytest.fail(f"{program} still runs")


@pytest.mark.usefixtures("harmless")
def test_the_backup_dies_on_the_source(begin: Callable[[], None], production: Host, staging: Host) -> None:
    begin()
    production.check_output("pkill -KILL -x mariadb-backup")
    last = ended(staging)
    assert (last["state"], last["exit"]) == ("failed", 4)
    assert "production could not send" in last["error"]


@pytest.mark.usefixtures("harmless")
def test_production_s_database_restarts(begin: Callable[[], None], production: Host, staging: Host) -> None:
    begin()
    production.check_output("systemctl restart mariadb")
    last = ended(staging)
    assert (last["state"], last["exit"]) == ("failed", 4)
    assert "look at its database server" in last["error"]


@pytest.mark.usefixtures("harmless")
def test_the_line_breaks(begin: Callable[[], None], staging: Host) -> None:
    begin()
    staging.check_output("pkill -KILL -x ssh")
    last = ended(staging)
    assert (last["state"], last["exit"]) == ("failed", 4)
    assert "the line to production broke" in last["error"]


@pytest.mark.usefixtures("harmless")
def test_the_target_dies_and_goes_on(
    begin: Callable[[], None], production: Host, staging: Host, play: Play
) -> None:
    begin()
    # Meanwhile nobody else begins one, from whichever control node.
    recap = play("describe_clone.yml")
    assert recap.returncode != 0
    assert "refused: another copy runs on staging-1" in recap.output
    staging.check_output(f"systemctl kill --signal=KILL {UNIT}")
    assert ended(staging)["state"] == "running"
    gone(production, "mariadb-backup")
    staging.check_output(f"systemctl start {UNIT}")
    last = ended(staging)
    assert (last["state"], last["exit"]) == ("done", 0)
    report = json.loads(staging.check_output(f"cat {FOLDER}/report.json"))
    assert report["method"] == "physical"


@pytest.mark.usefixtures("harmless", "admitted")
def test_the_disk_is_full(staging: Host) -> None:
    staging.check_output(
        "mkdir -p /run/small && mount -t tmpfs -o size=40m,mode=0755 tmpfs /run/small"
        f' && sed \'s#/var/lib/boxlift/clones#/run/small#; s#"bandwidth_kb": 3000#"bandwidth_kb": 0#\''
        f" {READER}/{RELEASE}.json > {READER}/small.json"
    )
    try:
        result = staging.run(f"cd /usr/local/lib/boxlift && python3 -m boxlift_clone {READER}/small.json")
        assert result.rc == 4
        assert "is full" in result.stderr
        assert "make room there" in result.stderr
    finally:
        staging.check_output("umount /run/small && rmdir /run/small")


@pytest.mark.usefixtures("harmless")
@pytest.mark.parametrize("where", ["production", "staging"])
def test_a_restore_runs(play: Play, production: Host, staging: Host, where: str) -> None:
    host = {"production": production, "staging": staging}[where]
    host.check_output(
        f"printf '[Service]\\nExecStart=sleep 600\\n' > {OTHER} && systemctl daemon-reload"
        " && systemctl start bxbackup-restore@other.service"
    )
    try:
        recap = play("describe_clone.yml")
        assert recap.returncode != 0
        assert "refused: a restore runs on" in recap.output
    finally:
        host.run(f"systemctl stop bxbackup-restore@other.service; rm {OTHER}; systemctl daemon-reload")


@pytest.mark.usefixtures("admitted")
@pytest.mark.parametrize(
    "words", ["id", "cat /etc/boxlift/database.cnf", "rsync --server -logtpre.iLsfxCIvu . /srv/portal"]
)
def test_the_key_reads_and_nothing_else(staging: Host, production: Host, inventory: Any, words: str) -> None:
    address = inventory.address("portal-1")
    result = staging.run(f"{READER}/ssh root@{address} %s", words)
    assert (result.rc, result.stdout) == (6, "")
    assert "refused: this key reads the portal and does nothing else" in result.stderr


@pytest.mark.usefixtures("admitted")
def test_a_key_that_was_left_over_ends_by_itself_and_goes_with_the_next_run(
    play: Play, production: Host
) -> None:
    mark = "grep boxlift-reader-staging-1 /root/.ssh/authorized_keys"
    before = production.check_output(mark)
    assert before.startswith('restrict,command="/usr/local/sbin/boxlift-portal-reader-staging-1",from="')
    assert 'expiry-time="20' in before
    assert play("../tests/lab/clone_admitted.yml").returncode == 0
    after = production.check_output(mark)
    assert len(after.splitlines()) == 1
    assert after != before


LOOK = """
set -e
dpkg-query --show | sha256sum
cd /
ls -la --full-time root/.ssh usr/local/sbin usr/local/lib etc/systemd/system var/lib/boxlift | sha256sum
nft list ruleset | sed 's/packets [0-9]* bytes [0-9]*//; s/expires [0-9a-z]*//' | sha256sum
"""


def test_a_look_ahead_changes_neither_side(play: Play, production: Host, staging: Host) -> None:
    before = production.check_output(LOOK), staging.check_output(LOOK)
    recap = play("describe_clone.yml", clone_ahead=True)
    assert recap.returncode == 0, recap.output[-3000:]
    assert recap.changed == {}
    assert '"files_size": ' in recap.output
    assert (production.check_output(LOOK), staging.check_output(LOOK)) == before


@pytest.mark.parametrize(
    ("playbook", "others"),
    [
        ("clone_to_preproduction.yml", "a copy from elsewhere:/acme"),
        ("clone_to_preproduction.yml", "a backup"),
        ("backup_production.yml", "a copy"),
    ],
)
def test_who_reads_with_this_host_s_key_keeps_it(
    play: Play, project: Project, production: Host, staging: Host, playbook: str, others: str
) -> None:
    """From before a key is admitted until it is taken away: no unit of the other run is there yet."""
    served = staging.check_output("readlink /srv/portal/current")
    keys = production.check_output("cat /root/.ssh/authorized_keys")
    # This control node and this project have no right to what they do otherwise.
    holder = others if " from " in others else f"{others} from {os.uname().nodename}:{project.inventory}"
    staging.check_output("systemd-run --quiet --unit=boxlift-reader-lock --description=%s sleep 600", holder)
    try:
        recap = play(playbook)
        assert recap.returncode != 0
        assert f"refused: staging-1 is kept for {holder}" in recap.output
        # It was not this run's lock.
        assert staging.service("boxlift-reader-lock").is_running
    finally:
        staging.run("systemctl stop boxlift-reader-lock")
    assert staging.check_output("readlink /srv/portal/current") == served
    assert production.check_output("cat /root/.ssh/authorized_keys") == keys
