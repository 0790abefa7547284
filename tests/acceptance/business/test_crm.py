"""What the sales department sees: leads, tasks with all their comments."""

from typing import Any

import pytest

from boxlift.verify.browser import Browser
from boxlift.verify.release import Release


async def content_of(browser: Browser, path: str) -> dict[str, Any]:
    page = await browser.get(path, json=True)
    content = page.json()
    assert isinstance(content, dict)
    return content


async def test_lead_list_shows_every_lead(signed_in: Browser, active_release: Release) -> None:
    stored = int(active_release.database.value("SELECT COUNT(*) FROM b_crm_lead"))
    assert (await content_of(signed_in, "/crm/lead/list/"))["total"] == stored


async def test_task_shows_every_comment(signed_in: Browser, active_release: Release) -> None:
    # portal_runtime J4: old comments are forum messages of the task's topic; the first is the task itself.
    discussed = active_release.database.rows(
        "SELECT t.ID, t.CREATED_BY, t.FORUM_TOPIC_ID FROM b_tasks t"
        " JOIN b_forum_message m ON m.TOPIC_ID = t.FORUM_TOPIC_ID"
        " GROUP BY t.ID, t.CREATED_BY, t.FORUM_TOPIC_ID ORDER BY COUNT(*) DESC, t.ID LIMIT 1"
    )
    if not discussed:
        pytest.skip("nobody has discussed a task")
    task, author, topic = discussed[0]
    stored = int(
        active_release.database.value(f"SELECT COUNT(*) FROM b_forum_message WHERE TOPIC_ID = {topic}")
    )
    content = await content_of(signed_in, f"/company/personal/user/{author}/tasks/task/view/{task}/")
    assert len(content["comments"]) in {stored, stored - 1}


def test_no_task_lost_its_topic(active_release: Release) -> None:
    assert (
        active_release.database.value(
            "SELECT COUNT(*) FROM b_tasks t LEFT JOIN b_forum_topic f ON f.ID = t.FORUM_TOPIC_ID"
            " WHERE t.FORUM_TOPIC_ID > 0 AND f.ID IS NULL"
        )
        == "0"
    )
