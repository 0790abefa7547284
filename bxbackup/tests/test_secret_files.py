"""Which files with secrets are told as open to others."""

from __future__ import annotations

import os

import pytest

from bxbackup.fetching import _open_to_others

US = 1000


@pytest.fixture(autouse=True)
def _somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: US)
    monkeypatch.setattr(os, "getgroups", lambda: [US, 990])


def file(mode: int, owner: int, group: int) -> os.stat_result:
    return os.stat_result((0o100000 | mode, 0, 0, 1, owner, group, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "owner", "group", "told"),
    [
        (0o600, US, US, False),
        (0o640, US, US, True),
        (0o644, US, US, True),
        (0o640, 0, 990, False),  # root's, for a group that only a service has
        (0o644, 0, 990, True),
        (0o640, 0, 5, True),  # a group that we are not in
    ],
)
def test_a_secret_that_others_read_is_told(mode: int, owner: int, group: int, told: bool) -> None:
    assert _open_to_others(file(mode, owner, group)) is told
