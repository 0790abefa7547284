"""The messenger may have attachments; what the portal tells a user reaches that user (portal_runtime E)."""

import asyncio
import secrets
from urllib.parse import urlsplit

from boxlift.verify.browser import Browser, receive_word
from boxlift.verify.inventory import Setting
from boxlift.verify.product import Product
from boxlift.verify.release import Release

EXPECTED = {"nginx": "Y", "nginx_version": "4", "server_mode": "personal", "websocket": "Y"}

ATTACHMENTS = r"""
$result = \Bitrix\Main\Loader::includeModule('im') && \CIMDisk::Enabled();
"""
# What a page of the messenger is given to subscribe with.
CHANNEL = r"""
if (!\Bitrix\Main\Loader::includeModule('pull')) {
    throw new \RuntimeException('module pull cannot be loaded');
}
$channel = \CPullChannel::Get($input['user']);
$result = [
    'address' => \CPullOptions::GetWebSocketSecureUrl(),
    'channel' => \CPullChannel::SignChannel($channel['CHANNEL_ID']),
];
"""
TELL = r"""
\Bitrix\Main\Loader::includeModule('pull');
$result = \CPullStack::AddByUser(
    $input['user'],
    ['module_id' => 'boxlift', 'command' => 'probe', 'params' => ['probe' => $input['probe']]],
);
"""


def test_options(active_release: Release) -> None:
    rows = dict(active_release.database.rows("SELECT NAME, VALUE FROM b_option WHERE MODULE_ID = 'pull'"))
    assert {name: rows.get(name) for name in EXPECTED} == EXPECTED
    assert "host_id" not in rows


def test_key_is_the_push_servers(active_release: Release, setting: Setting) -> None:
    rows = dict(active_release.database.rows("SELECT NAME, VALUE FROM b_option WHERE MODULE_ID = 'pull'"))
    assert rows.get("signature_key") == setting("vault_push_signature_key")


def test_messenger_may_have_attachments(product: Product) -> None:
    # portal_runtime E4: without it the messenger has no paper-clip.
    assert product.ask(ATTACHMENTS) is True


async def test_what_the_portal_tells_a_user_reaches_him(
    browser: Browser, product: Product, administrator: int, setting: Setting
) -> None:
    given = await asyncio.to_thread(product.ask, CHANNEL, {"user": administrator})
    # The portal leaves the domain to whoever sends the address to a browser.
    domain = str(setting("portal_domain"))
    address = urlsplit(str(given["address"]).replace("#DOMAIN#", domain))
    assert (address.scheme, address.hostname) == ("wss", domain)
    probe = secrets.token_hex(8)
    place = f"https://{address.netloc}{address.path}?CHANNEL_ID={given['channel']}"
    async with browser.subscribe(place) as subscription:
        await asyncio.to_thread(product.ask, TELL, {"user": administrator, "probe": probe})
        assert await receive_word(subscription, probe, 10)


def test_portal_noted_no_publishing_error(active_release: Release) -> None:
    rows = active_release.database.rows(
        "SELECT VALUE FROM b_option"
        " WHERE MODULE_ID = 'pull' AND NAME = 'nginx_error' AND VALUE NOT IN ('', 'N')"
    )
    assert rows == []
