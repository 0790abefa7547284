"""The inventory of the lab's hosts, in the lab's own boxlift project."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from boxlift.lab.access import replace
from boxlift.lab.place import Lab
from boxlift.project import complete, create, load
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
    templates = [lab.repository / "inventories" / name / "group_vars" for name in _TEMPLATES]
    _link(templates, folder / "group_vars")


def _ensure_project(lab: Lab) -> None:
    if (lab.project / SETTINGS).exists():
        source = load(lab.project).vault({})
        for vault in sorted((lab.project / "inventory" / "group_vars").glob("*/vault.yml")):
            complete(vault, source)
        return
    inventory = lab.project / "inventory"
    inventory.mkdir(parents=True, exist_ok=True)
    (inventory / UNFINISHED).touch()
    create(lab.project, name="lab", vault_password_file=lab.folder / "vault-password")


def _link(sources: Sequence[Path], target: Path) -> None:
    """Let the project's variables be those of the checkout, so that a change there needs no copying.

    A later source wins. Links that no source gives any more go; files of the project's own stay.
    """
    wanted = {file.relative_to(source): file for source in sources for file in source.rglob("*.yml")}
    for link in target.rglob("*.yml"):
        if link.is_symlink() and link.readlink() != wanted.get(link.relative_to(target)):
            link.unlink()
    for name, file in wanted.items():
        link = target / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.unlink(missing_ok=True)
            link.symlink_to(file)
