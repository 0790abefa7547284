"""The server that hands out backups, and breaks as its scenario says."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import struct
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from email.utils import formatdate
from pathlib import Path

import yaml
from aiohttp import web

from lab.cloud import scenario, signature
from lab.cloud.limit import Pace
from lab.cloud.scenario import Fault, Scenario, ScenarioError
from lab.cloud.storage import Storage, Stored, other_bytes

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_CHUNK = 256 << 10
_KEPT_REQUESTS = 20000
_ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_LATER = 86400
_GLANCE = 0.05


@dataclass(frozen=True)
class Served:
    """One request and what became of it: `sent` bytes of body, `fault` as struck."""

    at: float
    method: str
    path: str
    range: str
    status: int
    sent: int
    fault: str


@dataclass(frozen=True)
class Answer:
    """What a request is to get: bytes start..stop (stop excluded) of an object in its present form."""

    stored: Stored
    start: int
    stop: int
    status: int
    changed: bool
    fault: Fault | None


class _RefusedError(Exception):
    """An answer without an object."""

    def __init__(
        self, status: int, code: str, headers: Mapping[str, str] | None = None, fault: str = ""
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})
        self.fault = fault


class BackupServer:
    """Serves a folder; with `secret` only to signed links. `scenario_file` is read again when it changes."""

    def __init__(
        self,
        folder: Path,
        *,
        played: Scenario | None = None,
        scenario_file: Path | None = None,
        secret: str = "",
    ) -> None:
        self.storage = Storage(folder)
        self.requests: deque[Served] = deque(maxlen=_KEPT_REQUESTS)
        self._secret = secret
        self._file = scenario_file
        self._file_time = 0
        self._trouble = ""
        self._paces: weakref.WeakKeyDictionary[asyncio.BaseTransport, Pace] = weakref.WeakKeyDictionary()
        self.play(played or Scenario())

    def play(self, played: Scenario) -> None:
        """Change the scenario; every count begins anew."""
        self.scenario = played
        self._total = Pace(played.total_rate)
        self._paces.clear()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Objects by GET and HEAD; below /-/ what a test asks: requests, scenario."""
        if request.path.startswith("/-/"):
            return await self._manage(request)
        self._reload()
        try:
            answer, tag = await self._answer(request)
        except _RefusedError as refusal:
            self._record(request, refusal.status, 0, refusal.fault)
            text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{refusal.code}</Code></Error>'
            return web.Response(
                status=refusal.status, text=text, content_type="application/xml", headers=refusal.headers
            )
        return await self._send(request, answer, tag)

    async def _answer(self, request: web.Request) -> tuple[Answer, str]:
        key = request.path.lstrip("/")
        if request.method not in ("GET", "HEAD"):
            raise _RefusedError(405, "MethodNotAllowed")
        if self._secret and (why := signature.refusal(request.method, key, request.query, self._secret)):
            raise _RefusedError(403, why)
        stored = self.storage.find(key)
        if stored is None:
            raise _RefusedError(404, "NoSuchKey")
        changed = self.scenario.changed(key, request.method)
        tag = await self.storage.etag(stored, self.scenario.etag, self.scenario.part_size)
        tag = f'"{_other_tag(tag) if changed else tag}"' if tag else ""
        if request.headers.get("If-Match", "*") not in ("*", tag):
            raise _RefusedError(412, "PreconditionFailed")
        start, stop, status = self._range(request, stored, tag)
        fault = self.scenario.strike(key, request.method, start, stop, stored.size)
        if fault is not None and fault.kind == "no_range":
            start, stop, status = 0, stored.size, 200
        if fault is not None and fault.kind == "status":
            wait = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            raise _RefusedError(fault.code, "AsTheScenarioSays", wait, "status")
        return Answer(stored, start, stop, status, changed, fault), tag

    def _range(self, request: web.Request, stored: Stored, tag: str) -> tuple[int, int, int]:
        """First byte, end (excluded) and status that a Range header asks for; If-Range may cancel it."""
        match = _ONE_RANGE.fullmatch(request.headers.get("Range", ""))
        condition = request.headers.get("If-Range")
        if match is None or (condition is not None and condition != tag) or match.group(1, 2) == ("", ""):
            return 0, stored.size, 200
        first, last = match.groups()
        start = int(first) if first else max(0, stored.size - int(last))
        stop = min(stored.size, int(last) + 1) if first and last else stored.size
        if start >= stop:
            raise _RefusedError(416, "InvalidRange", {"Content-Range": f"bytes */{stored.size}"})
        return start, stop, 206

    async def _send(self, request: web.Request, answer: Answer, tag: str) -> web.StreamResponse:
        fault, length = answer.fault, answer.stop - answer.start
        shift = fault.by if fault is not None and fault.kind == "length" else 0
        age = _LATER if answer.changed else 0
        response = web.StreamResponse(status=answer.status)
        response.content_type = "application/octet-stream"
        response.headers["Accept-Ranges"] = "bytes"
        response.headers["Last-Modified"] = formatdate(answer.stored.modified + age, usegmt=True)
        response.content_length = max(0, length + shift)
        if tag:
            response.headers["ETag"] = tag
        if answer.status == web.HTTPPartialContent.status_code:
            end = answer.stop - 1
            response.headers["Content-Range"] = f"bytes {answer.start}-{end}/{answer.stored.size}"
        struck = "" if fault is None else fault.kind
        if request.method == "HEAD":
            self._record(request, answer.status, 0, struck)
            await response.prepare(request)
            return response
        sent = 0
        try:
            await response.prepare(request)
            sent = await self._body(request, response, answer, length + min(0, shift))
        finally:
            self._record(request, answer.status, sent, struck)
        return response

    async def _body(
        self, request: web.Request, response: web.StreamResponse, answer: Answer, length: int
    ) -> int:
        """Send `length` bytes as far as the fault allows; gives how many went out."""
        fault, size = answer.fault, answer.stored.size
        kind = "" if fault is None else fault.kind
        mark = -1 if fault is None else fault.position(answer.start, answer.stop, size)
        own = self._pace(request, fault)
        end = answer.start + length
        if kind in ("cut", "reset", "hang"):
            end = min(end, mark)
        descriptor = os.open(answer.stored.file, os.O_RDONLY)
        offset = answer.start
        try:
            while offset < end:
                step = min(end - offset, own.chunk(self._total.chunk(_CHUNK)))
                data = os.pread(descriptor, step, offset)
                if answer.changed:
                    data = other_bytes(data, offset)
                if kind == "flip" and fault is not None and offset <= mark < offset + len(data):
                    place = mark - offset
                    data = data[:place] + bytes([data[place] ^ (1 << fault.bit)]) + data[place + 1 :]
                await own.take(len(data))
                await self._total.take(len(data))
                await response.write(data)
                offset += len(data)
        finally:
            os.close(descriptor)
        if kind == "hang" and fault is not None:
            await _silence(request, fault.seconds)
        if kind in ("cut", "reset", "hang", "length"):
            _hang_up(request, reset=kind == "reset")
        return offset - answer.start

    def _pace(self, request: web.Request, fault: Fault | None) -> Pace:
        if fault is not None and fault.kind == "slow":
            return Pace(fault.rate)
        if request.transport is None:
            return Pace(self.scenario.connection_rate)
        return self._paces.setdefault(request.transport, Pace(self.scenario.connection_rate))

    def _record(self, request: web.Request, status: int, sent: int, fault: str) -> None:
        asked = request.headers.get("Range", "")
        self.requests.append(Served(time.time(), request.method, request.path, asked, status, sent, fault))

    def _reload(self) -> None:
        if self._file is None:
            return
        stamp = self._file.stat().st_mtime_ns if self._file.exists() else 0
        if stamp == self._file_time:
            return
        self._file_time = stamp
        try:
            self.play(scenario.load(self._file) if stamp else Scenario())
            self._trouble = ""
        except ScenarioError as error:
            self._trouble = str(error)

    async def _manage(self, request: web.Request) -> web.Response:
        if request.path == "/-/requests":
            if request.method == "DELETE":
                self.requests.clear()
            return web.json_response([asdict(entry) for entry in self.requests])
        if request.path != "/-/scenario":
            raise web.HTTPNotFound
        if request.method == "PUT":
            try:
                self.play(scenario.parse(yaml.safe_load(await request.text())))
            except (ScenarioError, yaml.YAMLError) as error:
                return web.json_response({"error": str(error)}, status=400)
        elif request.method == "DELETE":
            self.play(Scenario())
        self._reload()
        faults = [asdict(fault) for fault in self.scenario.faults]
        return web.json_response({"faults": faults, "error": self._trouble})


def _other_tag(tag: str) -> str:
    return tag[::-1] if tag[::-1] != tag else f"0{tag[1:]}"


async def _silence(request: web.Request, seconds: float) -> None:
    """Say nothing until the time is over or the client has gone."""
    for _ in range(int(seconds / _GLANCE)):
        if request.transport is None or request.transport.is_closing():
            return
        await asyncio.sleep(_GLANCE)


def _hang_up(request: web.Request, *, reset: bool) -> None:
    transport = request.transport
    if transport is None:
        return
    if reset:
        line = transport.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    else:
        transport.close()
