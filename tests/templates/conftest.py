"""Renderers of the repository's inventories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.templates.renderer import HOSTS, Renderer, renderer_of

Make = Callable[..., Renderer]


@pytest.fixture(scope="session")
def make_renderer(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Renderer of one of the repository's inventories."""

    def make(name: str, inventory_hosts: dict[str, Any] = HOSTS) -> Renderer:
        return renderer_of(name, tmp_path_factory.mktemp(f"inventory-{name}"), inventory_hosts)

    return make


@pytest.fixture(scope="session")
def lab(make_renderer: Make) -> Renderer:
    return make_renderer("lab")


@pytest.fixture(scope="session")
def example(make_renderer: Make) -> Renderer:
    return make_renderer("example")
