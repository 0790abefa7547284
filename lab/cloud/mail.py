"""Mail that the portal sends: taken in by SMTP, read by tests over HTTP, delivered to nobody."""

from __future__ import annotations

import email
import email.policy
import time
from collections import deque
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

_KEPT = 10000


@dataclass(frozen=True)
class Mail:
    """One message for one recipient.

    `peer` is the address it came from, `body` its readable text, `received` seconds since 1970.
    """

    peer: str
    sender: str
    to: str
    subject: str
    date: str
    body: str
    received: float

    def as_json(self) -> dict[str, Any]:
        fields = asdict(self)
        return {"from": fields.pop("sender"), **fields}


class Mailbox:
    """All mailboxes of the world in one: whatever the recipient, the mail arrives here."""

    def __init__(self) -> None:
        self._mails: deque[Mail] = deque(maxlen=_KEPT)

    def smtp(self) -> SMTP:
        """One SMTP conversation; any account and password are accepted, as the relay's own."""
        return SMTP(self, hostname="mail.acme.example", authenticator=_accept, auth_require_tls=False)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802, ARG002
        content = envelope.content or b""
        data = content if isinstance(content, bytes) else content.encode()
        message = email.message_from_bytes(data, policy=email.policy.default)
        for recipient in envelope.rcpt_tos:
            self._mails.append(
                Mail(
                    session.peer[0] if session.peer else "",
                    envelope.mail_from or "",
                    recipient,
                    str(message.get("Subject", "")),
                    str(message.get("Date", "")),
                    _text(message),
                    time.time(),
                )
            )
        return "250 OK"

    async def messages(self, request: web.Request) -> web.Response:
        """GET /messages?to=ADDRESS: the mails to it, or all, oldest first. DELETE empties the mailbox."""
        if request.method == "DELETE":
            self._mails.clear()
        wanted = request.query.get("to", "").lower()
        return web.json_response(
            [mail.as_json() for mail in self._mails if not wanted or mail.to.lower() == wanted]
        )


def _accept(*_: object) -> AuthResult:
    return AuthResult(success=True)


def _text(message: EmailMessage) -> str:
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    content = part.get_content()
    return content if isinstance(content, str) else content.decode(errors="replace")
