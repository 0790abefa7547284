"""The licence key is the one that the project names, whatever a restore brought (portal_runtime B)."""

import hashlib

import pytest

from boxlift.verify.browser import Browser
from boxlift.verify.inventory import Setting


async def test_pages_carry_the_keys_mark(browser: Browser, setting: Setting) -> None:
    key = str(setting("portal_license_key", ""))
    if not key:
        pytest.skip("the project names no key: the distribution's or the backup's stays")
    page = await browser.get("/auth/", follow=False)
    mark = hashlib.md5(f"BITRIX{key}LICENCE".encode(), usedforsecurity=False).hexdigest()
    assert f"({mark})" in page.headers["x-powered-cms"]
