"""Speaks HTTP with the place where the parts are: what a part is, ranges of it, what a refusal means."""

from __future__ import annotations

import email.utils
import random
import re
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from yarl import URL

from bxbackup.errors import AbsentError

_CONTENT_RANGE = re.compile(r"\Abytes (\d+)-(\d+)/(\d+)\Z")
_UNSATISFIED = re.compile(r"\Abytes \*/0\Z")
_LEGAL_URL = re.compile(r"\A[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+\Z")
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_BUSY = frozenset({429, 503})
_DENIED = frozenset({401, 403})
_GONE = frozenset({404, 410})
_LONGEST_PAUSE = 30.0
_CONNECT = 20.0
_BUFFER = 1 << 18
SILENCE = 45.0
OK, PARTIAL, UNSATISFIABLE = 200, 206, 416


class RetryError(Exception):
    """The request failed in a way that may pass.

    :param after: seconds to wait, where the server says so.
    :param busy: the server says that it is asked too much.
    """

    def __init__(self, why: str, after: float | None = None, *, busy: bool = False) -> None:
        super().__init__(why)
        self.after = after
        self.busy = busy


class ChangedError(Exception):
    """The object at the source is not the one that was begun."""


class DeniedError(Exception):
    """The server no longer lets us in: the link has expired or never was valid for this."""


class GoneError(Exception):
    """The server says there is no such object."""


@dataclass(frozen=True)
class Object:
    """What the server says of a part.

    :param size: bytes; None if it doesn't say.
    :param etag: without quotes; None if there is none or it is a weak one.
    :param modified: its date as the server writes it; None if there is none.
    :param ranges: whether it answers requests for a range.
    """

    size: int | None
    etag: str | None
    modified: str | None
    ranges: bool


def pause(failures: int) -> float:
    """Seconds to wait before the next try after so many failures in a row: growing, with jitter."""
    longest = min(_LONGEST_PAUSE, 0.5 * 2.0 ** min(failures - 1, 10))
    return longest * (0.5 + random.random() / 2)  # noqa: S311


def strong_etag(headers: Mapping[str, str]) -> str | None:
    """The ETag of an answer if it is a strong one."""
    text = headers.get("ETag", "").strip()
    if not text or text.startswith("W/"):
        return None
    return text.strip('"')


def reason(error: BaseException) -> str:
    """A network failure in a few words, without the URL, which may be a credential."""
    inner = getattr(error, "os_error", None)
    if isinstance(inner, OSError) and inner.strerror:
        return f"cannot connect: {inner.strerror}"
    if isinstance(error, TimeoutError):
        return "the server fell silent"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the connection ended before all bytes had come"
    if isinstance(error, (aiohttp.ServerDisconnectedError, ConnectionError)):
        return "the connection was cut"
    if isinstance(error, aiohttp.TooManyRedirects):
        return "too many redirects"
    return type(error).__name__


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, with a little jitter; None if it doesn't say.

    A date is counted from the server's own clock where it shows one: this machine's may be wrong.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text)
    else:
        until, there = _moment(text), _moment(headers.get("Date", ""))
        if until is None:
            return None
        seconds = max(0.0, until - (time.time() if there is None else there))
    return seconds + random.random() * min(1.0, seconds / 10)  # noqa: S311


def _moment(text: str) -> float | None:
    """Seconds since 1970 of an HTTP date; None if it is none."""
    found = email.utils.parsedate_tz(text)
    if found is None:
        return None
    try:
        return float(email.utils.mktime_tz(found))
    except (OverflowError, ValueError):
        return None


def _target(url: str) -> URL:
    """The address to ask, its query untouched: a signature may depend on each character.

    :raises AbsentError: it is none.
    """
    try:
        target = URL(url, encoded=True) if _LEGAL_URL.match(url) else URL(url)
        _ = target.port
    except ValueError:
        # Its text may quote what is a credential.
        raise _no_address() from None
    return target


def _no_address() -> AbsentError:
    return AbsentError(
        "the source leads to something that is no HTTP address",
        advice="look at the link, character by character",
    )


class Remote:
    """One pool of connections. To be used as an async context.

    :param silence: seconds without a byte after which a connection is given up.
    """

    def __init__(self, silence: float = SILENCE) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._silence = silence

    async def __aenter__(self) -> Remote:
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT, sock_read=self._silence),
            headers={"Accept-Encoding": "identity", "User-Agent": "bxbackup"},
            requote_redirect_url=False,
            trust_env=True,
            read_bufsize=_BUFFER,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def request(
        self, url: str, start: int, end: int | None, etag: str | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """GET bytes `start` to `end` (exclusive; None: to the last). Yields answers 200, 206 and 416.

        :raises RetryError: it may work later.
        :raises DeniedError: 401 or 403.
        :raises GoneError: 404 or 410.
        :raises AbsentError: it never will work.
        """
        if self._session is None:
            raise RuntimeError("the pool is used outside of its context")
        headers = {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
        if etag is not None:
            headers["If-Range"] = f'"{etag}"'
        target = _target(url)
        try:
            async with self._session.get(target, headers=headers) as response:
                self._judge(response)
                yield response
        except (aiohttp.ClientConnectorCertificateError, ssl.CertificateError) as error:
            raise AbsentError(
                f"{target.host} shows a TLS certificate that is not valid for it",
                advice="something stands between this machine and the server, or its certificate has expired",
            ) from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, UnicodeError) as error:
            raise _no_address() from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RetryError(reason(error)) from error

    @staticmethod
    def _judge(response: aiohttp.ClientResponse) -> None:
        status = response.status
        schemes = [step.url.scheme for step in response.history] + [response.url.scheme]
        if "https" in schemes and "http" in schemes[schemes.index("https") :]:
            raise AbsentError(
                "the source leads from https to plain http",
                advice="what comes that way can be altered by anybody: get a link that stays with https",
            )
        if status in (OK, PARTIAL, UNSATISFIABLE):
            return
        if status in _RETRIED:
            busy = status in _BUSY
            raise RetryError(f"the server answered {status}", retry_after(response.headers), busy=busy)
        if status in _DENIED:
            raise DeniedError(f"the server answered {status}")
        if status in _GONE:
            raise GoneError(f"the server answered {status}")
        raise AbsentError(
            f"the server answered {status} {response.reason or ''}".rstrip(), advice="check the source"
        )

    async def look(self, url: str, length: int) -> tuple[Object, bytes]:
        """What an object is, and its first `length` bytes.

        :raises RetryError, DeniedError, GoneError, AbsentError: see `request`.
        """
        async with self.request(url, 0, length) as response:
            etag, modified = strong_etag(response.headers), response.headers.get("Last-Modified")
            if response.status == UNSATISFIABLE:
                if _UNSATISFIED.match(response.headers.get("Content-Range", "")):
                    return Object(0, etag, modified, ranges=True), b""
                raise RetryError("the server answered 416")
            span = content_range(response) if response.status == PARTIAL else None
            if response.status == PARTIAL and (span is None or span[0] != 0):
                raise RetryError("the server answered with another range than the one asked for")
            wanted = length if span is None else min(length, span[1])
            head = bytearray()
            async for piece in response.content.iter_chunked(1 << 16):
                head += piece
                if len(head) >= wanted:
                    break
            if span is not None:
                return Object(span[2], etag, modified, ranges=True), bytes(head[:wanted])
            size = response.content_length
            if len(head) < length:
                size = len(head)
            else:
                response.close()
            return Object(size, etag, modified, ranges=False), bytes(head[:length])


def content_range(response: aiohttp.ClientResponse) -> tuple[int, int, int] | None:
    """First byte, byte after the last, and total size from an answer 206."""
    match = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if match is None:
        return None
    return int(match[1]), int(match[2]) + 1, int(match[3])
