"""What the monitor tells, when, and what it compares with; each look's level at its limit and beside it."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage, Message
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as Handler

DOMAIN = "portal.acme.example"


def settings(**other: object) -> dict[str, object]:
    return {"slower_than_usual": 0.25, "domain": DOMAIN, **other}


def test_nothing_is_told_while_nothing_changes(monitor: ModuleType) -> None:
    well = [monitor.Check("page", "ok", "0.1 s")]
    assert monitor.news(None, well, DOMAIN) is None
    bad = [monitor.Check("page", "bad", "answers 502", "at most 3 s")]
    told = monitor.news(None, bad, DOMAIN)
    assert told == f"{DOMAIN}: page: answers 502 (at most 3 s)"
    before = {"checks": [{"name": "page", "level": "bad"}]}
    assert monitor.news(before, bad, DOMAIN) is None
    assert monitor.news(before, well, DOMAIN) == f"{DOMAIN}: all is well again"


def test_a_warning_that_becomes_an_alarm_is_told_first(monitor: ModuleType) -> None:
    checks = [monitor.Check("space of /", "warn", "9 % free"), monitor.Check("agents", "bad", "never ran")]
    before = {"checks": [{"name": "space of /", "level": "warn"}, {"name": "agents", "level": "warn"}]}
    assert monitor.news(before, checks, DOMAIN) == f"{DOMAIN}: agents: never ran; space of /: 9 % free"


@pytest.mark.parametrize(("value", "level"), [(100.0, "ok"), (26.0, "ok"), (24.0, "warn")])
def test_speed_is_compared_with_what_is_usual(monitor: ModuleType, value: float, level: str) -> None:
    history = [{"checks": [{"name": "disk writes", "value": 100.0}]}] * 20
    assert monitor.Monitor(settings(), history)._mark("disk writes", value, "MB/s").level == level


@pytest.mark.parametrize("program", ["exec sleep 9", "exit 1"])
def test_a_part_that_hangs_or_fails_is_bad_and_the_others_look(
    monitor: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f"#!/bin/sh\n{program}\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(monitor, "PATIENCE", 0.2)
    quick = settings(free_percent=0, folders=[str(tmp_path)], state=str(tmp_path), push_status_url="")
    looked = {check.name: check.level for check in monitor.Monitor(quick, []).look()}
    assert looked["services"] == "bad"
    assert looked["disk writes"] == "ok"


def test_a_short_history_says_nothing(monitor: ModuleType) -> None:
    history = [{"checks": [{"name": "disk writes", "value": 100.0}]}] * 19
    assert monitor.Monitor(settings(), history)._mark("disk writes", 1.0, "MB/s").level == "ok"
    assert monitor.Monitor(settings(), [])._mark("page rate", 9.0, "pages/s", 10).level == "warn"


def test_old_and_torn_lines_of_the_history_go(monitor: ModuleType, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    lines = [json.dumps({"at": (now - timedelta(days=days)).isoformat(), "checks": []}) for days in (20, 1)]
    (tmp_path / "history.jsonl").write_text("\n".join([*lines, '{"at": "20']))
    kept = monitor.recent(tmp_path / "history.jsonl", 14, now.timestamp())
    assert [look["at"] for look in kept] == [(now - timedelta(days=1)).isoformat()]


def test_a_target_that_is_away_is_named_without_its_secret(monitor: ModuleType) -> None:
    waiting: dict[str, str] = {}
    targets = ["http://127.0.0.1:9/hooks/s3cret", "ops@acme.example"]
    problems = monitor.tell("line", waiting, targets, "127.0.0.1:9", "no-reply@acme.example")
    assert len(problems) == 2
    assert "s3cret" not in "".join([*problems, *waiting])


@pytest.mark.parametrize(
    ("zone", "month", "expected"),
    [
        ("Europe/Berlin", 1, "+01:00"),
        ("Europe/Berlin", 7, "+02:00"),
        ("Asia/Kolkata", 1, "+05:30"),
        ("America/St_Johns", 1, "-03:30"),
        ("UTC", 1, "+00:00"),
    ],
)
def test_a_zone_is_what_any_server_takes(monitor: ModuleType, zone: str, month: int, expected: str) -> None:
    assert monitor.offset(zone, datetime(2026, month, 15, tzinfo=UTC)) == expected


def test_a_zone_that_nobody_knows_is_told(monitor: ModuleType) -> None:
    with pytest.raises(LookupError):
        monitor.offset("Europe/Nowhere", datetime.now(UTC))


def looks(
    monitor: ModuleType, state: Path, monkeypatch: pytest.MonkeyPatch, away: set[str], *measured: str
) -> list[tuple[str, str]]:
    """Let the monitor look once for each of the measured levels; who was told what."""
    told: list[tuple[str, str]] = []

    def requested(_: str, url: str, content: bytes) -> bytes:
        if url in away:
            raise OSError("away")
        told.append((url, json.loads(content)["text"]))
        return b""

    file = state / "settings.json"
    targets = ["https://a.example/1", "https://b.example/2"]
    file.write_text(
        json.dumps(
            settings(state=str(state), tell=targets, relay="127.0.0.1", sender="x@y.example", history_days=14)
        )
    )
    monkeypatch.setattr(monitor, "requested", requested)
    monkeypatch.setattr(sys, "argv", ["portal_monitor", str(file)])
    for level in measured:
        checks = [monitor.Check("page", level, "answers 502")]
        monkeypatch.setattr(monitor.Monitor, "look", lambda _, checks=checks: iter(checks))
        monitor.main()
    return told


def test_one_target_that_is_away_lets_the_others_be_told_once(
    monitor: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = {"https://a.example/1"}
    assert [url for url, _ in looks(monitor, tmp_path, monkeypatch, away, "bad", "bad", "bad")] == [
        "https://b.example/2"
    ]
    assert json.loads((tmp_path / "status.json").read_text())["checks"][0]["level"] == "bad"
    # Back again it is told what it has missed, once.
    assert [url for url, _ in looks(monitor, tmp_path, monkeypatch, set(), "bad", "bad")] == [
        "https://a.example/1"
    ]


def test_a_disk_that_takes_nothing_is_told(
    monitor: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(monitor, "write", full)
    assert len(looks(monitor, tmp_path, monkeypatch, set(), "bad")) == 2
    assert "could not be kept: [Errno 28]" in capsys.readouterr().err


def test_a_look_that_breaks_keeps_no_other_from_looking(
    monitor: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_page", "_push", "_database", "_disk", "_room"):
        monkeypatch.setattr(monitor.Monitor, name, lambda _: iter(()))

    def broken(_: object) -> None:
        raise OSError("no systemd")

    monkeypatch.setattr(monitor.Monitor, "_services", broken)
    checks = list(monitor.Monitor(settings(), []).look())
    assert [(check.name, check.level, check.measured) for check in checks] == [
        ("services", "bad", "no systemd")
    ]


def test_a_letter_comes_from_the_portal(monitor: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail servers refuse what claims to come from the recipient's own domain and does not."""
    letters: list[EmailMessage] = []

    class Relay:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def __enter__(self) -> Relay:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def send_message(self, letter: EmailMessage) -> None:
            letters.append(letter)

    monkeypatch.setattr(monitor.smtplib, "SMTP", Relay)
    assert monitor.tell("line", {}, ["ops@acme.example"], "127.0.0.1", "no-reply@portal.acme.example") == []
    assert [(letter["From"], letter["To"]) for letter in letters] == [
        ("no-reply@portal.acme.example", "ops@acme.example")
    ]


class Mailbox(Handler):
    def __init__(self) -> None:
        super().__init__()
        self.letters: list[Message] = []

    def handle_message(self, message: Message) -> None:
        self.letters.append(message)


@pytest.fixture
def relay() -> Iterator[tuple[str, list[Message]]]:
    """A real mail server: its address, and what it took."""
    mailbox = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield f"127.0.0.1:{port}", mailbox.letters
    controller.stop()


def test_a_change_is_one_line_by_mail_and_nothing_else_is(
    monitor: ModuleType, relay: tuple[str, list[Message]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, letters = relay
    told = {"tell": ["ops@acme.example"], "relay": address, "sender": f"no-reply@{DOMAIN}"}
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(settings(state=str(tmp_path), history_days=14, **told)))
    monkeypatch.setattr(sys, "argv", ["portal_monitor", str(file)])
    # What a server answers stands in an error's text as it came.
    seen = [
        ("ok", "0.1 s"),
        ("bad", "HTTP/0.0\r\nBcc: all@acme.example"),
        ("bad", "HTTP/0.0"),
        ("ok", "0.1 s"),
    ]
    for level, measured in seen:
        checks = [monitor.Check("page", level, measured, "at most 3 s")]
        monkeypatch.setattr(monitor.Monitor, "look", lambda _, checks=checks: iter(checks))
        assert monitor.main() == 0
    lines = [
        f"{DOMAIN}: page: HTTP/0.0 Bcc: all@acme.example (at most 3 s)",
        f"{DOMAIN}: all is well again",
    ]
    assert [letter.get_payload() for letter in letters] == [f"{line}\r\n" for line in lines]
    # Longer than a line of a letter's head, it is folded.
    assert [" ".join(str(letter["Subject"]).split()) for letter in letters] == lines
    assert {(letter["To"], letter["Bcc"], letter["Auto-Submitted"]) for letter in letters} == {
        ("ops@acme.example", None, "auto-generated")
    }


Looked = Callable[..., dict[str, str]]


@pytest.fixture
def page(monitor: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Looked:
    """Look at a page of a portal that is nowhere; the levels that come of it."""

    def looked(
        *,
        days: float = 100.0,
        seconds: float = 0.05,
        status: int = 200,
        cms: str = "Portal",
        text: str = "<html>",
    ) -> dict[str, str]:
        now, clock = 1_800_000_000.0, SimpleNamespace(now=0.0)
        answer = SimpleNamespace(status=status, headers={"X-Powered-CMS": cms}, read=text.encode)

        def request(*_: object, **__: object) -> None:
            clock.now += seconds

        monkeypatch.setattr(monitor, "time", SimpleNamespace(time=lambda: now, monotonic=lambda: clock.now))
        secure = SimpleNamespace(getpeercert=lambda: {"notAfter": "the end"})
        context = SimpleNamespace(wrap_socket=lambda *_, **__: nullcontext(secure))
        monkeypatch.setattr(ssl, "create_default_context", lambda: context)
        monkeypatch.setattr(ssl, "cert_time_to_seconds", lambda _: now + days * 86400)
        monkeypatch.setattr(socket, "create_connection", lambda *_, **__: nullcontext())
        connection = SimpleNamespace(request=request, getresponse=lambda: answer)
        monkeypatch.setattr(monitor.http.client, "HTTPSConnection", lambda *_, **__: connection)
        for name in ("_services", "_room", "_push", "_database", "_disk"):
            monkeypatch.setattr(monitor.Monitor, name, lambda _: iter(()))
        given = settings(
            authority="",
            web_address="127.0.0.1",
            page="/auth/",
            page_seconds=3,
            page_rate=10,
            certificate_days=21,
        )
        checks = list(monitor.Monitor(given, []).look())
        return {check.name: check.level for check in checks} | {
            f"{check.name} says": check.measured for check in checks
        }

    return looked


@pytest.mark.parametrize(
    ("days", "level"),
    [(21.5, "ok"), (21, "ok"), (20.9, "warn"), (7, "warn"), (6.9, "bad"), (0, "bad"), (-1, "bad")],
)
def test_a_certificate_that_ends_is_a_warning_and_then_an_alarm(
    page: Looked, days: float, level: str
) -> None:
    found = page(days=days)
    assert found["certificate"] == level
    assert found["page"] == "ok"


@pytest.mark.parametrize(
    ("seconds", "page_level", "rate_level"),
    [(0.0625, "ok", "ok"), (0.125, "ok", "warn"), (3, "ok", "warn"), (3.125, "bad", "warn")],
)
def test_a_slow_page_is_a_warning_and_then_an_alarm(
    page: Looked, seconds: float, page_level: str, rate_level: str
) -> None:
    found = page(seconds=seconds)
    assert (found["page"], found["page rate"]) == (page_level, rate_level)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"status": 502}, "/auth/ answers 502"),
        ({"status": 400}, "/auth/ answers 400"),
        ({"cms": "Portal (DEMO)"}, "the portal runs without its licence key"),
        ({"cms": "", "text": "<form id='__wizard_form'>"}, "the wizard answers"),
        ({"text": "<form id='__wizard_form'>"}, "the wizard answers"),
    ],
)
def test_a_page_that_is_not_the_portal_s_is_an_alarm(
    page: Looked, given: dict[str, object], said: str
) -> None:
    found = page(**given)
    assert (found["page"], found["page says"]) == ("bad", said)


def test_a_redirect_is_an_answer(page: Looked) -> None:
    assert page(status=302)["page"] == "ok"


@pytest.mark.parametrize(
    ("printed", "level", "said"),
    [
        ("", "ok", "none failed"),
        ("\n", "ok", "none failed"),
        ("redis-server@push.service loaded failed failed Redis\n", "bad", "redis-server@push.service failed"),
        (
            "a.service loaded failed failed A\nb.timer loaded failed failed B\n",
            "bad",
            "a.service, b.timer failed",
        ),
    ],
)
def test_a_failed_unit_is_an_alarm(
    monitor: ModuleType, monkeypatch: pytest.MonkeyPatch, printed: str, level: str, said: str
) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert command[:2] == ["systemctl", "--failed"]
        return subprocess.CompletedProcess(command, 0, printed)

    monkeypatch.setattr(monitor.subprocess, "run", run)
    (check,) = monitor.Monitor(settings(), [])._services()
    assert (check.level, check.measured) == (level, said)


LEVELS = [(11, "ok"), (10, "ok"), (9.9, "warn"), (5, "warn"), (4.9, "bad"), (0, "bad")]


@pytest.mark.parametrize(("percent", "level"), LEVELS)
@pytest.mark.parametrize("kind", ["space", "inodes"])
def test_little_room_is_a_warning_and_then_an_alarm(
    monitor: ModuleType, monkeypatch: pytest.MonkeyPatch, kind: str, percent: float, level: str
) -> None:
    free = {"space": 500, "inodes": 500} | {kind: int(percent * 10)}
    # What root alone may still fill counts for nobody.
    found = SimpleNamespace(
        f_bavail=free["space"],
        f_bfree=1000,
        f_blocks=1000,
        f_favail=free["inodes"],
        f_ffree=1000,
        f_files=1000,
    )
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    checks = monitor.Monitor(settings(free_percent=10, folders=["/", "/srv/portal"]), [])._room()
    others = {f"{name} of {folder}": "ok" for name in free for folder in ("/", "/srv/portal")}
    assert {check.name: check.level for check in checks} == others | {
        f"{kind} of {folder}": level for folder in ("/", "/srv/portal")
    }


def test_a_file_system_without_inodes_is_not_full(
    monitor: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SimpleNamespace(f_bavail=500, f_blocks=1000, f_favail=0, f_files=0)
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    checks = monitor.Monitor(settings(free_percent=10, folders=["/"]), [])._room()
    assert [(check.name, check.level) for check in checks] == [("space of /", "ok")]


@pytest.mark.parametrize(
    ("answer", "level"), [([], "bad"), ([{"pid": 1}], "ok"), ([{"pid": 1}] * 3, "ok"), ({"error": 1}, "bad")]
)
def test_a_push_server_without_processes_is_an_alarm(
    monitor: ModuleType, monkeypatch: pytest.MonkeyPatch, answer: object, level: str
) -> None:
    monkeypatch.setattr(monitor, "requested", lambda *_: json.dumps(answer).encode())
    (check,) = monitor.Monitor(settings(push_status_url="http://127.0.0.1:8895/server-stat"), [])._push()
    assert check.level == level
    assert list(monitor.Monitor(settings(push_status_url=""), [])._push()) == []
