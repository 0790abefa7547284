"""The suites fail where what they look at is broken, and skip only where it cannot be there yet."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import testinfra
from testinfra.host import Host

from tests.integration.tls_server import free_port
from tests.unit.acceptance import suite


class Telephony:
    """An inventory with a telephony host that nobody listens on."""

    def __init__(self, folder: Path) -> None:
        self._told: dict[str, object] = {
            "telephony_certificate_folder": str(folder),
            "telephony_certificate_ports": [free_port()],
            "telephony_domain": "pbx.acme.example",
        }

    def names(self, _: str) -> list[str]:
        return ["pbx-1"]

    def address(self, _: str) -> str:
        return "127.0.0.1"

    def connect(self, _: str) -> Host:
        return testinfra.get_host("local://")

    def setting(self, _: str, name: str, default: object = None) -> object:
        return self._told.get(name, default)


def telephony(folder: Path) -> None:
    told: dict[str, Any] = {"inventory": Telephony(folder), "target": "production", "ca_file": None}
    suite("portal/test_certificate").test_telephony_certificate_has_time_left(
        **told, least=timedelta(days=21)
    )


def test_a_telephony_server_that_is_down_is_no_reason_to_skip(tmp_path: Path) -> None:
    (tmp_path / "boxlift-0123456789abcdef.pem").touch()
    with pytest.raises(ConnectionRefusedError):
        telephony(tmp_path)


@pytest.mark.parametrize("folder", ["", "not/there"])
def test_a_telephony_server_may_have_no_certificate_yet(tmp_path: Path, folder: str) -> None:
    with pytest.raises(pytest.skip.Exception, match="pbx-1 has no certificate yet"):
        telephony(tmp_path / folder)


def test_a_certificate_that_ends_is_told_in_words() -> None:
    judge = suite("portal/test_certificate").judge
    left = {("pbx.acme.example", 5061): timedelta(days=6, hours=5), ("pbx.acme.example", 8089): timedelta(30)}
    with pytest.raises(pytest.fail.Exception) as told:
        judge(left, timedelta(days=21))
    assert told.value.msg == "the certificate of pbx.acme.example at port 5061 ends in 6 days"
    judge(left, timedelta(days=5))


class Rows:
    """A database that answers every query with these rows."""

    def __init__(self, *rows: list[str]) -> None:
        self._rows = list(rows)

    def rows(self, _: str) -> list[list[str]]:
        return self._rows


@pytest.mark.parametrize("content", [b"12345", b"123", None])
def test_every_file_of_a_bucket_that_is_here_is_seen(tmp_path: Path, content: bytes | None) -> None:
    names = [f"disk/{number}/new\nline %s 'x' {'ю' * 99}.txt" for number in range(1200)]
    rows = [["5", name.encode().hex().upper()] for name in names]
    if content is not None:
        last = tmp_path / "upload" / names[-1]
        last.parent.mkdir(parents=True)
        last.write_bytes(content)
    called = suite("repairs/test_cloud_leftovers").test_files_that_are_here_are_read_from_here
    told: dict[str, Any] = {
        "portal": testinfra.get_host("local://"),
        "active_release": SimpleNamespace(root=str(tmp_path), database=Rows(*rows)),
    }
    if content == b"12345":
        with pytest.raises(AssertionError):
            called(**told)
    else:
        called(**told)


class Portal:
    """A portal's host: what its agents' timer says."""

    def __init__(self, timer: str) -> None:
        self._timer = timer

    def check_output(self, command: str, *_: str) -> str:
        return "" if command.startswith("grep") else self._timer


RUNNING = "ActiveState=active\nUnitFileState=enabled\nTimersCalendar={ OnCalendar=*-*-* *:*:00 ; next }"
STOPPED = "ActiveState=inactive\nUnitFileState=disabled\nTimersCalendar={ OnCalendar=*-*-* *:*:00 ; next }"
FORGOTTEN = RUNNING.replace("enabled", "disabled")
HOURLY = RUNNING.replace("*:*:00", "*:00:00")


@pytest.mark.parametrize(
    ("lifecycle", "environment", "release", "timer", "good"),
    [
        ("open", "production", "final-1", RUNNING, True),
        ("open", "production", "final-1", STOPPED, False),
        ("open", "production", "final-1", FORGOTTEN, False),
        ("open", "production", "final-1", HOURLY, False),
        ("open", "production", "final-1", "", False),
        ("empty", "production", "box", RUNNING, True),
        ("rehearsal", "production", "box", STOPPED, False),
        ("rehearsal", "production", "rehearsal-1", STOPPED, True),
        ("final", "production", "final-1", RUNNING, False),
        ("empty", "preproduction", "box", STOPPED, True),
        ("empty", "preproduction", "box", RUNNING, False),
    ],
)
def test_agents_that_do_not_run_are_seen(
    lifecycle: str, environment: str, release: str, timer: str, *, good: bool
) -> None:
    called = suite("portal/test_cron").test_agents_run_each_minute_where_they_may
    told: dict[str, Any] = {
        "portal": Portal(timer),
        "marker": {"environment": environment},
        "is_open": (environment, lifecycle) == ("production", "open"),
        "active_release": SimpleNamespace(name=release),
    }
    if good:
        called(**told)
    else:
        with pytest.raises(AssertionError):
            called(**told)
