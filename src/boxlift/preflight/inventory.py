"""Checks of the project's inventory: groups, variables, secrets."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from boxlift.content import content_root
from boxlift.preflight.finding import Finding
from boxlift.project import Project, new_secrets
from boxlift.project.folder import SETTINGS
from boxlift.runner.environment import filtered, own_bin

_ROLES = ("portal", "database", "cache", "push", "search")
_ENVIRONMENTS = ("production", "preproduction")
_VARIABLES = ("portal_id", "portal_domain", "portal_timezone")
_EXAMPLES = tuple(map(ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")))
"""Addresses for documentation (RFC 5737), as in the example inventory."""


@dataclass(frozen=True)
class Inventory:
    """Hosts with their groups and variables, as Ansible reads them; values are not templated."""

    groups: Mapping[str, frozenset[str]]
    variables: Mapping[str, Mapping[str, Any]]

    def hosts(self, *names: str) -> list[str]:
        """Hosts that are in all of these groups, by name."""
        found = [self.groups.get(name, frozenset()) for name in names]
        return sorted(frozenset.intersection(*found))


def read_inventory(project: Project) -> tuple[Inventory | None, Finding]:
    """The inventory, and whether Ansible and the vault's password can read it."""
    content = content_root()
    command: Sequence[str] = [
        str(own_bin() / "ansible-inventory"),
        "--vault-password-file",
        str(project.vault().path),
        "-i",
        str(project.inventory),
        "--list",
    ]
    ended = subprocess.run(
        command,
        cwd=project.root,
        env=filtered(os.environ, content, project.runs / "check"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        words = [line for line in ended.stderr.splitlines() if line.strip()]
        said = words[-1].strip() if words else f"code {ended.returncode}"
        cure = f"correct {project.inventory}"
        if "Decryption failed" in said:
            cure = f"name the right vault password in {SETTINGS}, not that of {project.vault().path}"
        return None, Finding("inventory", "project", False, said, "can be read", cure)
    data = json.loads(ended.stdout)
    variables = data.get("_meta", {}).get("hostvars", {})
    groups = {name: frozenset(_members(data, name)) for name in data if name != "_meta"}
    hosts = groups.get("all", frozenset())
    read = Inventory(groups, {host: variables.get(host, {}) for host in hosts})
    measured = f"{len(hosts)} hosts" if len(hosts) != 1 else "1 host"
    return read, Finding("inventory", "project", bool(hosts), measured, "at least 1 host", "name hosts in it")


def _members(data: Mapping[str, Any], group: str) -> Iterator[str]:
    told = data.get(group, {})
    yield from told.get("hosts", [])
    for child in told.get("children", []):
        yield from _members(data, child)


def check_inventory(inventory: Inventory) -> Iterator[Finding]:
    """Groups, the variables without a default, and the secrets."""
    for environment in _ENVIRONMENTS:
        lacking = [role for role in _ROLES if not inventory.hosts(environment, role)]
        yield Finding(
            "roles",
            environment,
            not lacking,
            f"no host for {', '.join(lacking)}" if lacking else "all have a host",
            ", ".join(_ROLES),
            "name a host of this environment in each group of hosts.yml",
        )
    both = inventory.hosts(*_ENVIRONMENTS)
    yield Finding(
        "environments",
        "project",
        not both,
        f"{', '.join(both)} in both" if both else "apart",
        "no host in both",
        "a host is production or pre-production, never both",
    )
    for host in inventory.hosts("all"):
        if inventory.groups.get("outside", frozenset()) >= {host}:
            continue
        yield _variables(host, inventory.variables[host])
        yield _secrets(host, inventory.variables[host])
        yield _address(host, inventory.variables[host])


def lacking_secrets(inventory: Inventory) -> dict[str, list[str]]:
    """Each environment with the secrets that one of its hosts lacks, wherever the inventory has them."""
    return {
        environment: sorted(
            name
            for name in new_secrets()
            if any(not inventory.variables[host].get(name) for host in inventory.hosts(environment))
        )
        for environment in _ENVIRONMENTS
    }


def _variables(host: str, values: Mapping[str, Any]) -> Finding:
    lacking = [name for name in _VARIABLES if not values.get(name)]
    measured = f"without {', '.join(lacking)}" if lacking else "set"
    cure = "set them in inventory/group_vars/all/project.yml"
    return Finding("variables", host, not lacking, measured, ", ".join(_VARIABLES), cure)


def _secrets(host: str, values: Mapping[str, Any]) -> Finding:
    names = sorted(new_secrets())
    lacking = [name for name in names if not values.get(name)]
    measured = f"without {', '.join(lacking)}" if lacking else f"{len(names)} there"
    cure = "boxlift init --complete"
    return Finding("secrets", host, not lacking, measured, f"{len(names)} of boxlift init", cure)


def _address(host: str, values: Mapping[str, Any]) -> Finding:
    address = str(values.get("ansible_host", host))
    try:
        example = any(ip_address(address) in network for network in _EXAMPLES)
    except ValueError:
        example = False
    cure = f"set ansible_host of {host} in hosts.yml"
    return Finding("address", host, not example, address, "not an example's", cure)
