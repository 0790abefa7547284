"""Places that a silent portal must not reach: they take every request and connection, and count."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import asdict, dataclass

from aiohttp import web

_KEPT = 10000
_LARGEST_BODY = 64 << 10
_FIRST_BYTES = 64
_PATIENCE = 5.0


@dataclass(frozen=True)
class Caught:
    """One HTTP request that reached the sink; `at` in seconds since 1970, `body` cut at 64 KiB."""

    at: float
    peer: str
    method: str
    host: str
    path: str
    query: str
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Connection:
    """One connection (tcp) or datagram (udp); `first` is what the peer said first, if it spoke."""

    at: float
    peer: str
    protocol: str
    port: int
    first: str


class Sink:
    """What left the portal: HTTP requests with their content, other connections with their port."""

    def __init__(self) -> None:
        self._requests: deque[Caught] = deque(maxlen=_KEPT)
        self._connections: deque[Connection] = deque(maxlen=_KEPT)

    async def handle(self, request: web.Request) -> web.Response:
        """Take any request and answer with an empty object, which satisfies a webhook."""
        body = (await request.content.read(_LARGEST_BODY)).decode(errors="replace")
        self._requests.append(
            Caught(
                time.time(),
                request.remote or "",
                request.method,
                request.host,
                request.path,
                request.query_string,
                dict(request.headers),
                body,
            )
        )
        return web.json_response({})

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a TCP connection: listen to its first words, say nothing, hang up."""
        peer, port = writer.get_extra_info("peername")[0], writer.get_extra_info("sockname")[1]
        try:
            first = await asyncio.wait_for(reader.read(_FIRST_BYTES), _PATIENCE)
        except (TimeoutError, ConnectionError):
            first = b""
        self.note(peer, "tcp", port, first)
        writer.close()

    def note(self, peer: str, protocol: str, port: int, first: bytes) -> None:
        text = first[:_FIRST_BYTES].decode(errors="replace")
        self._connections.append(Connection(time.time(), peer, protocol, port, text))

    async def requests(self, request: web.Request) -> web.Response:
        """GET /requests: what was caught, oldest first. DELETE forgets it."""
        if request.method == "DELETE":
            self._requests.clear()
        return web.json_response([asdict(entry) for entry in self._requests])

    async def connections(self, request: web.Request) -> web.Response:
        """GET /connections: TCP and UDP, oldest first. DELETE forgets them."""
        if request.method == "DELETE":
            self._connections.clear()
        return web.json_response([asdict(entry) for entry in self._connections])


class Datagrams(asyncio.DatagramProtocol):
    """Counts the datagrams of one UDP port (SIP registers over UDP)."""

    def __init__(self, sink: Sink, port: int) -> None:
        self._sink = sink
        self._port = port

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        self._sink.note(str(addr[0]), "udp", self._port, data)
