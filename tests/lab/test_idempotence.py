"""A second run of each playbook changes nothing, and repairs what somebody changed meanwhile."""

from dataclasses import dataclass

import pytest
from testinfra.host import Host

from boxlift.verify.release import Release
from tests.lab.support import Play

# In the order of the plan. The clone is left out: each run of it makes a new copy on purpose.
PLAYBOOKS = [
    "provision.yml",
    "install_portal.yml",
    "deploy_certificate.yml",
    "restore_backup.yml",
    "activate_release.yml",
    "repair_portal.yml",
    "open_portal.yml",
    "monitor_portal.yml",
    "send_password_letters.yml",
    "remove_leftovers.yml",
]


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_second_run_changes_nothing(play: Play, playbook: str) -> None:
    release = {"portal_release": "box"} if playbook == "install_portal.yml" else {}
    recap = play(playbook, **release)
    assert recap.returncode == 0, recap.output[-3000:]
    assert recap.changed == {}


@dataclass(frozen=True)
class Drift:
    """Something that went wrong on the production host: its cause, and how one sees that it is gone."""

    playbook: str
    cause: str
    probe: str
    healthy: str


OPTION = "mariadb {database} --batch --skip-column-names --execute"
DRIFTS = {
    "stopped web server": Drift(
        "provision.yml", "systemctl stop nginx", "systemctl is-active nginx || true", "active"
    ),
    "changed PHP setting": Drift(
        "provision.yml",
        "sed -i 's/^max_input_vars.*/max_input_vars = 100/' $(grep -rl ^max_input_vars /etc/php | head -n 1)",
        "runuser -u portal -- php -r 'echo (int) ini_get(\"max_input_vars\") >= 10000;'",
        "1",
    ),
    "empty server name": Drift(
        "repair_portal.yml",
        OPTION + " \"UPDATE b_option SET VALUE = '' WHERE MODULE_ID = 'main' AND NAME = 'server_name'\"",
        OPTION + " \"SELECT VALUE FROM b_option WHERE MODULE_ID = 'main' AND NAME = 'server_name'\"",
        "portal.acme.example",
    ),
    "push server off": Drift(
        "repair_portal.yml",
        OPTION + " \"UPDATE b_option SET VALUE = 'N' WHERE MODULE_ID = 'pull' AND NAME = 'nginx'\"",
        OPTION + " \"SELECT VALUE FROM b_option WHERE MODULE_ID = 'pull' AND NAME = 'nginx'\"",
        "Y",
    ),
    "settings opened to others": Drift(
        "repair_portal.yml",
        "chmod 0644 /srv/portal/current/bitrix/.settings.php",
        "stat --dereference --format %a /srv/portal/current/bitrix/.settings.php | tail -c 2",
        "0",
    ),
}


@pytest.mark.parametrize("playbook", sorted({drift.playbook for drift in DRIFTS.values()}))
def test_drift_is_repaired(play: Play, production: Host, release: Release, playbook: str) -> None:
    drifts = {name: drift for name, drift in DRIFTS.items() if drift.playbook == playbook}

    def on_host(command: str) -> str:
        output: str = production.check_output(command.replace("{database}", release.database.name))
        return output.strip()

    for drift in drifts.values():
        on_host(drift.cause)
    assert {name: on_host(drift.probe) for name, drift in drifts.items()} != {
        name: drift.healthy for name, drift in drifts.items()
    }
    recap = play(playbook)
    assert recap.returncode == 0, recap.output[-3000:]
    assert recap.changed
    assert {name: on_host(drift.probe) for name, drift in drifts.items()} == {
        name: drift.healthy for name, drift in drifts.items()
    }
