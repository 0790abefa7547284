"""All of the outside world in one process: who answers on which port and name."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from lab.cloud.backup import BackupServer, Handler
from lab.cloud.mail import Mailbox
from lab.cloud.sink import Datagrams, Sink

BACKUP = "backup.cloud.example"
CDN = "cdn.cloud.example"
_LARGEST_UPLOAD = 64 << 20


@dataclass(frozen=True)
class Ports:
    """Where the world listens; `silent` ports take TCP connections only to count them, `udp` datagrams."""

    web: int = 80
    smtp: int = 25
    mailbox: int = 8025
    sink: int = 8026
    silent: tuple[int, ...] = (143, 443, 465, 587, 993, 995, 5060, 5061)
    udp: tuple[int, ...] = (5060,)


class World:
    """Serves `folder`/backup and `folder`/cdn; faults come from `folder`/scenario.yml whenever it changes."""

    def __init__(self, folder: Path, address: str, ports: Ports) -> None:
        self.backup = BackupServer(folder / "backup", scenario_file=folder / "scenario.yml")
        self.cdn = BackupServer(folder / "cdn", scenario_file=folder / "scenario-cdn.yml")
        self.mailbox = Mailbox()
        self.sink = Sink()
        self._address = address
        self._ports = ports
        self._runners: list[web.AppRunner] = []
        self._servers: list[asyncio.AbstractServer] = []

    async def start(self) -> None:
        ports, sink = self._ports, self.sink
        await self._listen(ports.web, [("/{path:.*}", self._by_name)])
        await self._listen(ports.mailbox, [("/messages", self.mailbox.messages)])
        await self._listen(ports.sink, [("/requests", sink.requests), ("/connections", sink.connections)])
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(self.mailbox.smtp, self._address, ports.smtp))
        for port in ports.silent:
            self._servers.append(await asyncio.start_server(sink.connected, self._address, port))
        for port in ports.udp:
            await loop.create_datagram_endpoint(
                functools.partial(Datagrams, sink, port), local_addr=(self._address, port)
            )

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        for runner in self._runners:
            await runner.cleanup()

    async def _by_name(self, request: web.Request) -> web.StreamResponse:
        name = request.host.partition(":")[0]
        if name == BACKUP:
            return await self.backup.handle(request)
        if name == CDN:
            return await self.cdn.handle(request)
        return await self.sink.handle(request)

    async def _listen(
        self,
        port: int,
        routes: Sequence[tuple[str, Handler | Callable[[web.Request], Awaitable[web.Response]]]],
    ) -> None:
        runner, _ = await listen(self._address, port, routes)
        self._runners.append(runner)


async def listen(address: str, port: int, routes: Sequence[tuple[str, Handler]]) -> tuple[web.AppRunner, int]:
    """Serve `routes`, any method; gives the runner and the port that was taken (0 takes a free one)."""
    application = web.Application(client_max_size=_LARGEST_UPLOAD)
    for path, handler in routes:
        application.router.add_route("*", path, handler)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, address, port)
    await site.start()
    return runner, runner.addresses[0][1]
