"""The report live: served on loopback to one browser that knows the address, renewed by itself.

Only names of this machine are answered, so that a page of another site cannot reach it through a name that
it points here, and the address carries a random word, so that other users of the machine cannot read it.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import resources
from urllib.parse import urlsplit

from aiohttp import web

from boxlift.errors import BoxliftError, UsageError
from boxlift.plan import Pass
from boxlift.project import Project
from boxlift.report.gather import gather
from boxlift.report.model import Report
from boxlift.report.page import policy, render, sections

HOST = "127.0.0.1"
_OURS = frozenset({"127.0.0.1", "localhost", "::1"})
_FRESH = 2.0
"""Seconds for which a look at the project serves everybody who asks, at least."""
_REST = 9
"""Times as long as the last look took is waited before the next, which leaves the machine to the run."""
_LONGEST = 15.0
"""Seconds that a reader waits for news at most."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class _Look:
    """The project at one moment, and the sections of its report."""

    report: Report
    parts: dict[str, str]


class _View:
    """The newest look at the project. Looks are made one at a time, in a thread: plots take a while."""

    def __init__(self, project: Project, pass_: Pass | None) -> None:
        self._project = project
        self._pass = pass_
        self._lock = asyncio.Lock()
        self._newest: _Look | None = None
        self._until = 0.0

    async def look(self) -> _Look:
        """The newest; a new one only when the last has been good for long enough."""
        async with self._lock:
            began = time.monotonic()
            if self._newest is None or began >= self._until:
                self._newest = await asyncio.to_thread(self._make)
                ended = time.monotonic()
                self._until = ended + min(max(_FRESH, _REST * (ended - began)), _LONGEST)
            return self._newest

    def _make(self) -> _Look:
        report = gather(self._project, self._pass)
        return _Look(report, sections(report))


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        name = urlsplit(f"//{request.headers.get('Host', '')}").hostname
    except ValueError:
        name = None
    if name not in _OURS:
        raise web.HTTPMisdirectedRequest(text="boxlift watch answers to names of its own machine only\n")
    return await handler(request)


async def _closed(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def application(project: Project, pass_: Pass | None, word: str) -> web.Application:
    """What is served below `/<word>/`: the page, its script, its sections as JSON."""
    view = _View(project, pass_)

    async def page(_: web.Request) -> web.Response:
        text = await asyncio.to_thread(render, (await view.look()).report, live=True)
        headers = {"Content-Security-Policy": f"{policy(live=True)}; frame-ancestors 'none'"}
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def script(_: web.Request) -> web.Response:
        file = resources.files("boxlift.report") / "template" / "watch.js"
        return web.Response(text=file.read_text(encoding="utf-8"), content_type="text/javascript")

    async def news(_: web.Request) -> web.Response:
        try:
            look = await view.look()
        except BoxliftError as error:
            return web.json_response({"error": error.message}, status=503)
        return web.json_response(
            {
                "at": look.report.clock.iso(look.report.made),
                "made": look.report.clock.moment(look.report.made),
                "running": look.report.running,
                "sections": look.parts,
            }
        )

    app = web.Application(middlewares=[_guarded])
    app.on_response_prepare.append(_closed)
    app.add_routes(
        [
            web.get(f"/{word}/", page),
            web.get(f"/{word}/watch.js", script),
            web.get(f"/{word}/sections.json", news),
        ]
    )
    return app


def watch(project: Project, pass_: Pass | None, port: int, told: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM. `told` hears the address. UsageError where the port is taken."""
    asyncio.run(_serve(project, pass_, port, told))


async def _serve(project: Project, pass_: Pass | None, port: int, told: Callable[[str], None]) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    word = secrets.token_urlsafe(16)
    runner = web.AppRunner(application(project, pass_, word), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
            raise UsageError(
                f"port {port} of {HOST} cannot be used: {error.strerror}", cure="boxlift watch --port 0"
            ) from error
        told(f"http://{HOST}:{runner.addresses[0][1]}/{word}/")
        await ended.wait()
    finally:
        await runner.cleanup()
