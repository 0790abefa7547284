"""The inventory of the lab's hosts, in the lab's own boxlift project."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from boxlift.lab.access import replace
from boxlift.lab.place import Lab
from boxlift.project import create
from boxlift.project.folder import SETTINGS, UNFINISHED

_TEMPLATES = ("example", "lab")  # the later one wins
_HEADER = "# Written by boxlift lab up; the next one writes it again.\n"


def render(lab: Lab, addresses: Mapping[str, str]) -> str:
    """hosts.yml: addresses, groups and the way in, for the hosts that are up."""
    hosts: dict[str, Any] = {
        host.name: {"ansible_host": addresses[host.name], "lab_names": list(host.names)}
        for host in lab.topology.hosts
        if host.name in addresses
    }
    ways = f"-o UserKnownHostsFile={lab.known_hosts} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    tree = {
        "all": {
            "vars": {
                "ansible_user": "root",
                "ansible_ssh_private_key_file": str(lab.key),
                "ansible_ssh_common_args": ways,
            },
            "hosts": hosts,
            "children": {
                group: {"hosts": {name: None for name in names if name in addresses}}
                for group, names in lab.topology.groups().items()
            },
        }
    }
    buffer = io.StringIO()
    yaml = YAML()
    yaml.width = 1000
    yaml.dump(tree, buffer)
    return _HEADER + buffer.getvalue()


def write(lab: Lab, addresses: Mapping[str, str]) -> None:
    """Bring the lab's project up to date: made if absent, hosts and variables as they are now."""
    _ensure_project(lab)
    folder = lab.project / "inventory"
    replace(folder / "hosts.yml", render(lab, addresses), 0o644)
    for template in _TEMPLATES:
        _link(lab.repository / "inventories" / template / "group_vars", folder / "group_vars")


def _ensure_project(lab: Lab) -> None:
    if (lab.project / SETTINGS).exists():
        return
    inventory = lab.project / "inventory"
    inventory.mkdir(parents=True, exist_ok=True)
    (inventory / UNFINISHED).touch()
    create(lab.project, name="lab", vault_password_file=lab.folder / "vault-password")


def _link(source: Path, target: Path) -> None:
    """Let the project's variables be those of the checkout, so that a change there needs no copying."""
    for file in source.rglob("*.yml"):
        link = target / file.relative_to(source)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not (link.is_symlink() and link.readlink() == file):
            link.unlink(missing_ok=True)
            link.symlink_to(file)
