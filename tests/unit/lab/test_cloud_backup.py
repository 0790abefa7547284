"""The backup server on loopback: what it serves when all is well, and each way of going wrong."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from lab.cloud import signature
from lab.cloud.backup import BackupServer
from lab.cloud.scenario import parse
from lab.cloud.world import listen

SIZE = 300_000
BODY = bytes(index * 7 % 251 for index in range(SIZE))
Serve = Callable[..., Awaitable[str]]


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "acme.tar.gz").write_bytes(BODY)
    (tmp_path / "served" / "acme.tar.gz.1").write_bytes(BODY[::-1])
    (tmp_path / "secret").write_text("outside")
    return tmp_path / "served"


@pytest.fixture
async def serve(folder: Path) -> AsyncIterator[Serve]:
    runners = []

    async def start(scenario: object = None, secret: str = "") -> str:
        server = BackupServer(folder, played=parse(scenario), secret=secret)
        runner, port = await listen("127.0.0.1", 0, [("/{path:.*}", server.handle)])
        runners.append(runner)
        return f"http://127.0.0.1:{port}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


async def test_serves_an_object_with_its_size_date_and_md5(
    serve: Serve, client: aiohttp.ClientSession
) -> None:
    base = await serve()
    async with client.get(f"{base}/acme.tar.gz") as answer:
        assert await answer.read() == BODY
        assert answer.headers["ETag"] == f'"{_md5(BODY).hex()}"'
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert "Last-Modified" in answer.headers
    async with client.head(f"{base}/acme.tar.gz") as answer:
        assert answer.content_length == SIZE


async def test_multipart_etag_is_the_md5_of_the_parts_md5s(
    serve: Serve, client: aiohttp.ClientSession
) -> None:
    base = await serve({"etag": "multipart", "part_size": "100K"})
    parts = [BODY[start : start + 102400] for start in range(0, SIZE, 102400)]
    whole = _md5(b"".join(map(_md5, parts))).hex()
    async with client.head(f"{base}/acme.tar.gz") as answer:
        assert answer.headers["ETag"] == f'"{whole}-3"'


@pytest.mark.parametrize(
    ("asked", "expected", "told"),
    [
        ("bytes=10-19", BODY[10:20], "bytes 10-19/300000"),
        ("bytes=299990-", BODY[-10:], "bytes 299990-299999/300000"),
        ("bytes=-5", BODY[-5:], "bytes 299995-299999/300000"),
        ("bytes=299999-400000", BODY[-1:], "bytes 299999-299999/300000"),
    ],
)
async def test_ranges(
    serve: Serve, client: aiohttp.ClientSession, asked: str, expected: bytes, told: str
) -> None:
    base = await serve()
    async with client.get(f"{base}/acme.tar.gz", headers={"Range": asked}) as answer:
        assert (answer.status, await answer.read()) == (206, expected)
        assert answer.headers["Content-Range"] == told


async def test_refuses_what_is_not_there(serve: Serve, client: aiohttp.ClientSession) -> None:
    base = await serve()
    tries = {
        "/none": 404,
        "/%2e%2e/secret": 404,
        "/..%2fsecret": 404,
    }
    for path, status in tries.items():
        async with client.get(URL(base + path, encoded=True)) as answer:
            assert answer.status == status
    async with client.get(f"{base}/acme.tar.gz", headers={"Range": "bytes=300000-"}) as answer:
        assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */300000")
    async with client.post(f"{base}/acme.tar.gz") as answer:
        assert answer.status == 405


async def test_if_range_and_if_match(serve: Serve, client: aiohttp.ClientSession) -> None:
    base = await serve()
    tag = f'"{_md5(BODY).hex()}"'
    for headers, status in (
        ({"Range": "bytes=1-2", "If-Range": tag}, 206),
        ({"Range": "bytes=1-2", "If-Range": '"other"'}, 200),
        ({"Range": "bytes=1-2", "If-Match": tag}, 206),
        ({"Range": "bytes=1-2", "If-Match": '"other"'}, 412),
    ):
        async with client.get(f"{base}/acme.tar.gz", headers=headers) as answer:
            assert answer.status == status


@pytest.mark.parametrize("kind", ["cut", "reset"])
async def test_broken_connections_end_early_and_only_so_often(
    serve: Serve, client: aiohttp.ClientSession, kind: str
) -> None:
    base = await serve({"faults": [{"kind": kind, "match": "*.gz", "count": 1, "at": 100_000}]})
    # A reset may overtake the header on its way to a slow client.
    with pytest.raises(aiohttp.ClientError):
        async with client.get(f"{base}/acme.tar.gz") as answer:
            await answer.read()
    async with client.get(f"{base}/acme.tar.gz.1") as answer:
        assert await answer.read() == BODY[::-1]
    async with client.get(f"{base}/acme.tar.gz") as answer:
        assert await answer.read() == BODY


async def test_flip_strikes_requests_that_cover_the_place(
    serve: Serve, client: aiohttp.ClientSession
) -> None:
    base = await serve({"faults": [{"kind": "flip", "at": 1000, "bit": 3, "count": 1}]})
    url = f"{base}/acme.tar.gz"
    async with client.get(url, headers={"Range": "bytes=0-999"}) as answer:
        assert await answer.read() == BODY[:1000]
    async with client.get(url, headers={"Range": "bytes=500-1499"}) as answer:
        got = await answer.read()
    assert [index for index in range(1000) if got[index] != BODY[500 + index]] == [500]
    assert got[500] ^ BODY[1000] == 1 << 3
    async with client.get(url, headers={"Range": "bytes=500-1499"}) as answer:
        assert await answer.read() == BODY[500:1500]


async def test_statuses_with_and_without_retry_after(serve: Serve, client: aiohttp.ClientSession) -> None:
    base = await serve(
        {
            "faults": [
                {"kind": "status", "code": 503, "retry_after": 2, "count": 1},
                {"kind": "status", "code": 429, "from": 2, "to": 3},
                {"kind": "status", "code": 403, "method": "HEAD"},
            ]
        }
    )
    seen = []
    for _ in range(4):
        async with client.get(f"{base}/acme.tar.gz") as answer:
            seen.append((answer.status, answer.headers.get("Retry-After")))
    assert seen == [(503, "2"), (429, None), (429, None), (200, None)]
    async with client.head(f"{base}/acme.tar.gz") as answer:
        assert answer.status == 403


async def test_wrong_lengths(serve: Serve, client: aiohttp.ClientSession) -> None:
    base = await serve(
        {"faults": [{"kind": "length", "by": -100, "count": 1}, {"kind": "length", "by": 7, "from": 2}]}
    )
    async with client.get(f"{base}/acme.tar.gz") as answer:
        assert answer.content_length == SIZE - 100
        assert await answer.read() == BODY[:-100]
    async with client.get(f"{base}/acme.tar.gz") as answer:
        assert answer.content_length == SIZE + 7
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_range_ignored(serve: Serve, client: aiohttp.ClientSession) -> None:
    base = await serve({"faults": [{"kind": "no_range"}]})
    async with client.get(f"{base}/acme.tar.gz", headers={"Range": "bytes=5-9"}) as answer:
        assert (answer.status, await answer.read()) == (200, BODY)


async def test_object_changed_midway(serve: Serve, client: aiohttp.ClientSession) -> None:
    base = await serve({"faults": [{"kind": "changed", "from": 2}]})
    url = f"{base}/acme.tar.gz"
    async with client.get(url, headers={"Range": "bytes=0-99999"}) as answer:
        tag = answer.headers["ETag"]
        assert await answer.read() == BODY[:100_000]
    async with client.get(url, headers={"Range": "bytes=100000-", "If-Match": tag}) as answer:
        assert answer.status == 412
    async with client.get(url, headers={"Range": "bytes=100000-"}) as answer:
        assert answer.headers["ETag"] != tag
        got = await answer.read()
    assert len(got) == 200_000
    assert got != BODY[100_000:]


async def test_silence_lasts_until_the_client_goes(serve: Serve, client: aiohttp.ClientSession) -> None:
    base = await serve({"faults": [{"kind": "hang", "at": "50%", "count": 1}]})
    with pytest.raises(TimeoutError):
        async with client.get(f"{base}/acme.tar.gz", timeout=aiohttp.ClientTimeout(total=0.3)) as answer:
            await answer.read()
    async with client.get(f"{base}/acme.tar.gz") as answer:
        assert await answer.read() == BODY


async def test_rates_hold_for_a_connection_and_for_all(serve: Serve, client: aiohttp.ClientSession) -> None:
    async def fetch(base: str) -> None:
        async with client.get(f"{base}/acme.tar.gz") as answer:
            assert await answer.read() == BODY

    async def four(base: str) -> float:
        began = time.monotonic()
        await asyncio.gather(*(fetch(base) for _ in range(4)))
        return time.monotonic() - began

    # A busy machine makes both slower: four times as long in theory is far enough apart.
    apart = await four(await serve({"rate": {"connection": "600K"}}))
    together = await four(await serve({"rate": {"total": "600K"}}))
    assert apart > 0.4
    assert together > 1.8
    assert apart < together


async def test_signed_links_open_one_object_for_a_while(serve: Serve, client: aiohttp.ClientSession) -> None:
    base = await serve(secret="key")
    good = signature.sign(base, "acme.tar.gz", "key", 60)
    late = signature.sign(base, "acme.tar.gz", "key", -1)
    for url, status, code in (
        (good, 200, ""),
        (late, 403, "Request has expired"),
        (good.replace("acme.tar.gz", "acme.tar.gz.1"), 403, "SignatureDoesNotMatch"),
        (f"{base}/acme.tar.gz", 403, "AccessDenied"),
    ):
        async with client.get(url) as answer:
            assert answer.status == status
            assert code in (await answer.text() if code else "")
    async with client.head(good) as answer:
        assert answer.status == 403


async def test_tells_what_it_was_asked(serve: Serve, client: aiohttp.ClientSession) -> None:
    base = await serve()
    async with client.get(f"{base}/acme.tar.gz", headers={"Range": "bytes=0-9"}) as answer:
        await answer.read()
    async with client.get(f"{base}/-/requests") as answer:
        (entry,) = await answer.json()
    assert (entry["method"], entry["path"], entry["range"]) == ("GET", "/acme.tar.gz", "bytes=0-9")
    assert (entry["status"], entry["sent"]) == (206, 10)


async def test_scenario_changes_while_it_runs(serve: Serve, client: aiohttp.ClientSession) -> None:
    base = await serve()
    async with client.put(f"{base}/-/scenario", data="faults: [{kind: status, code: 429}]") as answer:
        assert answer.status == 200
    async with client.get(f"{base}/acme.tar.gz") as answer:
        assert answer.status == 429
    async with client.put(f"{base}/-/scenario", data="faults: [{kind: storm}]") as answer:
        assert answer.status == 400
        assert "storm" in (await answer.json())["error"]
