"""An HTTP server on loopback that serves files as an object store does, and misbehaves as a test tells it."""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

_RANGE = re.compile(r"bytes=(\d+)-(\d*)\Z")


@dataclass(frozen=True)
class Request:
    """One request as the server saw it.

    :param count: how many came before it for the same name.
    :param start: first byte asked for; `end` the one after the last.
    """

    name: str
    count: int
    start: int
    end: int
    query: str
    if_range: str | None


@dataclass
class Answer:
    """What the server does with a request; the defaults are those of a sound server.

    :param body: of the object, instead of the file's bytes.
    :param cut: the connection is cut after so many bytes of the answer.
    :param hang: the connection falls silent after so many bytes.
    :param rate: bytes per second of this connection.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    etag: str | None = "md5"
    ranges: bool = True
    cut: int | None = None
    hang: int | None = None
    rate: float | None = None
    redirect: str | None = None


Rule = Callable[[Request], Answer | None]


class FaultyServer:
    """Serves a folder below `/b/`. To be used as a context.

    :param tls: serve over https, with this certificate.
    """

    def __init__(self, folder: Path, tls: ssl.SSLContext | None = None) -> None:
        self.folder = folder
        self._tls = tls
        self.rules: list[Rule] = []
        self.requests: list[Request] = []
        self.sent = 0
        self.most_at_once = 0
        self._at_once = 0
        self._counts: dict[str, int] = {}
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._port = 0
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> FaultyServer:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def url(self, name: str, query: str = "") -> str:
        """Where a file of the folder is."""
        return f"{self.base}/{name}{'?' + query if query else ''}"

    @property
    def base(self) -> str:
        """Where the folder is."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}/b"

    def count(self, name: str) -> int:
        """How many requests came for a file."""
        return self._counts.get(name, 0)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._main())
        self._loop.close()

    async def _main(self) -> None:
        application = web.Application()
        application.router.add_get("/b/{name:.+}", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self._port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        path = self.folder / name
        count = self._counts.get(name, 0)
        self._counts[name] = count + 1
        match = _RANGE.match(request.headers.get("Range", ""))
        size = path.stat().st_size if path.is_file() else 0
        start = int(match[1]) if match else 0
        end = min(int(match[2]) + 1, size) if match and match[2] else size
        seen = Request(name, count, start, end, request.query_string, request.headers.get("If-Range"))
        self.requests.append(seen)
        how = next((found for rule in self.rules if (found := rule(seen)) is not None), Answer())
        if how.redirect is not None:
            raise web.HTTPFound(how.redirect)
        if how.status:
            return web.Response(status=how.status, headers=how.headers, body=how.body or b"<Error/>")
        if not path.is_file() and how.body is None:
            return web.Response(status=404)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await self._send(request, seen, how, path, ranged=match is not None)
        except ConnectionResetError:
            # The client went away, as many tests make it do.
            return web.Response(status=500)
        finally:
            self._at_once -= 1

    async def _send(
        self, request: web.Request, seen: Request, how: Answer, path: Path, *, ranged: bool
    ) -> web.StreamResponse:
        whole = how.body if how.body is not None else path.read_bytes()
        headers = dict(how.headers)
        etag = self.etag(whole) if how.etag == "md5" else how.etag
        if etag is not None:
            headers["ETag"] = etag if etag.startswith("W/") else f'"{etag}"'
        same = seen.if_range is None or seen.if_range == headers.get("ETag")
        start, end = min(seen.start, len(whole)), min(max(seen.end, seen.start), len(whole))
        if ranged and how.ranges and same:
            if seen.start >= len(whole):
                return web.Response(status=416, headers={"Content-Range": f"bytes */{len(whole)}"})
            end = end if how.body is None else min(seen.end or len(whole), len(whole))
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(whole)}"
            response = web.StreamResponse(status=206, headers=headers)
            data = whole[start:end]
        else:
            response = web.StreamResponse(status=200, headers=headers)
            data = whole
        if "Content-Length" not in headers:
            response.content_length = len(data)
        await response.prepare(request)
        step = max(64, min(1 << 14, int(how.rate / 10))) if how.rate else 1 << 16
        for at in range(0, len(data), step):
            piece = data[at : at + step]
            if how.cut is not None and at + len(piece) > how.cut:
                piece = piece[: max(0, how.cut - at)]
                await response.write(piece)
                self.sent += len(piece)
                if request.transport is not None:
                    request.transport.close()
                return response
            if how.hang is not None and at + len(piece) > how.hang:
                await response.write(piece[: max(0, how.hang - at)])
                await asyncio.sleep(3600)
            await response.write(piece)
            self.sent += len(piece)
            if how.rate:
                await asyncio.sleep(len(piece) / how.rate)
        return response

    def etag(self, body: bytes) -> str:
        return hashlib.md5(body, usedforsecurity=False).hexdigest()
