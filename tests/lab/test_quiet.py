"""Until its opening the portal reached nobody; afterwards it does, so the sinks can see."""

import asyncio
import secrets
import time

from boxlift.verify.browser import Browser
from boxlift.verify.inventory import Inventory
from boxlift.verify.release import Release
from tests.lab.support import PRODUCTION, Outside


def test_no_mail_left_before_the_opening(outside: Outside, opened: float) -> None:
    assert [mail for mail in outside.mails() if mail["received"] < opened] == []


def test_nothing_else_left_before_the_opening(outside: Outside, opened: float) -> None:
    assert [request for request in outside.requests() if request["at"] < opened] == []
    assert [connection for connection in outside.connections() if connection["at"] < opened] == []


async def test_open_portal_does_call_its_webhooks(
    signed_in: Browser, outside: Outside, inventory: Inventory
) -> None:
    title = f"lead {secrets.token_hex(8)}"
    began = time.time()
    page = await signed_in.post("/crm/lead/add", {"TITLE": title}, json=True)
    assert page.status in {200, 201}, page.text
    for _ in range(30):
        calls = [call for call in outside.requests() if call["at"] >= began]
        if calls:
            break
        await asyncio.sleep(1)
    assert {call["peer"] for call in calls} == {inventory.address(PRODUCTION)}


def test_mail_of_the_cloud_days_is_never_sent(release: Release, opened: float) -> None:
    # What waited in the backup's queue is the cloud's to send: a second letter from here would be wrong.
    sent = release.database.value(
        "SELECT COUNT(*) FROM b_event e JOIN boxlift.held_value h"
        f" ON h.release_name = '{release.name}' AND h.table_name = 'b_event'"
        " AND JSON_VALUE(h.row_key, '$.ID') = e.ID"
        f" WHERE e.DATE_EXEC > FROM_UNIXTIME({opened})"
    )
    assert sent == "0"
