"""What the monitor tells, when, and what it compares with. Its looks themselves are proved on the lab."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage, Message
from pathlib import Path
from types import ModuleType

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
