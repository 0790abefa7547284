"""Whom a line is told to, and how: real HTTP and SMTP on loopback."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as Handler

from boxlift.errors import BoxliftError, UsageError
from boxlift.unattended import Target, load_targets

LINE = "boxlift clone of acme done in 12 min"


class Hook(BaseHTTPRequestHandler):
    """Keeps what it gets; /refuse answers 403."""

    got: list[object]

    def do_POST(self) -> None:
        self.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(403 if self.path.startswith("/refuse") else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def hook() -> Iterator[tuple[str, list[object]]]:
    got: list[object] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Hook,), {"got": got}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()


class Mailbox(Handler):
    def __init__(self) -> None:
        super().__init__()
        self.letters: list[Message] = []

    def handle_message(self, message: Message) -> None:
        self.letters.append(message)


def test_a_webhook_gets_the_line(hook: tuple[str, list[object]]) -> None:
    address, got = hook
    Target(f"{address}/hooks/s3cret").tell(LINE)
    assert got == [{"text": LINE}]


def test_a_webhook_that_refuses_is_told_without_its_address(hook: tuple[str, list[object]]) -> None:
    with pytest.raises(BoxliftError, match="answered 403") as told:
        Target(f"{hook[0]}/refuse/s3cret").tell(LINE)
    assert "s3cret" not in told.value.message


def test_a_mail_server_gets_a_letter() -> None:
    mailbox = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(mailbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        Target(f"smtp://127.0.0.1:{port}/ops@acme.example").tell(LINE)
    finally:
        server.stop()
    assert [(letter["To"], letter["Subject"]) for letter in mailbox.letters] == [("ops@acme.example", LINE)]


def test_nobody_at_the_other_end_is_an_error() -> None:
    with pytest.raises(BoxliftError, match="did not take the line"):
        Target("smtp://127.0.0.1:9/ops@acme.example").tell(LINE)


def test_targets_of_a_project(tmp_path: Path) -> None:
    path = tmp_path / "tell.txt"
    path.touch(0o600)
    path.write_text("# who is told\n\nhttps://chat.example/hooks/1\nmailto:ops@acme.example\n")
    assert [target.shown for target in load_targets(tmp_path)] == [
        "https://chat.example/…",
        "mailto:ops@acme.example",
    ]


@pytest.mark.parametrize(
    "text", ["", "# nobody\n", "ops@acme.example\n", "smtp://mail.example\n", "https://x:y:z/\n"]
)
def test_a_file_that_names_nobody_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tell.txt"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(UsageError, match=r"tell\.txt"):
        load_targets(tmp_path)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tell.txt"
    path.write_text("https://chat.example/hooks/1\n")
    path.chmod(0o644)
    with pytest.raises(UsageError, match="others can read"):
        load_targets(tmp_path)
