"""Comments of tasks can be seen: forum, topics, chats and the public page (portal_runtime J4)."""

from http import HTTPStatus

import pytest
from testinfra.host import Host

from boxlift.verify.browser import Browser
from boxlift.verify.release import Release


def test_forum_of_the_discussions_exists(active_release: Release) -> None:
    if "b_forum" not in active_release.database.tables():
        pytest.skip("the portal has no table of forums")
    if active_release.database.value("SELECT COUNT(*) FROM b_forum") == "0":
        pytest.skip("the portal has no forum")
    found = active_release.database.value(
        "SELECT COUNT(*) FROM b_option o JOIN b_forum f ON f.ID = o.VALUE"
        " WHERE o.MODULE_ID = 'tasks' AND o.NAME = 'task_forum_id'"
    )
    assert found == "1"


def test_no_task_names_a_chat_that_is_missing(active_release: Release) -> None:
    if "b_tasks_task_chat" not in active_release.database.tables():
        pytest.skip("the portal has no chats of tasks")
    missing = active_release.database.value(
        "SELECT COUNT(*) FROM b_tasks_task_chat l LEFT JOIN b_im_chat c ON c.ID = l.CHAT_ID"
        " WHERE c.ID IS NULL"
    )
    assert missing == "0"


async def test_public_page_of_comments_is_served(
    signed_in: Browser, portal: Host, active_release: Release
) -> None:
    """Its file is there and the portal answers; what the page says is not read."""
    if not {"b_tasks", "b_forum_message"} <= active_release.database.tables():
        pytest.skip("the portal has no tasks or no forum")
    discussed = active_release.database.rows(
        "SELECT t.ID FROM b_tasks t JOIN b_forum_message m ON m.TOPIC_ID = t.FORUM_TOPIC_ID"
        " GROUP BY t.ID ORDER BY COUNT(*) DESC, t.ID LIMIT 1"
    )
    if not discussed:
        pytest.skip("nobody has discussed a task")
    ((task,),) = discussed
    assert portal.file(f"{active_release.root}/task/comments/index.php").exists
    page = await signed_in.get(f"/task/comments/{task}/", follow=False)
    assert page.status == HTTPStatus.OK
