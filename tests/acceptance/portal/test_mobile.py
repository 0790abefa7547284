"""The mobile application listens on a port of its own (portal_runtime A5, E1, J4)."""

import asyncio
import secrets

import pytest
from testinfra.host import Host

from boxlift.verify.browser import Browser, receive_text, receive_word
from boxlift.verify.channel import new_channel_id, sign
from boxlift.verify.inventory import Setting

CLOSED_BY_SIGNATURE = 4010


@pytest.fixture
def listener(setting: Setting) -> str:
    """Where an application subscribes: the default of the portal's option path_to_mobile_listener_secure."""
    port = int(str(setting("web_push_mobile_tls_port", 8894)))
    return f"https://{setting('portal_domain')}:{port}/bitrix/sub/"


@pytest.fixture
def key(setting: Setting) -> str:
    return str(setting("vault_push_signature_key"))


async def test_a_subscriber_stays_and_is_told(
    browser: Browser, portal: Host, listener: str, key: str
) -> None:
    channel, word = new_channel_id(), secrets.token_hex(8)
    async with browser.subscribe(f"{listener}?CHANNEL_ID={sign(channel, key)}") as subscription:
        await asyncio.to_thread(
            portal.check_output,
            "curl -sS -o /dev/null -H 'Message-Expiry: 60' --data %s %s",
            f'{{"probe": "{word}"}}',
            f"http://127.0.0.1:8895/bitrix/pub/?CHANNEL_ID={channel}",
        )
        assert await receive_word(subscription, word, 10)
        assert not subscription.closed


async def test_a_wrong_signature_is_closed(browser: Browser, listener: str, key: str) -> None:
    # portal_runtime E6: it opens first.
    wrong = sign(new_channel_id(), f"{key}x")
    async with browser.subscribe(f"{listener}?CHANNEL_ID={wrong}") as subscription:
        assert await receive_text(subscription, 10) is None
        assert subscription.close_code == CLOSED_BY_SIGNATURE


async def test_nothing_else_is_served_there(browser: Browser, listener: str) -> None:
    page = await browser.get(listener.replace("/bitrix/sub/", "/auth/"), follow=False)
    assert page.status == 404
