"""Renderers of the repository's inventories."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader, init_plugin_loader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from tests.templates.renderer import HOSTS, ROOT, Renderer

Make = Callable[..., Renderer]


@pytest.fixture(scope="session")
def make_renderer(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Renderer of one of the repository's inventories."""
    init_plugin_loader()
    filter_loader.add_directory(str(ROOT / "filter_plugins"))

    def make(name: str, inventory_hosts: dict[str, Any] = HOSTS) -> Renderer:
        folder = tmp_path_factory.mktemp(f"inventory-{name}")
        shutil.copytree(ROOT / "inventories" / name / "group_vars", folder / "group_vars")
        hosts = folder / "hosts.yml"
        hosts.write_text(yaml.safe_dump(inventory_hosts), encoding="utf-8")
        loader = DataLoader()
        inventory = InventoryManager(loader=loader, sources=[str(hosts)])
        variables = VariableManager(loader=loader, inventory=inventory)
        HostVars(inventory, variables, loader)  # it makes itself known to the variable manager
        return Renderer(loader, inventory, variables)

    return make


@pytest.fixture(scope="session")
def lab(make_renderer: Make) -> Renderer:
    return make_renderer("lab")


@pytest.fixture(scope="session")
def example(make_renderer: Make) -> Renderer:
    return make_renderer("example")
