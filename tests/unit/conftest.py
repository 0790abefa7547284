"""Unit tests do not depend on what the operator's shell says."""

from __future__ import annotations

import os

import pytest

_OURS = ("ANSIBLE_", "BOXLIFT_", "BXBACKUP_")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(_OURS)]:
        monkeypatch.delenv(name)
