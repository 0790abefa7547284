"""A SIP client over TLS that asks and registers: enough to see that a telephony server answers."""

from __future__ import annotations

import hashlib
import re
import secrets
import ssl
from dataclasses import dataclass, field
from types import TracebackType

_END = b"\r\n\r\n"
_CHALLENGE = re.compile(r'(\w+)="?([^",]+)"?')
UNAUTHORIZED = 401
FIRST_FINAL = 200


class SipError(Exception):
    """The other side closed, or what it says is not SIP."""


@dataclass(frozen=True)
class Answer:
    """The final answer to a request: status, and headers in lower case."""

    status: int
    reason: str
    headers: dict[str, str]


@dataclass
class Line:
    """One connection to a SIP server, on which one request follows the other. `domain`: the server's name."""

    connection: ssl.SSLSocket
    domain: str
    _buffer: bytes = b""
    _call: str = field(default_factory=lambda: secrets.token_hex(8))
    _sequence: int = 0

    def __enter__(self) -> Line:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def options(self, user: str = "boxlift") -> Answer:
        """Ask what the server can do."""
        return self._ask("OPTIONS", f"sip:{self.domain}", user)

    def register(self, user: str, password: str, seconds: int = 300) -> Answer:
        """Register this connection as the user's telephone."""
        target = f"sip:{self.domain}"
        headers = {"Expires": str(seconds)}
        answer = self._ask("REGISTER", target, user, headers)
        if answer.status == UNAUTHORIZED:
            proof = _digest(answer.headers["www-authenticate"], user, password, "REGISTER", target)
            answer = self._ask("REGISTER", target, user, {**headers, "Authorization": proof})
        return answer

    def _ask(self, method: str, target: str, user: str, more: dict[str, str] | None = None) -> Answer:
        self._sequence += 1
        host, port = self.connection.getsockname()[:2]
        headers = {
            "Via": f"SIP/2.0/TLS {host}:{port};rport;branch=z9hG4bK{secrets.token_hex(8)}",
            "Max-Forwards": "70",
            "From": f"<sip:{user}@{self.domain}>;tag={secrets.token_hex(4)}",
            "To": f"<sip:{user}@{self.domain}>",
            "Call-ID": self._call,
            "CSeq": f"{self._sequence} {method}",
            "Contact": f"<sip:{user}@{host}:{port};transport=tls>",
            **(more or {}),
            "Content-Length": "0",
        }
        lines = [f"{method} {target} SIP/2.0", *(f"{name}: {value}" for name, value in headers.items())]
        self.connection.sendall("\r\n".join(lines).encode() + _END)
        while True:
            answer = self._receive()
            # A request of the server's own, and answers that are not final, are passed over.
            if answer is not None and answer.headers.get("cseq") == headers["CSeq"]:
                return answer

    def _receive(self) -> Answer | None:
        """The next message; None unless it is a final answer."""
        while _END not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(_END)
        first, *rest = head.decode(errors="replace").strip().split("\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)
        }
        length = int(headers.get("content-length", "0"))
        while len(self._buffer) < length:
            self._more()
        self._buffer = self._buffer[length:]
        if not first.startswith("SIP/2.0 "):
            return None
        _, status, reason = first.split(" ", 2)
        return Answer(int(status), reason, headers) if int(status) >= FIRST_FINAL else None

    def _more(self) -> None:
        received = self.connection.recv(65536)
        if not received:
            raise SipError("the server closed the connection")
        self._buffer += received


def _digest(challenge: str, user: str, password: str, method: str, target: str) -> str:
    """The answer to a digest challenge (RFC 2617, MD5 with quality `auth`, as SIP servers ask it)."""
    asked = dict(_CHALLENGE.findall(challenge.partition(" ")[2]))
    count, own = "00000001", secrets.token_hex(8)

    def mixed(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    secret = mixed(f"{user}:{asked['realm']}:{password}")
    proof = mixed(f"{secret}:{asked['nonce']}:{count}:{own}:auth:{mixed(f'{method}:{target}')}")
    values = {
        "username": user,
        "realm": asked["realm"],
        "nonce": asked["nonce"],
        "uri": target,
        "response": proof,
        "cnonce": own,
        **({"opaque": asked["opaque"]} if "opaque" in asked else {}),
    }
    quoted = ", ".join(f'{name}="{value}"' for name, value in values.items())
    return f"Digest {quoted}, algorithm=MD5, qop=auth, nc={count}"
