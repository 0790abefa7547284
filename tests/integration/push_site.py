"""A Redis and instances of the push server's stand-in, each on a port of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from programs import find, program

from tests.integration.portal_site import REPOSITORY, free_port, wait_for_port

KEY = "k" * 128


@dataclass(frozen=True)
class Push:
    """Ports of a subscriber and a publisher that share a Redis."""

    subscribe: int
    publish: int

    def url(self, signed: str) -> str:
        """Where a page subscribes to signed channels."""
        return f"http://127.0.0.1:{self.subscribe}/bitrix/subws/?CHANNEL_ID={signed}"


def redis() -> str:
    """The server's program. Debian's redis-tools bring it under another name, without a service."""
    return find("redis-server") or program("redis-check-rdb", "redis-tools")


@contextmanager
def running_redis(home: Path) -> Iterator[Path]:
    """Socket of a Redis that keeps nothing."""
    path = home / "redis.sock"
    process = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(home)],
        executable=redis(),
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            with socket.socket(socket.AF_UNIX) as probe:
                if path.exists() and probe.connect_ex(str(path)) == 0:
                    break
            time.sleep(0.05)
        yield path
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def running_push(home: Path, redis: Path) -> Iterator[Push]:
    """One subscriber and one publisher, set up as the vendor's instances are."""
    node = program("node", "nodejs")
    ports = []
    with ExitStack() as stack:
        for publishes in (False, True):
            port = free_port()
            path = home / f"push-{port}.json"
            path.write_text(json.dumps(instance(port, redis, publishes=publishes)))
            process = subprocess.Popen(
                [node, str(REPOSITORY / "lab/push/server.js"), "--config", str(path)],
                stdout=subprocess.DEVNULL,
            )
            stack.callback(process.wait, 10)
            stack.callback(process.terminate)
            wait_for_port(port)
            ports.append(port)
        yield Push(*ports)


def instance(port: int, redis: Path, *, publishes: bool) -> dict[str, object]:
    """Settings of one instance (portal_runtime E2)."""
    routes = {
        "pub": "/bitrix/pub/",
        "sub": "/bitrix/subws/",
        "rest": "/bitrix/rest/",
        "stat": "/server-stat/",
    }
    return {
        "servers": [
            {"name": str(port), "port": port, "hostname": "127.0.0.1", "backlog": 64, "routes": routes}
        ],
        "publishMode": publishes,
        "clusterMode": True,
        "processUniqueId": f"tests-{port}",
        "storage": {"type": "redis", "socket": str(redis), "messageTTL": 60},
        "security": {"key": KEY, "algo": "sha1"},
        "limits": {"maxPayload": 1048576},
    }
