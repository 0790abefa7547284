"""The messenger offers attachments, and its page's own channel works (portal_runtime E)."""

import asyncio
import secrets
from urllib.parse import urlsplit

from testinfra.host import Host

from boxlift.verify.browser import Browser, receive_text
from boxlift.verify.channel import messages
from boxlift.verify.inventory import Setting
from boxlift.verify.release import Release

EXPECTED = {"nginx": "Y", "nginx_version": "4", "server_mode": "personal", "websocket": "Y"}


def test_options(active_release: Release) -> None:
    rows = dict(active_release.database.rows("SELECT NAME, VALUE FROM b_option WHERE MODULE_ID = 'pull'"))
    assert {name: rows.get(name) for name in EXPECTED} == EXPECTED
    assert "host_id" not in rows


def test_key_is_the_push_servers(active_release: Release, setting: Setting) -> None:
    rows = dict(active_release.database.rows("SELECT NAME, VALUE FROM b_option WHERE MODULE_ID = 'pull'"))
    assert rows.get("signature_key") == setting("vault_push_signature_key")


async def test_messenger_offers_attachments(signed_in: Browser) -> None:
    page = await signed_in.get("/online/", json=True)
    content = page.json()
    assert isinstance(content, dict)
    assert content["attachments"] is True


async def test_message_reaches_the_messenger_page(signed_in: Browser, push: Host, setting: Setting) -> None:
    page = await signed_in.get("/online/", json=True)
    content = page.json()
    assert isinstance(content, dict)
    address = urlsplit(str(content["ws_url"]))
    assert (address.scheme, address.hostname) == ("wss", setting("portal_domain"))
    channel = address.query.partition("CHANNEL_ID=")[2].partition(".")[0].partition(":")[0]
    probe = secrets.token_hex(8)
    async with signed_in.subscribe(f"{address.path}?{address.query}") as subscription:
        await asyncio.to_thread(
            push.check_output,
            "curl -sS -o /dev/null -H 'Message-Expiry: 60' --data %s %s",
            f'{{"probe": "{probe}"}}',
            f"http://127.0.0.1:8895/bitrix/pub/?CHANNEL_ID={channel}",
        )
        text = await receive_text(subscription, 10)
    assert text is not None
    assert {"probe": probe} in [message["text"] for message in messages(text)]


def test_portal_noted_no_publishing_error(active_release: Release) -> None:
    rows = active_release.database.rows(
        "SELECT VALUE FROM b_option"
        " WHERE MODULE_ID = 'pull' AND NAME = 'nginx_error' AND VALUE NOT IN ('', 'N')"
    )
    assert rows == []
