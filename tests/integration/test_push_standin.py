"""The push server's stand-in: signature, framing, storage; a message from the messenger to a page."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import ClientSession

from boxlift.verify.channel import messages, new_channel_id, sign
from tests.integration.portal_site import Site, restored_site
from tests.integration.push_site import KEY, Push, running_push, running_redis

WRONG_SIGNATURE = 4010
PASSWORD = "a-new-password-1"


@pytest.fixture(scope="module")
def push(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Push]:
    home = tmp_path_factory.mktemp("push")
    with running_redis(home) as path, running_push(home, path) as ports:
        yield ports


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


async def publish(client: ClientSession, push: Push, channels: str, text: str, route: str = "pub") -> int:
    url = f"http://127.0.0.1:{push.publish}/bitrix/{route}/?CHANNEL_ID={channels}"
    async with client.post(url, data=text.encode(), headers={"Message-Expiry": "60"}) as answer:
        return answer.status


async def heard(channel: aiohttp.ClientWebSocketResponse) -> list[dict[str, object]]:
    return messages(str((await asyncio.wait_for(channel.receive(), 5)).data))


@pytest.mark.parametrize("route", ["sub", "subws"])
async def test_subscriber_hears_what_is_published(client: ClientSession, push: Push, route: str) -> None:
    one, two = new_channel_id(), new_channel_id()
    signed = f"{sign(one, KEY)}/{sign(two, KEY)}"
    url = f"http://127.0.0.1:{push.subscribe}/bitrix/{route}/?CHANNEL_ID={signed}"
    async with client.ws_connect(url) as channel:
        assert await publish(client, push, one, '{"a": "привет"}') == 200
        (message,) = await heard(channel)
        assert message["text"] == {"a": "привет"}
        assert (message["channel"], message["tag"], message["id"]) == ("-", "400", 1)
        assert await publish(client, push, two, "x" * 70_000) == 200
        assert (await heard(channel))[0]["text"] == "x" * 70_000
        assert await publish(client, push, new_channel_id(), "other") == 200
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(channel.receive(), 0.3)


@pytest.mark.parametrize("key", [KEY + "x", ""])
async def test_wrong_signature_opens_then_closes(client: ClientSession, push: Push, key: str) -> None:
    signed = sign(new_channel_id(), key) if key else new_channel_id()
    async with client.ws_connect(push.url(signed)) as channel:
        await asyncio.wait_for(channel.receive(), 5)
        assert channel.close_code == WRONG_SIGNATURE


async def test_private_and_public_pair(client: ClientSession, push: Push) -> None:
    private, public = new_channel_id(), new_channel_id()
    signed = sign(f"{private}:{public}", KEY)
    async with client.ws_connect(push.url(signed)) as channel:
        assert await publish(client, push, private, "1") == 200
        assert (await heard(channel))[0]["text"] == 1


async def test_missed_messages_come_after_the_last_known(client: ClientSession, push: Push) -> None:
    channel_id = new_channel_id()
    url = push.url(sign(channel_id, KEY))
    async with client.ws_connect(url) as channel:
        await publish(client, push, channel_id, "1")
        mid = (await heard(channel))[0]["mid"]
    await publish(client, push, channel_id, "2")
    async with client.ws_connect(f"{url}&mid={mid}") as channel:
        assert (await heard(channel))[0]["text"] == 2


async def test_bad_publications(client: ClientSession, push: Push) -> None:
    assert await publish(client, push, "short", "x") == 400
    channel_id = new_channel_id()
    assert await publish(client, push, channel_id, "x", "rest") == 400
    signed = f"{channel_id}.{sign(f'public:{channel_id}', KEY).rpartition('.')[2]}"
    assert await publish(client, push, signed, "x", "rest") == 200
    url = f"http://127.0.0.1:{push.subscribe}/bitrix/pub/?CHANNEL_ID={channel_id}"
    async with client.post(url, data=b"x") as answer:
        assert answer.status == 404, "a subscriber's port publishes nothing"


async def test_statistics(client: ClientSession, push: Push) -> None:
    async with client.get(f"http://127.0.0.1:{push.publish}/server-stat/") as answer:
        (process,) = await answer.json()
    assert process["processUniqueId"] == f"tests-{push.publish}"


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, mariadb_socket: Path, push: Push) -> Iterator[Site]:
    """The restored sample with an employee who can sign in; the queue server is still off."""
    home = tmp_path_factory.mktemp("portal")
    site = restored_site(home, mariadb_socket, "portal_push", "define('BX_CRONTAB_SUPPORT', true);")
    site.sql("UPDATE b_lang SET SERVER_NAME = 'portal.acme.example'")
    site.give_password("admin", PASSWORD)
    with site.served():
        yield site


async def test_messenger(client: ClientSession, push: Push, portal: Site) -> None:
    visitor = portal.visitor()
    visitor.sign_in("admin", PASSWORD)
    page = visitor.get("/online/")
    assert page.facts["attachments"] is False
    assert page.facts["ws_url"] is None
    assert 'id="attach-button"' not in visitor.get("/online/", accept="text/html").text
    assert visitor.upload("/online/", "a.txt", b"text").facts["error"] == "attachments_off"

    portal.option("pull", "nginx", "Y")
    portal.option("pull", "signature_key", KEY)
    assert visitor.post("/online/", MESSAGE="nobody hears").status == 200
    error = portal.php(r"echo \Bitrix\Main\Config\Option::get('pull', 'nginx_error', 'none');")
    assert error != "none", "an empty path_to_publish in b_option beats the default"
    portal.option("pull", "path_to_publish", f"http://127.0.0.1:{push.publish}/bitrix/pub/")

    facts = visitor.get("/online/").facts
    assert facts["attachments"] is True
    assert facts["ws_url"].startswith("ws://portal.acme.example/bitrix/subws/?CHANNEL_ID=")
    assert 'id="attach-button"' in visitor.get("/online/", accept="text/html").text
    query = urllib.parse.urlsplit(facts["ws_url"]).query
    async with client.ws_connect(f"http://127.0.0.1:{push.subscribe}/bitrix/subws/?{query}") as channel:
        posted = await asyncio.to_thread(visitor.post, "/online/", MESSAGE="Привет")
        (message,) = await heard(channel)
        text = message["text"]
        assert isinstance(text, dict)
        assert text["module_id"] == "im"
        assert text["params"]["message"] == {"id": posted.facts["id"], "senderId": 1, "text": "Привет"}
        attached = await asyncio.to_thread(visitor.upload, "/online/", "Акт № 1.txt", "Данные".encode())
        text = (await heard(channel))[0]["text"]
        assert isinstance(text, dict)
        assert text["params"]["files"][0]["url"] == attached.facts["url"]
    assert visitor.get(attached.facts["url"]).text == "Данные"
    row = portal.sql(
        "SELECT MODULE_ID, ORIGINAL_NAME, FILE_SIZE FROM b_file WHERE ID = %s", attached.facts["file"]
    )
    assert row == [("im", "Акт № 1.txt", 12)]

    portal.option("pull", "signature_key", "x" * 128)
    query = urllib.parse.urlsplit(visitor.get("/online/").facts["ws_url"]).query
    async with client.ws_connect(f"http://127.0.0.1:{push.subscribe}/bitrix/subws/?{query}") as channel:
        await asyncio.wait_for(channel.receive(), 5)
        assert channel.close_code == WRONG_SIGNATURE, "keys of portal and push server differ"
    assert json.loads(visitor.get("/online/").text)["messages"][-1]["MESSAGE"].startswith("Акт № 1.txt")
