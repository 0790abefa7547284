"""The search index is there and finds what users look for (portal_runtime F)."""

from urllib.parse import urlencode

from boxlift.verify.browser import Browser
from boxlift.verify.release import Release


def test_index_is_not_empty(active_release: Release) -> None:
    assert int(active_release.database.value("SELECT COUNT(*) FROM b_search_content")) > 0


async def test_search_finds_the_newest_lead(signed_in: Browser, active_release: Release) -> None:
    identifier, title = active_release.database.rows(
        "SELECT ID, TITLE FROM b_crm_lead WHERE CHAR_LENGTH(TITLE) > 8 ORDER BY ID DESC LIMIT 1"
    )[0]
    page = await signed_in.get("/search/?" + urlencode({"q": title}), json=True)
    assert page.status == 200
    assert f"/crm/lead/details/{identifier}/" in page.text.replace("\\/", "/")
