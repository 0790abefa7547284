"""Renders the roles' real templates with Ansible's own engine and the real wiring, without a host."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader, init_plugin_loader
from ansible.template import Templar, trust_as_template
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

ROOT = Path(__file__).parents[2]
SECRETS = {
    "vault_database_portal_password": "database-portal-secret",
    "vault_database_restore_password": "database-restore-secret",
    "vault_database_admin_password": "database-admin-secret",
    "vault_cache_password": "cache-secret",
    "vault_push_signature_key": "a" * 128,
    "vault_portal_admin_password": "administrator-secret",
    "vault_portal_crypto_key": "b" * 32,
    "vault_web_basic_auth_password": "basic-secret",
}
FACTS = {
    "distribution": "Debian",
    "distribution_major_version": "12",
    "distribution_release": "bookworm",
    "distribution_version": "12.12",
    "fqdn": "portal-1",
    "usable_memory_mb": 8192,
    "dns": {"nameservers": ["192.0.2.53"]},
}
GROUPS = ("portal", "database", "cache", "push", "search")
HOSTS = {
    "all": {
        "children": {
            "production": {
                "hosts": {
                    "portal-1": {"ansible_host": "192.0.2.11"},
                    "pbx-1": {"ansible_host": "192.0.2.13"},
                }
            },
            "preproduction": {"hosts": {"staging-1": {"ansible_host": "192.0.2.12"}}},
            "telephony": {"hosts": {"pbx-1": None}},
            **{group: {"hosts": {"portal-1": None, "staging-1": None}} for group in GROUPS},
        }
    }
}


@dataclass(frozen=True)
class Renderer:
    """Templates of the roles as a host of an inventory gets them."""

    loader: DataLoader
    inventory: InventoryManager
    variables: VariableManager

    def _layers(self, role: str, host: str, given: dict[str, Any]) -> dict[str, Any]:
        """All variables in Ansible's order, then what a test gives."""
        found: dict[str, Any] = {}
        folder = ROOT / "roles" / role

        def add(path: Path) -> None:
            if path.is_file():
                found.update(
                    self.loader.load_from_file(str(path), cache="none", trusted_as_template=True) or {}
                )

        add(folder / "defaults" / "main.yml")
        found.update(self.variables.get_vars(host=self.inventory.get_host(host)))
        found.update(ansible_facts=FACTS, ansible_managed="Ansible managed", **SECRETS)
        add(folder / "vars" / "main.yml")
        for name, value in given.items():
            found[name] = trust_as_template(value) if isinstance(value, str) else value
        return found

    def value(self, role: str, expression: str, host: str = "portal-1", **given: Any) -> Any:
        """An expression as a task of the role sees it."""
        templar = Templar(loader=self.loader, variables=self._layers(role, host, given))
        return templar.template(trust_as_template("{{ " + expression + " }}"))

    def text(self, role: str, template: str, host: str = "portal-1", **given: Any) -> str:
        """A template of the role; an undefined variable is an error."""
        source = (ROOT / "roles" / role / "templates" / template).read_text(encoding="utf-8")
        templar = Templar(loader=self.loader, variables=self._layers(role, host, given))
        engine = templar.copy_with_new_env()
        # Without the one Ansible would turn a rendered JSON file into a structure; the other is what its own
        # action says of templates: what they escape is theirs.
        return str(engine.template(trust_as_template(source), convert_data=False, escape_backslashes=False))


def renderer_of(name: str, folder: Path, inventory_hosts: dict[str, Any] = HOSTS) -> Renderer:
    """Renderer of one of the repository's inventories, put together in an empty folder."""
    init_plugin_loader()
    filter_loader.add_directory(str(ROOT / "filter_plugins"))
    shutil.copytree(ROOT / "inventories" / name / "group_vars", folder / "group_vars")
    hosts = folder / "hosts.yml"
    hosts.write_text(yaml.safe_dump(inventory_hosts), encoding="utf-8")
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[str(hosts)])
    variables = VariableManager(loader=loader, inventory=inventory)
    HostVars(inventory, variables, loader)  # it makes itself known to the variable manager
    return Renderer(loader, inventory, variables)
