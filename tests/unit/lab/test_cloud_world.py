"""Mail, webhooks and connections that leave a portal are taken in and told."""

from __future__ import annotations

import asyncio
import os
import smtplib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from lab.cloud.world import Ports, World

# A loopback address of this process alone: on 127.0.0.1 somebody else may take a port before World does.
ADDRESS = f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250 + 1}.1"


@dataclass(frozen=True)
class Reach:
    ports: Ports
    client: aiohttp.ClientSession

    async def ask(self, method: str, port: int, path: str, host: str = ADDRESS) -> Any:
        url = f"http://{ADDRESS}:{port}{path}"
        async with self.client.request(method, url, headers={"Host": host}, data=b"{}") as answer:
            return await answer.json(content_type=None)


def _free(count: int) -> list[int]:
    lines = [socket.create_server((ADDRESS, 0)) for _ in range(count)]
    ports = [line.getsockname()[1] for line in lines]
    for line in lines:
        line.close()
    return ports


@pytest.fixture
async def reach(tmp_path: Path) -> AsyncIterator[Reach]:
    for name in ("backup", "cdn"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "object").write_text(f'"{name}"')
    web, smtp, mailbox, sink, silent = _free(5)
    ports = Ports(web, smtp, mailbox, sink, (silent,), (silent,))
    world = World(tmp_path, ADDRESS, ports)
    await world.start()
    async with aiohttp.ClientSession() as client:
        yield Reach(ports, client)
    await world.stop()


def _send(port: int, recipients: list[str]) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        "portal@acme.example",
        ", ".join(recipients),
        "Пароль",
    )
    message.set_content("Ссылка: https://portal.acme.example/?change_password=yes\n")
    with smtplib.SMTP(ADDRESS, port, timeout=10) as relay:
        relay.login("portal", "any")
        relay.send_message(message)


async def test_mail_is_kept_for_each_recipient(reach: Reach) -> None:
    await asyncio.to_thread(_send, reach.ports.smtp, ["a@acme.example", "b@acme.example"])
    everything = await reach.ask("GET", reach.ports.mailbox, "/messages")
    (mail,) = await reach.ask("GET", reach.ports.mailbox, "/messages?to=B@acme.example")
    assert len(everything) == 2
    assert set(mail) == {"peer", "from", "to", "subject", "date", "body", "received"}
    assert (mail["from"], mail["to"], mail["subject"]) == ("portal@acme.example", "b@acme.example", "Пароль")
    assert "change_password=yes" in mail["body"]
    assert await reach.ask("DELETE", reach.ports.mailbox, "/messages") == []


async def test_hosts_are_told_apart_by_name(reach: Reach) -> None:
    assert await reach.ask("GET", reach.ports.web, "/object", "backup.cloud.example") == "backup"
    assert await reach.ask("GET", reach.ports.web, "/object", "cdn.cloud.example") == "cdn"
    assert await reach.ask("GET", reach.ports.sink, "/requests") == []


async def test_requests_to_vendors_are_recorded(reach: Reach) -> None:
    await reach.ask("POST", reach.ports.web, "/rest/hook?x=1", "hooks.vendor.example")
    (entry,) = await reach.ask("GET", reach.ports.sink, "/requests")
    assert (entry["method"], entry["host"], entry["path"]) == ("POST", "hooks.vendor.example", "/rest/hook")
    assert (entry["query"], entry["body"]) == ("x=1", "{}")
    assert await reach.ask("DELETE", reach.ports.sink, "/requests") == []


async def test_connections_and_datagrams_are_counted(reach: Reach) -> None:
    port = reach.ports.silent[0]
    _, writer = await asyncio.open_connection(ADDRESS, port)
    writer.write(b"a1 LOGIN")
    await writer.drain()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.sendto(b"REGISTER sip:x", (ADDRESS, port))
    seen: list[dict[str, object]] = []
    for _ in range(200):
        seen = await reach.ask("GET", reach.ports.sink, "/connections")
        if len(seen) == 2:
            break
        await asyncio.sleep(0.05)
    assert {(entry["protocol"], entry["port"]) for entry in seen} == {("tcp", port), ("udp", port)}
    assert {entry["first"] for entry in seen} == {"a1 LOGIN", "REGISTER sip:x"}
    writer.close()
