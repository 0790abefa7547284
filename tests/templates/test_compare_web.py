"""`boxlift compare` on the web servers of a portal and of its copy: what makes it a copy is expected."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from boxlift.compare import Environment, compared, load_expectations
from library.environment_settings import Reader
from tests.templates.renderer import Renderer
from tests.templates.test_web import site

READER = Reader(cast("Any", SimpleNamespace(params={"key": "k", "current": "/nonexistent"})))


def seen(example: Renderer, host: str, tmp_path: Path) -> Environment:
    """The site of a host as the module reads it."""
    file = tmp_path / "portal.conf"
    file.write_text(site(example, host))
    domain = str(example.value("web", "portal_domain", host))
    return Environment(host, {domain: "<domain>"}, {"nginx": {"portal.conf": READER._text(file)}})


def test_the_fence_of_a_copy_is_expected(example: Renderer, tmp_path: Path) -> None:
    portal, copy = (seen(example, host, tmp_path) for host in ("portal-1", "staging-1"))
    found = compared(portal, copy, load_expectations(None))
    assert [line for item in found.unexpected for line in item.lines] == []


def test_a_drift_behind_the_fence_is_not(example: Renderer, tmp_path: Path) -> None:
    portal, copy = (seen(example, host, tmp_path) for host in ("portal-1", "staging-1"))
    drift = "  client_max_body_size 1m;"
    copy.parts["nginx"]["portal.conf"] += f"{drift}\n"
    found = compared(portal, copy, load_expectations(None))
    assert [line for item in found.unexpected for line in item.lines] == [f"+{drift}"]
