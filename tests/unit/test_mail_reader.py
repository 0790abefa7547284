"""The page of the caught mail: it shows every mail, whatever is in it, and lets none of them act."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from http.client import HTTPConnection
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roles.mail_reader.files import mail_reader
from roles.mail_reader.files.mail_reader import Answer, Mailbox, NoSuchMailError, Reader, Server

PATH = "/-/mail/"


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    (tmp_path / "new").mkdir()
    return tmp_path


@pytest.fixture
def reader(maildir: Path) -> Reader:
    return Reader(Mailbox(maildir), PATH)


def drop(maildir: Path, name: str, content: bytes | EmailMessage, at: float = 1_795_000_000) -> None:
    file = maildir / "new" / name
    file.write_bytes(content if isinstance(content, bytes) else bytes(content))
    os.utime(file, (at, at))


def letter(subject: str = "Пароль", body: str = "https://staging.example/auth/?a=1&b=2 <b>") -> EmailMessage:
    message = EmailMessage()
    message["X-Original-To"] = "client@example.test"
    message["From"] = "Портал <no-reply@staging.example>"
    message["To"] = "Клиент <client@example.test>"
    message["Subject"] = subject
    message.set_content(body)
    return message


def text(answer: Answer) -> str:
    return answer.body.decode()


def test_an_empty_mailbox_has_a_page(tmp_path: Path) -> None:
    assert "No mail." in text(Reader(Mailbox(tmp_path), PATH).answer(PATH, as_json=False))


def test_the_list_names_sender_recipient_and_subject(reader: Reader, maildir: Path) -> None:
    drop(maildir, "1.a", letter("Старое"), 1_795_000_000)
    drop(maildir, "2.b", letter("Новое"), 1_795_000_100)
    entries = json.loads(reader.answer(PATH, as_json=True).body)
    assert [entry["subject"] for entry in entries] == ["Новое", "Старое"]
    assert entries[0] == {
        "id": "2.b",
        "received": "2026-11-18T11:08:20+00:00",
        "to": "client@example.test",
        "sender": "Портал <no-reply@staging.example>",
        "subject": "Новое",
    }
    page = text(reader.answer(PATH, as_json=False))
    assert page.index("Новое") < page.index("Старое")


def test_a_search_looks_at_people_and_subjects(reader: Reader, maildir: Path) -> None:
    drop(maildir, "1", letter("Счёт"))
    drop(maildir, "2", letter("Пароль"))
    found = json.loads(reader.answer(f"{PATH}?q=%D1%81%D1%87%D1%91%D1%82", as_json=True).body)
    assert [entry["id"] for entry in found] == ["1"]
    assert len(json.loads(reader.answer(f"{PATH}?q=CLIENT@", as_json=True).body)) == 2


def test_a_long_list_has_pages(reader: Reader, maildir: Path) -> None:
    for number in range(mail_reader.PAGE + 1):
        drop(maildir, f"{number:04}", letter(f"n{number}"), 1_795_000_000 + number)
    assert "older" in text(reader.answer(PATH, as_json=False))
    last = json.loads(reader.answer(f"{PATH}?page=2", as_json=True).body)
    assert [entry["subject"] for entry in last] == ["n0"]


def test_a_mail_is_shown_with_its_links(reader: Reader, maildir: Path) -> None:
    drop(maildir, "1", letter())
    page = text(reader.answer(f"{PATH}1/", as_json=False))
    assert 'href="https://staging.example/auth/?a=1&amp;b=2"' in page
    assert "&lt;b&gt;" in page
    assert json.loads(reader.answer(f"{PATH}1/", as_json=True).body)["headers"]["Subject"] == "Пароль"


def test_markup_in_headers_is_text(reader: Reader, maildir: Path) -> None:
    drop(maildir, "1", letter("<script>alert(1)</script>"))
    for target in (PATH, f"{PATH}1/"):
        assert "<script>" not in text(reader.answer(target, as_json=False))


def test_html_of_a_mail_runs_nothing_and_loads_nothing(reader: Reader, maildir: Path) -> None:
    message = letter()
    message.add_alternative("<p>Hello<script>alert(1)</script><img src=http://x.example/>", subtype="html")
    message.add_attachment(b"\x00data", maintype="application", subtype="pdf", filename="договор.pdf")
    drop(maildir, "1", message)
    page = text(reader.answer(f"{PATH}1/", as_json=False))
    assert '<iframe src="1" sandbox="allow-popups ' in page
    frame = reader.answer(f"{PATH}1/1", as_json=False)
    assert frame.kind.startswith("text/html")
    assert "default-src 'none'" in frame.policy
    assert "sandbox" in frame.policy
    assert "allow-scripts" not in frame.policy + page
    assert "allow-same-origin" not in frame.policy + page
    attachment = reader.answer(f"{PATH}1/2", as_json=False)
    assert attachment.kind == "application/octet-stream"
    assert attachment.file_name == "договор.pdf"
    assert attachment.body == b"\x00data"


def test_a_mail_can_be_had_as_it_was_sent(reader: Reader, maildir: Path) -> None:
    drop(maildir, "1", b"Subject: x\n\nraw \xff\n")
    answer = reader.answer(f"{PATH}1/raw", as_json=False)
    assert answer.body == b"Subject: x\n\nraw \xff\n"
    assert answer.file_name


@pytest.mark.parametrize(
    "target", ["/", f"{PATH}2/", f"{PATH}1/9", f"{PATH}1/x", f"{PATH}../", f"{PATH}..%2fnew/", f"{PATH}1/-1"]
)
def test_what_is_not_there_is_not_there(reader: Reader, maildir: Path, target: str) -> None:
    drop(maildir, "1", letter())
    with pytest.raises(NoSuchMailError):
        reader.answer(target, as_json=False)


def test_links_out_of_the_mailbox_are_not_followed(reader: Reader, maildir: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary")
    (maildir / "new" / "link").symlink_to(secret)
    with pytest.raises(NoSuchMailError):
        reader.answer(f"{PATH}link/", as_json=False)


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_no_mail_is_too_broken_to_be_listed_and_shown(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("mail")
    (folder / "new").mkdir()
    drop(folder, "1", content)
    reader = Reader(Mailbox(folder), PATH)
    assert len(json.loads(reader.answer(PATH, as_json=True).body)) == 1
    assert reader.answer(f"{PATH}1/", as_json=False).body
    assert reader.answer(f"{PATH}1/", as_json=True).body


@pytest.mark.parametrize(
    "content",
    [
        b'Subject: =?utf-8?b?\xff?=\nFrom: "a\nTo: <\n\n',
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\n",
        b"Content-Type: text/html; charset=no-such\n\n<p>",
        b"Content-Type: text/plain; charset*=x\nContent-Disposition: =?x?=\n\nhi",
        b"Content-Transfer-Encoding: base64\n\n=!!\n",
        b"Subject: " + b"x" * 200_000 + b"\n\n",
    ],
)
def test_broken_mails_are_shown(reader: Reader, maildir: Path, content: bytes) -> None:
    drop(maildir, "1", content)
    assert len(json.loads(reader.answer(PATH, as_json=True).body)) == 1
    assert reader.answer(f"{PATH}1/", as_json=False).body
    assert reader.answer(f"{PATH}1/0", as_json=False).body is not None


class Local(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, file: Path) -> None:
        super().__init__("reader")
        self._file = file

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._file))


@pytest.fixture
def served(reader: Reader, tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "s"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(file))
    listening.listen()
    server = Server(listening, reader)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield file
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_makes_no_socket_that_its_unit_forbids(served: Path) -> None:
    assert Server.address_family == socket.AF_UNIX


def test_it_answers_on_the_socket_that_it_was_given(served: Path, maildir: Path) -> None:
    drop(maildir, "1", letter())
    connection = Local(served)
    connection.request("GET", PATH, headers={"Accept": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert len(json.loads(answer.read())) == 1
    for method, path, status in (
        ("GET", "/-/mail/x/", 404),
        ("DELETE", f"{PATH}1/", 501),
        ("POST", PATH, 501),
    ):
        other = Local(served)
        other.request(method, path)
        assert other.getresponse().status == status
    assert (maildir / "new" / "1").exists()
