"""The inventory of the lab's hosts, in the lab's own boxlift project."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from boxlift.lab.access import replace
from boxlift.lab.host import HOSTS, groups
from boxlift.lab.place import Lab

_HEADER = "# Written by boxlift lab up; the next one writes it again.\n"


def render(lab: Lab, addresses: Mapping[str, str]) -> str:
    """hosts.yml: addresses, groups and the way in, for the hosts that are up."""
    hosts: dict[str, Any] = {
        host.name: {"ansible_host": addresses[host.name], "lab_names": list(host.names)}
        for host in HOSTS
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
                for group, names in groups().items()
            },
        }
    }
    buffer = io.StringIO()
    yaml = YAML()
    yaml.width = 1000
    yaml.dump(tree, buffer)
    return _HEADER + buffer.getvalue()


def write(lab: Lab, addresses: Mapping[str, str]) -> None:
    """Write the inventory; its variables are those of inventories/lab in the repository."""
    folder = lab.project / "inventory"
    replace(folder / "hosts.yml", render(lab, addresses), 0o644)
