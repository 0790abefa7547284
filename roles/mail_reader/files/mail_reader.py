#!/usr/bin/python3
"""A page to read one Maildir: lists the mails, shows them, changes and sends nothing.

    mail_reader.py --maildir /var/mail/caught --path /-/mail/

Serves HTTP on the socket that systemd hands over. Who may read is for the web server in front to say.
"""

from __future__ import annotations

import argparse
import email
import email.policy
import html
import json
import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

PAGE = 100
SEARCHED = 5000
HEAD_BYTES = 64 << 10
PATIENCE = 30.0
_UNNAMED = "(no subject)"
_FIRST_DESCRIPTOR = 3
# What Python's library raises, besides its own errors, over headers that nobody should write.
_BROKEN = (ValueError, LookupError, AttributeError, TypeError)
_LINK = re.compile(r"https?://[^\s<>\"']+")
_STYLE = (
    "body{font:14px/1.4 sans-serif;margin:1em 1em 3em}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.2em .8em .2em 0;border-bottom:1px solid #ccc;vertical-align:top;"
    "overflow-wrap:anywhere}pre{white-space:pre-wrap}iframe{width:100%;height:60vh;border:1px solid #ccc}"
)
_OWN_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-src 'self'; form-action 'self'"
)
# A caught mail is somebody else's HTML: no scripts, no requests, no access to the portal beside it.
_MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    " sandbox allow-popups allow-popups-to-escape-sandbox"
)


class NoSuchMailError(Exception):
    """There is no mail, or no part of it, under this name."""


@dataclass(frozen=True)
class Entry:
    """A mail as the list shows it; `to` is whom it was for, `received` in ISO 8601 and UTC."""

    id: str
    received: str
    to: str
    sender: str
    subject: str


@dataclass(frozen=True)
class Answer:
    """What goes to the browser."""

    body: bytes
    kind: str = "text/html; charset=utf-8"
    policy: str = _OWN_POLICY
    file_name: str | None = None


class Mailbox:
    """The Maildir; names that lead out of it do not exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self) -> list[Path]:
        """All mails, the newest first; one that goes away meanwhile is left out."""
        dated = []
        for name in ("new", "cur"):
            folder = self._folder / name
            for file in folder.iterdir() if folder.is_dir() else ():
                try:
                    dated.append((file.stat().st_mtime, file.name, file))
                except FileNotFoundError:
                    continue
        return [file for _, _, file in sorted(dated, reverse=True)]

    def entries(self, wanted: str = "") -> Iterator[Entry]:
        """Mails whose list line has `wanted` in it; a search looks at the newest few thousand."""
        for number, file in enumerate(self.newest()):
            if wanted and number >= SEARCHED:
                return
            try:
                entry = self._entry(file)
            except FileNotFoundError:
                continue
            line = f"{entry.to} {entry.sender} {entry.subject}".lower()
            if wanted.lower() in line:
                yield entry

    def raw(self, name: str) -> bytes:
        """The mail as it was handed over."""
        if "/" not in name and name not in ("", ".", ".."):
            for folder in ("new", "cur"):
                file = self._folder / folder / name
                if file.is_file() and not file.is_symlink():
                    return file.read_bytes()
        raise NoSuchMailError(name)

    def mail(self, name: str) -> EmailMessage:
        """The mail, parsed; broken ones as far as they can be read."""
        return email.message_from_bytes(self.raw(name), policy=email.policy.default)

    @staticmethod
    def _entry(file: Path) -> Entry:
        with file.open("rb") as stream:
            head = stream.read(HEAD_BYTES).partition(b"\n\n")[0]
        message = email.message_from_bytes(head + b"\n\n", policy=email.policy.default)
        moment = datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="seconds")
        recipient = header(message, "X-Original-To") or header(message, "To")
        return Entry(file.name, moment, recipient, header(message, "From"), header(message, "Subject"))


def header(message: EmailMessage, name: str) -> str:
    """A header's text; one that cannot be understood as it was written."""
    try:
        return str(message.get(name, ""))
    except _BROKEN:
        return next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")


def text_of(part: EmailMessage) -> str:
    """A part's text, whatever it claims of its charset."""
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else str(part.get_payload()).encode(errors="replace")
    try:
        return data.decode(part.get_content_charset() or "utf-8", errors="replace")
    except LookupError:
        return data.decode(errors="replace")


def parts(message: EmailMessage) -> list[EmailMessage]:
    """The leaves of a mail, numbered by their place."""
    return [part for part in message.walk() if not part.is_multipart()]


def escaped_links(text: str) -> str:
    """Text as HTML, with its web addresses as links."""
    found, place = [], 0
    for link in _LINK.finditer(text):
        address = html.escape(link[0])
        found.append(html.escape(text[place : link.start()]))
        found.append(f'<a href="{address}" target="_blank" rel="noopener noreferrer">{address}</a>')
        place = link.end()
    return "".join(found) + html.escape(text[place:])


class Reader:
    """Answers requests below `path`, by names of mails and numbers of their parts."""

    def __init__(self, mailbox: Mailbox, path: str) -> None:
        self._mailbox = mailbox
        self._path = path

    def answer(self, target: str, *, as_json: bool) -> Answer:
        """The page of a request.

        Raises:
            NoSuchMailError: there is nothing under this address.
        """
        address = urlsplit(target)
        if not address.path.startswith(self._path):
            raise NoSuchMailError(address.path)
        name, _, rest = address.path.removeprefix(self._path).partition("/")
        if not name:
            asked = parse_qs(address.query)
            page = asked.get("page", ["1"])[0]
            return self._list(asked.get("q", [""])[0], int(page) if page.isdecimal() else 1, as_json)
        if rest == "raw":
            return Answer(self._mailbox.raw(name), "message/rfc822", _MAIL_POLICY, "mail.eml")
        message = self._mailbox.mail(name)
        try:
            if rest == "":
                return self._mail(message, as_json)
            leaves = parts(message)
            if rest.isdecimal() and int(rest) < len(leaves):
                return self._part(leaves[int(rest)], int(rest))
        except _BROKEN:
            text = self._mailbox.raw(name).decode(errors="replace")
            return _page("A mail that cannot be understood", f"<pre>{html.escape(text)}</pre>")
        raise NoSuchMailError(target)

    def _list(self, wanted: str, page: int, as_json: bool) -> Answer:
        first, found, more = (max(1, page) - 1) * PAGE, [], False
        for number, entry in enumerate(self._mailbox.entries(wanted)):
            if number >= first + PAGE:
                more = True
                break
            if number >= first:
                found.append(entry)
        if as_json:
            return _json([asdict(entry) for entry in found])
        rows = "".join(
            f"<tr><td>{html.escape(entry.received)}<td>{html.escape(entry.to)}<td>{html.escape(entry.sender)}"
            f'<td><a href="{self._path}{quote(entry.id)}/">{html.escape(entry.subject) or _UNNAMED}</a></tr>'
            for entry in found
        )
        search = html.escape(wanted)
        following = f'<p><a href="?q={quote(wanted)}&amp;page={max(1, page) + 1}">older</a>' if more else ""
        body = (
            f'<form><input name="q" value="{search}" aria-label="Search"> <button>Search</button></form>'
            "<table><thead><tr><th>Caught<th>For<th>From<th>Subject</tr></thead>"
            f"<tbody>{rows}</tbody></table>{following}"
        )
        return _page("Caught mail", body if rows else f"{body}<p>No mail.</p>")

    def _mail(self, message: EmailMessage, as_json: bool) -> Answer:
        shown = ("X-Original-To", "From", "To", "Cc", "Bcc", "Reply-To", "Subject", "Date")
        headers = {field: header(message, field) for field in shown if message.get_all(field, [])}
        leaves = parts(message)
        texts = [
            text_of(leaf) for leaf in leaves if leaf.get_content_type() == "text/plain" and not attached(leaf)
        ]
        if as_json:
            pages = [text_of(leaf) for leaf in leaves if leaf.get_content_type() == "text/html"]
            return _json({"headers": headers, "text": texts, "html": pages})
        rows = "".join(f"<tr><th>{field}<td>{html.escape(value)}</tr>" for field, value in headers.items())
        ways = f'<a href="{self._path}">All mails</a> <a href="raw">as it was sent</a>'
        body = f"<p>{ways}</p><table>{rows}</table>"
        for number, leaf in enumerate(leaves):
            if leaf.get_content_type() == "text/html" and not attached(leaf):
                body += (
                    f'<iframe src="{number}" sandbox="allow-popups allow-popups-to-escape-sandbox"></iframe>'
                )
            elif leaf.get_content_type() == "text/plain" and not attached(leaf):
                body += f"<pre>{escaped_links(text_of(leaf))}</pre>"
            else:
                label = html.escape(leaf.get_filename() or leaf.get_content_type())
                body += f'<p><a href="{number}">{label}</a></p>'
        return _page(headers.get("Subject", "") or _UNNAMED, body)

    @staticmethod
    def _part(part: EmailMessage, number: int) -> Answer:
        if part.get_content_type() == "text/html" and not attached(part):
            content = '<base target="_blank">' + text_of(part)
            return Answer(content.encode(), "text/html; charset=utf-8", _MAIL_POLICY)
        payload = part.get_payload(decode=True)
        data = payload if isinstance(payload, bytes) else text_of(part).encode()
        return Answer(data, "application/octet-stream", _MAIL_POLICY, part.get_filename() or f"part-{number}")


def attached(part: EmailMessage) -> bool:
    """Whether a part is a file rather than what the mail says."""
    return part.get_content_disposition() == "attachment"


def _json(content: object) -> Answer:
    return Answer(json.dumps(content, ensure_ascii=False).encode(errors="replace"), "application/json")


def _page(title: str, body: str) -> Answer:
    heading = html.escape(title)
    return Answer(
        f'<!doctype html><html><head><meta charset="utf-8"><title>{heading}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{heading}</h1>{body}</body></html>".encode(errors="replace")
    )


class Handler(BaseHTTPRequestHandler):
    """One request. `reader` is given by the server."""

    server: Server
    timeout = PATIENCE

    def do_GET(self) -> None:
        try:
            accepts = self.headers.get("Accept", "")
            answer = self.server.reader.answer(self.path, as_json="application/json" in accepts)
        except NoSuchMailError:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Content-Security-Policy", answer.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Robots-Tag", "noindex, nofollow")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        if answer.file_name is not None:
            self.send_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(answer.file_name)}")
        self.end_headers()
        self.wfile.write(answer.body)

    def address_string(self) -> str:
        """Peers on a Unix socket have no address."""
        return "-"


class Server(ThreadingHTTPServer):
    """Serves on a socket that is open already."""

    daemon_threads = True
    # Of the socket that the base class makes and that is closed at once: its unit allows no other kind.
    address_family = socket.AF_UNIX

    def __init__(self, listening: socket.socket, reader: Reader) -> None:
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.reader = reader

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def main() -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--maildir", type=Path, required=True)
    parser.add_argument("--path", default="/")
    options = parser.parse_args()
    Server(
        socket.socket(fileno=_FIRST_DESCRIPTOR), Reader(Mailbox(options.maildir), options.path)
    ).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
