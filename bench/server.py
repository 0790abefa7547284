"""`python -m bench.server`: serves a folder as an object store does, over a line of a given rate.

A process of its own, with one thread a connection and `sendfile`, so that it takes next to nothing of the CPU
that is measured. It prints one JSON line with its port, then serves until it is ended.

    GET  /b/NAME    a file, ranges and If-Range honoured, MD5 as ETag
    GET  /stats     {"sent", "last", "most"}: bytes, moment of the last byte (monotonic clock), connections
    POST /again     counters to zero, damage to be done anew
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.bucket import TokenBucket

ROOT = Path(__file__).parents[1]
_RANGE = re.compile(r"bytes=(\d+)-(\d*)\Z")
_SEND_BUFFER = 1 << 17
_SMALLEST, _LARGEST = 1 << 13, 1 << 18
_PIECES_A_SECOND = 100


@dataclass(frozen=True)
class Line:
    """What lies between the server and its clients.

    :param total: bytes per second of all connections together; None: no limit.
    :param each: bytes per second of each connection.
    :param reset_every: bytes after which all connections are reset, again and again.
    :param damaged: names of files of which one bit is flipped the first time that it is sent.
    :param etags: whether to give each file's MD5 as its ETag.
    """

    total: float | None = None
    each: float | None = None
    reset_every: int | None = None
    damaged: tuple[str, ...] = ()
    etags: bool = True


@dataclass
class _State:
    """What the connections share."""

    folder: Path
    line: Line
    bucket: TokenBucket
    lock: threading.Lock = field(default_factory=threading.Lock)
    sent: int = 0
    last: float = 0.0
    now: int = 0
    most: int = 0
    resets: int = 0
    to_damage: set[str] = field(default_factory=set)
    etags: dict[str, str] = field(default_factory=dict)

    def again(self) -> None:
        """As if just started."""
        with self.lock:
            self.sent, self.last, self.most, self.resets = 0, 0.0, 0, 0
            self.to_damage = set(self.line.damaged)

    def count(self, count: int) -> None:
        """These bytes are about to go: who has received them finds them counted."""
        with self.lock:
            self.sent += count
            if self.line.reset_every:
                self.resets = self.sent // self.line.reset_every

    def etag(self, name: str) -> str | None:
        """The file's MD5."""
        if self.line.etags and name not in self.etags:
            with (self.folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
            self.etags[name] = f'"{digest.hexdigest()}"'
        return self.etags.get(name)

    def spoiled(self, name: str, start: int, end: int) -> int | None:
        """Where to flip a bit in these bytes, if this is the first time that its place is sent."""
        place = (self.folder / name).stat().st_size * 2 // 3
        with self.lock:
            if name in self.to_damage and start <= place < end:
                self.to_damage.discard(name)
                return place
        return None


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: _State

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._own = TokenBucket(self.state.line.each)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        self.state.again()
        self._answer_json({})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.path == "/stats":
            state = self.state
            self._answer_json({"sent": state.sent, "last": state.last, "most": state.most})
            return
        name = self.path.partition("?")[0].removeprefix("/b/")
        path = self.state.folder / name
        if "/" in name or not path.is_file():
            self.send_error(404)
            return
        self._answer_file(name, path)

    def _answer_json(self, answer: dict[str, float]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer_file(self, name: str, path: Path) -> None:
        size, etag = path.stat().st_size, self.state.etag(name)
        wanted = _RANGE.match(self.headers.get("Range", ""))
        start, end = 0, size
        if wanted and self.headers.get("If-Range") in {None, etag}:
            start = int(wanted[1])
            end = min(int(wanted[2]) + 1, size) if wanted[2] else size
            if start >= size:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - start))
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        if self.command == "GET":
            self._send(name, path, start, end)

    def _send(self, name: str, path: Path, at: int, end: int) -> None:
        state = self.state
        with state.lock:
            state.now += 1
            state.most = max(state.most, state.now)
            resets = state.resets
        rate = min(filter(None, (state.line.total, state.line.each)), default=None)
        piece = _LARGEST if rate is None else int(max(_SMALLEST, min(_LARGEST, rate / _PIECES_A_SECOND)))
        try:
            with path.open("rb") as file:
                while at < end:
                    count = min(piece, end - at)
                    with state.lock:
                        moment = time.monotonic()
                        wait = max(state.bucket.take(count, moment), self._own.take(count, moment))
                    if wait:
                        time.sleep(wait)
                    if state.resets != resets:
                        self._reset()
                        return
                    state.count(count)
                    self._send_piece(file.fileno(), name, at, at + count)
                    state.last = time.monotonic()
                    at += count
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with state.lock:
                state.now -= 1

    def _send_piece(self, descriptor: int, name: str, at: int, end: int) -> None:
        place = self.state.spoiled(name, at, end) if self.state.to_damage else None
        if place is not None:
            data = bytearray(os.pread(descriptor, end - at, at))
            data[place - at] ^= 1
            self.connection.sendall(data)
            return
        while at < end:
            at += os.sendfile(self.connection.fileno(), descriptor, at, end - at)

    def _reset(self) -> None:
        """Cut the connection as a broken network does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def finish(self) -> None:
        if self.connection.fileno() >= 0:
            super().finish()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def shutdown_request(self, request: Any) -> None:
        if request.fileno() >= 0:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours; anything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Server:
    """The server in a process of its own. To be used as a context."""

    def __init__(self, folder: Path, line: Line) -> None:
        command = [sys.executable, "-m", "bench.server", str(folder), json.dumps(asdict(line))]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True)
        if self._process.stdout is None:
            raise AssertionError
        self._port = int(json.loads(self._process.stdout.readline())["port"])

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def url(self, name: str) -> str:
        """Where a file is."""
        return f"http://127.0.0.1:{self._port}/b/{name}"

    def again(self) -> None:
        """Begin to count anew, and to do damage."""
        self._ask("POST", "/again")

    def stats(self) -> dict[str, float]:
        """What was sent since."""
        return self._ask("GET", "/stats")

    def _ask(self, method: str, path: str) -> dict[str, float]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request(method, path, headers={"Content-Length": "0"})
            found: dict[str, float] = json.loads(connection.getresponse().read())
            return found
        finally:
            connection.close()


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(prog="python -m bench.server")
    parser.add_argument("folder", type=Path)
    parser.add_argument("line", type=json.loads)
    arguments = parser.parse_args()
    line = Line(**{**arguments.line, "damaged": tuple(arguments.line["damaged"])})
    state = _State(arguments.folder, line, TokenBucket(line.total))
    state.again()
    for path in sorted(arguments.folder.iterdir()):
        if path.is_file():
            state.etag(path.name)
    listener = _Listener(("127.0.0.1", 0), type("Connection", (_Connection,), {"state": state}))
    sys.stdout.write(json.dumps({"port": listener.server_port}) + "\n")
    sys.stdout.flush()
    listener.serve_forever()


if __name__ == "__main__":
    main()
