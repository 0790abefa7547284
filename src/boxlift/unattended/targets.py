"""Where the line goes: the project's file `tell.txt`, a target a line.

    https://chat.example.com/hooks/9f2c...      gets POST {"text": LINE}
    mailto:ops@example.com                      through this machine's sendmail
    smtp://mail.example.com/ops@example.com     through a mail server, port 25 or as named

A webhook's address is a credential: nobody else may read the file, and only the host is ever shown.
"""

from __future__ import annotations

import asyncio
import smtplib
import subprocess
from dataclasses import dataclass
from email.message import EmailMessage
from http import HTTPStatus
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import aiohttp

from boxlift.errors import BoxliftError, UsageError

FILE = "tell.txt"
_SENDMAIL = "/usr/sbin/sendmail"
_SECONDS = 30
_WEB = frozenset({"http", "https"})


@dataclass(frozen=True)
class Target:
    """One place that is told."""

    address: str

    @property
    def shown(self) -> str:
        """The target without what is secret in it."""
        parts = self._parts()
        return f"{parts.scheme}://{parts.hostname}/…" if parts.scheme in _WEB else self.address

    def tell(self, line: str) -> None:
        """Send the line. BoxliftError where the target does not take it."""
        parts = self._parts()
        try:
            if parts.scheme in _WEB:
                asyncio.run(self._post(line))
            elif parts.scheme == "smtp":
                with smtplib.SMTP(str(parts.hostname), parts.port or 25, timeout=_SECONDS) as server:
                    server.send_message(_letter(parts.path.lstrip("/"), line))
            else:
                letter = _letter(parts.path, line)
                subprocess.run(
                    [_SENDMAIL, "-t", "-i"],
                    input=bytes(letter),
                    check=True,
                    capture_output=True,
                    timeout=_SECONDS,
                )
        except (OSError, aiohttp.ClientError, smtplib.SMTPException, subprocess.SubprocessError) as error:
            reason = str(error).replace(self.address, self.shown) or type(error).__name__
            raise BoxliftError(f"{self.shown} did not take the line: {reason}") from error

    def _parts(self) -> SplitResult:
        return urlsplit(self.address)

    async def _post(self, line: str) -> None:
        patience = aiohttp.ClientTimeout(total=_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=patience) as session,
            session.post(self.address, json={"text": line}) as answer,
        ):
            if answer.status >= HTTPStatus.BAD_REQUEST:
                raise BoxliftError(f"{self.shown} did not take the line: it answered {answer.status}")


def load_targets(root: Path) -> tuple[Target, ...]:
    """The targets of the project at `root`. UsageError that names what is wrong with the file."""
    path = root / FILE
    cure = f"write one target a line into {path}: https://…, mailto:NAME@DOMAIN or smtp://HOST/NAME@DOMAIN"
    if not path.is_file():
        raise UsageError(f"nobody is named to be told: there is no {path}", cure=cure)
    if path.stat().st_mode & 0o077:
        raise UsageError(
            f"others can read {path}: a webhook's address is a credential", cure=f"chmod 600 {path}"
        )
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    addresses = [line for line in lines if line and not line.startswith("#")]
    for number, address in enumerate(addresses, start=1):
        if not _is_target(address):
            raise UsageError(f"target {number} of {path} is neither a web address nor one of mail", cure=cure)
    if not addresses:
        raise UsageError(f"{path} names nobody", cure=cure)
    return tuple(map(Target, addresses))


def _is_target(address: str) -> bool:
    try:
        parts = urlsplit(address)
        known = parts.port or True
    except ValueError:
        return False
    if parts.scheme in _WEB:
        return bool(known and parts.hostname)
    if parts.scheme == "mailto":
        return "@" in parts.path
    return parts.scheme == "smtp" and bool(parts.hostname) and "@" in parts.path


def _letter(recipient: str, line: str) -> EmailMessage:
    letter = EmailMessage()
    letter["To"] = recipient
    letter["From"] = recipient
    letter["Subject"] = line
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(f"{line}\n")
    return letter
