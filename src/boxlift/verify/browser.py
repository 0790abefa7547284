"""A web client that reaches a portal by address under its own name, with cookies and verified TLS."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult


class _FixedResolver(AbstractResolver):
    """Answers every name with one address: the host under test need not be in DNS yet."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=self._address,
                port=port,
                family=family,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Nothing is held open."""


@dataclass(frozen=True)
class Page:
    """One answer of a server: status, headers in lower case, body as text."""

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> object:
        """The body, parsed.

        Raises:
            json.JSONDecodeError: the body is not JSON.
        """
        return json.loads(self.text)


def _encoded(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


class Browser:
    """Requests to one portal, as its users send them.

    Args:
        domain: name in the Host header and in the TLS handshake.
        address: where the connection goes.
        ca_file: certificate authority to trust; the system's own when None.
        credentials: user and password of HTTP basic authentication, where the portal is fenced by one.
    """

    def __init__(
        self,
        domain: str,
        address: str,
        ca_file: Path | None = None,
        credentials: tuple[str, str] | None = None,
        timeout: float = 30.0,
    ) -> None:
        self.domain = domain
        self._tls = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        self._session = aiohttp.ClientSession(
            base_url=f"https://{domain}",
            connector=aiohttp.TCPConnector(
                resolver=_FixedResolver(address), ssl=self._tls, use_dns_cache=False
            ),
            cookie_jar=aiohttp.CookieJar(),
            headers={"Authorization": f"Basic {_encoded(*credentials)}"} if credentials else None,
            timeout=aiohttp.ClientTimeout(total=timeout),
        )

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    def cookie(self, name: str) -> str:
        """Value of a cookie that the portal set, empty where there is none."""
        return next((item.value for item in self._session.cookie_jar if item.key == name), "")

    async def get(self, path: str, *, follow: bool = True, json: bool = False) -> Page:
        """Fetch a path (or an absolute URL of the same portal)."""
        return await self._request("GET", path, follow=follow, json=json)

    async def post(
        self,
        path: str,
        fields: Mapping[str, str] | aiohttp.FormData,
        *,
        follow: bool = True,
        json: bool = False,
    ) -> Page:
        """Send a form."""
        return await self._request("POST", path, data=fields, follow=follow, json=json)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        follow: bool,
        json: bool,
        data: Mapping[str, str] | aiohttp.FormData | None = None,
    ) -> Page:
        headers = {"Accept": "application/json" if json else "text/html"}
        async with self._session.request(
            method, path, data=data, headers=headers, allow_redirects=follow
        ) as answer:
            return Page(
                status=answer.status,
                headers={name.lower(): value for name, value in answer.headers.items()},
                text=await answer.text(errors="replace"),
            )

    @asynccontextmanager
    async def subscribe(
        self, path: str, protocols: Sequence[str] = ()
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a websocket; a refused signature shows only after the handshake (portal_runtime E6)."""
        async with self._session.ws_connect(path, protocols=protocols) as channel:
            yield channel


async def receive_text(channel: aiohttp.ClientWebSocketResponse, seconds: float) -> str | None:
    """Next text message of a websocket, or None where it is closed or stays silent for that long."""
    try:
        message = await asyncio.wait_for(channel.receive(), seconds)
    except TimeoutError:
        return None
    return str(message.data) if message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY} else None


async def receive_word(channel: aiohttp.ClientWebSocketResponse, word: str, seconds: float) -> str | None:
    """The next text message that holds a word, or None; what else the subscriber is told is passed over."""
    try:
        async with asyncio.timeout(seconds):
            while (text := await receive_text(channel, seconds)) is not None:
                if word in text:
                    return text
    except TimeoutError:
        pass
    return None
