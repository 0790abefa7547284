"""The inventory as the suites see it: hosts by Ansible pattern, variables as Ansible would template them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import testinfra
from ansible.cli import CLI
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.manager import VariableManager
from testinfra.host import Host

Setting = Callable[..., object]
"""Looks up one variable of a host: name, then a default for where it is undefined."""
HostOf = Callable[[str], Host]
"""The first host of a group in the environment that is looked at."""


class UndefinedSettingError(LookupError):
    """A variable that a suite needs is not defined for the host."""


class Inventory:
    """An Ansible inventory; the vault password comes from ANSIBLE_VAULT_PASSWORD_FILE, as for Ansible."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._loader = DataLoader()
        password_file = os.environ.get("ANSIBLE_VAULT_PASSWORD_FILE")
        secrets = CLI.setup_vault_secrets(
            self._loader,
            vault_ids=[],
            vault_password_files=[password_file] if password_file else [],
            auto_prompt=False,
        )
        self._loader.set_vault_secrets(secrets)
        self._manager = InventoryManager(loader=self._loader, sources=[str(path)])
        self._variables = VariableManager(loader=self._loader, inventory=self._manager)

    def names(self, pattern: str) -> list[str]:
        """Names of the hosts that match an Ansible pattern, for example ``portal:&production``."""
        return [host.name for host in self._manager.list_hosts(pattern)]

    def setting(self, host: str, expression: str, default: object = ...) -> object:
        """Value of a variable for a host, templated; ``default`` where it is undefined.

        Raises:
            UndefinedSettingError: the variable is undefined and no default was given.
        """
        variables = self._variables.get_vars(host=self._manager.get_host(host))
        if expression not in variables:
            if default is ...:
                raise UndefinedSettingError(f"{expression} is not defined for {host} in {self.path}")
            return default
        return Templar(loader=self._loader, variables=variables).template(variables[expression])

    def connect(self, name: str) -> Host:
        """A testinfra host that runs commands over the connection that Ansible would use."""
        return testinfra.get_host(f"ansible://{name}?ansible_inventory={self.path}")

    def address(self, name: str) -> str:
        """Address by which the control node reaches the host."""
        return str(self.setting(name, "ansible_host", name))
