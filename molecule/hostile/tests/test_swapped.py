"""Somebody has exchanged the addresses of production and pre-production: no playbook touches either host."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from testinfra.host import Host

from boxlift.lab.place import Lab
from boxlift.project import Project
from tests.lab.conftest import (
    ansible_command,
    environment,
    inventory,
    lab,
    production,
    project,
    staging,
)
from tests.lab.support import PRODUCTION, STAGING

__all__ = ["environment", "inventory", "lab", "production", "project", "staging"]

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
# These look at hosts and tell what they find, write one letter, or work on the control node alone.
HARMLESS = {
    "check_hosts",
    "compare_environments",
    "describe_clone",
    "request_certificate",
    "send_test_letter",
}
TOUCHING = [
    (path.stem, target)
    for path in sorted(PLAYBOOKS.glob("*.yml"))
    if path.stem not in HARMLESS
    for target in ("production", "preproduction")
    if target == "production" or "portal_target" in path.read_text(encoding="utf-8")
]
# What a playbook leaves behind: programs, settings, releases, databases, units.
TRACES = """
dpkg-query --show; cat /etc/boxlift/environment.json; readlink /srv/portal/current; ls -l /srv/portal/releases
mariadb --batch --execute 'SHOW DATABASES; SELECT * FROM boxlift.environment'
find /etc -newermt "$(cat /root/began)" -type f
systemctl list-unit-files --no-legend; systemctl list-units --no-legend --plain --state=failed
"""


@pytest.fixture(scope="module")
def swapped(project: Project) -> Iterator[Path]:
    """The inventory with both addresses exchanged, beside the right one."""
    yaml = YAML()
    tree = yaml.load(project.inventory / "hosts.yml")
    hosts = tree["all"]["hosts"]
    addresses = [hosts[name]["ansible_host"] for name in (PRODUCTION, STAGING)]
    for name, address in zip((STAGING, PRODUCTION), addresses, strict=True):
        hosts[name]["ansible_host"] = address
    folder = project.root / "swapped"
    folder.mkdir()
    links = folder / "group_vars"
    links.symlink_to(project.inventory / "group_vars")
    yaml.dump(tree, folder / "hosts.yml")
    yield folder
    (folder / "hosts.yml").unlink()
    links.unlink()
    folder.rmdir()


@pytest.fixture(scope="module")
def traces(production: Host, staging: Host) -> dict[Host, str]:
    """What is on both hosts before."""
    for host in (production, staging):
        host.check_output("date '+%F %T' > /root/began && sleep 1")
    return {host: host.run(TRACES).stdout for host in (production, staging)}


@pytest.mark.parametrize(("playbook", "target"), TOUCHING)
def test_it_is_refused_and_nothing_touched(
    lab: Lab,
    project: Project,
    environment: Mapping[str, str],
    swapped: Path,
    traces: Mapping[Host, str],
    playbook: str,
    target: str,
) -> None:
    variables = {
        "portal_target": target,
        "portal_release": "final-2",
        "boxlift_pass": "final",
        "portal_backup_source": "/srv/backup/none.tar.gz",
    }
    command = ansible_command(lab, project, f"{playbook}.yml", variables)
    command[command.index(str(project.inventory))] = str(swapped)
    ended = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    told = " ".join(ended.stdout.split())
    assert ended.returncode != 0, told
    assert "was meant" in told, told[-3000:]
    assert {host: host.run(TRACES).stdout for host in traces} == traces
