"""The messenger attaches a file, and a message travels over the push server to another browser."""

import asyncio
import json
import secrets
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp

from boxlift.verify.browser import Browser, receive_text
from boxlift.verify.channel import messages


async def test_a_file_is_attached_and_read_back(signed_in: Browser) -> None:
    content = f"attachment {secrets.token_hex(16)}"
    form = aiohttp.FormData({"MESSAGE": "price list"})
    form.add_field("FILE", content.encode(), filename="price list.txt", content_type="text/plain")
    page = await signed_in.post("/online/", form, json=True)
    assert page.status == HTTPStatus.OK, page.text
    fetched = await signed_in.get(json.loads(page.text)["url"])
    assert fetched.status == HTTPStatus.OK
    assert fetched.text == content


async def test_a_message_reaches_the_other_side(signed_in: Browser) -> None:
    page = json.loads((await signed_in.get("/online/", json=True)).text)
    address = urlsplit(page["ws_url"])
    text = f"message {secrets.token_hex(8)}"
    async with signed_in.subscribe(f"{address.path}?{address.query}") as channel:
        await asyncio.sleep(0.5)
        sent = await signed_in.post("/online/", {"MESSAGE": text, "CHAT_ID": str(page["chat"])}, json=True)
        assert sent.status == HTTPStatus.OK, sent.text
        received = await receive_text(channel, 10)
    assert received is not None
    assert text in json.dumps([message["text"] for message in messages(received)], ensure_ascii=False)
