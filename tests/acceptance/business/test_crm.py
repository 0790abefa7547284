"""What the sales department works with: the portal's own API gives every lead and every comment of a task.

How pages show them is not looked at: that is HTML of the product, and of its version.
"""

from http import HTTPStatus

import pytest

from boxlift.verify.browser import Browser
from boxlift.verify.product import Product
from boxlift.verify.release import Release

NEWEST = 20
LEADS = r"""
if (!\Bitrix\Main\Loader::includeModule('crm')) {
    throw new \RuntimeException('module crm cannot be loaded');
}
$all = ['CHECK_PERMISSIONS' => 'N'];
$newest = [];
$top = ['nTopCount' => $input['newest']];
$found = \CCrmLead::GetListEx(['ID' => 'DESC'], $all, false, $top, ['ID', 'TITLE']);
while ($lead = $found->Fetch()) {
    $newest[] = [(string)$lead['ID'], (string)$lead['TITLE']];
}
$result = ['total' => (int)\CCrmLead::GetListEx([], $all, []), 'newest' => $newest];
"""
COMMENTS = r"""
if (!\Bitrix\Main\Loader::includeModule('forum')) {
    throw new \RuntimeException('module forum cannot be loaded');
}
$result = (int)\CForumMessage::GetList([], ['TOPIC_ID' => $input['topic']], true);
"""


def test_the_portal_knows_every_lead(product: Product, active_release: Release) -> None:
    stored = int(active_release.database.value("SELECT COUNT(*) FROM b_crm_lead"))
    assert product.ask(LEADS, {"newest": 1})["total"] == stored


def test_the_newest_leads_are_those_of_the_database(product: Product, active_release: Release) -> None:
    stored = active_release.database.rows(
        f"SELECT ID, HEX(COALESCE(TITLE, '')) FROM b_crm_lead ORDER BY ID DESC LIMIT {NEWEST}"
    )
    given = product.ask(LEADS, {"newest": NEWEST})["newest"]
    assert [[lead, title.encode().hex().upper()] for lead, title in given] == stored


async def test_the_list_of_leads_is_served(signed_in: Browser) -> None:
    page = await signed_in.get("/crm/lead/list/", follow=False)
    assert page.status == HTTPStatus.OK


def test_the_portal_knows_every_comment_of_a_task(product: Product, active_release: Release) -> None:
    # portal_runtime J4: old comments are forum messages of the task's topic.
    discussed = active_release.database.rows(
        "SELECT t.FORUM_TOPIC_ID, COUNT(*) FROM b_tasks t"
        " JOIN b_forum_message m ON m.TOPIC_ID = t.FORUM_TOPIC_ID"
        " GROUP BY t.ID, t.FORUM_TOPIC_ID ORDER BY COUNT(*) DESC, t.ID LIMIT 1"
    )
    if not discussed:
        pytest.skip("nobody has discussed a task")
    topic, stored = discussed[0]
    assert product.ask(COMMENTS, {"topic": int(topic)}) == int(stored)


def test_no_task_lost_its_topic(active_release: Release) -> None:
    assert (
        active_release.database.value(
            "SELECT COUNT(*) FROM b_tasks t LEFT JOIN b_forum_topic f ON f.ID = t.FORUM_TOPIC_ID"
            " WHERE t.FORUM_TOPIC_ID > 0 AND f.ID IS NULL"
        )
        == "0"
    )
