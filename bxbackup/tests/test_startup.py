"""What a command imports is what it needs: imports are most of what a short command takes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        ("bxbackup.evidence", {"aiohttp", "asyncio", "cryptography", "pymysql", "rich", "typer"}),
        ("bxbackup.cli", {"aiohttp", "asyncio", "importlib.metadata", "pymysql", "rich.progress"}),
        ("bxbackup.filling", {"aiohttp"}),
    ],
)
def test_only_what_is_needed_is_imported(module: str, unneeded: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert not unneeded & set(run.stdout.split())
