"""A message travels from the publishing port to a subscriber (portal_runtime E6)."""

import asyncio

import pytest
from testinfra.host import Host

from boxlift.verify.browser import Browser, receive_text
from boxlift.verify.channel import messages, new_channel_id, sign
from boxlift.verify.inventory import Setting

CLOSED_BY_SIGNATURE = 4010


@pytest.fixture
def key(setting: Setting) -> str:
    return str(setting("vault_push_signature_key"))


async def test_message_reaches_the_subscriber(browser: Browser, portal: Host, key: str) -> None:
    channel = new_channel_id()
    async with browser.subscribe(f"/bitrix/subws/?CHANNEL_ID={sign(channel, key)}") as subscription:
        # The publishing port is the portal's own, wherever the push server runs (portal_runtime E2).
        status = await asyncio.to_thread(
            portal.check_output,
            "curl -sS -o /dev/null -w '%%{http_code}' -H 'Message-Expiry: 60' --data %s %s",
            '{"probe": "boxlift"}',
            f"http://127.0.0.1:8895/bitrix/pub/?CHANNEL_ID={channel}",
        )
        text = await receive_text(subscription, 10)
    assert status == "200"
    assert text is not None
    assert messages(text)[0]["text"] == {"probe": "boxlift"}


async def test_wrong_signature_is_closed(browser: Browser, key: str) -> None:
    channel = new_channel_id()
    async with browser.subscribe(f"/bitrix/subws/?CHANNEL_ID={sign(channel, key + 'x')}") as subscription:
        text = await receive_text(subscription, 10)
        assert text is None
        assert subscription.close_code == CLOSED_BY_SIGNATURE


async def test_publishing_is_closed_from_outside(browser: Browser) -> None:
    page = await browser.post(f"/bitrix/pub/?CHANNEL_ID={new_channel_id()}", {"probe": "boxlift"})
    assert page.status in {403, 404}
