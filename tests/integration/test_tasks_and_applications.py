"""What the comments of tasks lack, and what becomes of applications, bots and webhooks."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.module_utils.boxlift_original import Original
from ansible.module_utils.boxlift_rules import Holder, Rule
from ansible.module_utils.boxlift_sql import Database
from ansible.module_utils.boxlift_tasks import Forum, TaskComments

from lab.generator.portal import Portal
from library.portal_applications import Applications, Fate, Item, active, is_registered
from tests.integration.generated import load_generated

RELEASE, DATABASE = "final-1", "portal_final_1"
ROLES = Path(__file__).parents[2] / "roles"
FORUM = 8


@pytest.fixture
def generated(session: Database) -> Portal:
    return load_generated(session, DATABASE)


@pytest.mark.usefixtures("generated")
def test_a_sound_portal_lacks_nothing(session: Database) -> None:
    comments = TaskComments(session, DATABASE)
    assert comments.forum() == Forum(FORUM, exists=True, right=FORUM)
    assert (comments.lost_topics(), comments.lost_chats()) == ([], [])


@pytest.mark.parametrize("value", ["0", "77", "", "eight"])
@pytest.mark.usefixtures("generated")
def test_the_right_forum_is_where_the_discussions_are(session: Database, value: str) -> None:
    session.run(f"UPDATE {DATABASE}.b_option SET VALUE = %s WHERE NAME = 'task_forum_id'", [value])
    found = TaskComments(session, DATABASE).forum()
    assert (found.exists, found.right) == (False, FORUM)


@pytest.mark.usefixtures("generated")
def test_no_forum_is_right_where_there_is_none(session: Database) -> None:
    session.run(f"DELETE FROM {DATABASE}.b_forum")
    assert TaskComments(session, DATABASE).forum() == Forum(FORUM, exists=False, right=0)


@pytest.mark.usefixtures("generated")
def test_lost_topics_and_chats_are_named(session: Database) -> None:
    task = int(session.value(f"SELECT MIN(ID) FROM {DATABASE}.b_tasks WHERE FORUM_TOPIC_ID > 0"))
    session.run(
        f"DELETE FROM {DATABASE}.b_forum_topic WHERE ID ="
        f" (SELECT FORUM_TOPIC_ID FROM {DATABASE}.b_tasks WHERE ID = %s)",
        [task],
    )
    chat, of_task = session.rows(f"SELECT CHAT_ID, TASK_ID FROM {DATABASE}.b_tasks_task_chat LIMIT 1")[0]
    session.run(f"DELETE FROM {DATABASE}.b_im_chat WHERE ID = %s", [chat])
    comments = TaskComments(session, DATABASE)
    assert (comments.lost_topics(), comments.lost_chats()) == ([task], [int(of_task)])


def test_a_portal_without_tasks_has_nothing_to_look_at(session: Database) -> None:
    session.run(f"DROP DATABASE IF EXISTS {DATABASE}")
    session.run(f"CREATE DATABASE {DATABASE}")
    comments = TaskComments(session, DATABASE)
    assert comments.forum().exists
    assert (comments.lost_topics(), comments.lost_chats()) == ([], [])


def found(session: Database) -> list[Item]:
    modules = {row[0] for row in session.rows(f"SELECT ID FROM {DATABASE}.b_module")}
    return Applications(Original(session, RELEASE, DATABASE), modules, "portal.acme.example").items()


def fates(items: list[Item], kind: str) -> list[Fate]:
    return [item.fate for item in items if item.kind == kind]


@pytest.mark.usefixtures("generated")
def test_applications_bots_and_webhooks_stay_listed_when_the_portal_is_quiet(session: Database) -> None:
    session.run(
        f"UPDATE {DATABASE}.b_im_bot SET APP_ID = (SELECT CLIENT_ID FROM {DATABASE}.b_rest_app WHERE ID = 1)"
        " WHERE MODULE_ID = 'rest'"
    )
    before = found(session)
    assert set(fates(before, "application")) == {Fate.REGISTER}
    assert sorted(fates(before, "bot")) == sorted([Fate.WORKS, Fate.WORKS, Fate.REGISTER])
    assert set(fates(before, "outgoing webhook")) == {Fate.REGISTER}
    assert Fate.ADDRESS in fates(before, "inbound webhook")
    secrets = [row[0] for row in session.rows(f"SELECT PASSWORD FROM {DATABASE}.b_rest_ap")]
    assert not [secret for secret in secrets if secret in str(before)]
    rules = yaml.safe_load((ROLES / "portal_quiet" / "vars" / "main.yml").read_text(encoding="utf-8"))
    Holder(session, RELEASE, DATABASE).hold([Rule.parse(raw) for raw in rules["__portal_quiet_rules"]])
    assert found(session) == before
    assert not is_registered(session, DATABASE)


@pytest.mark.usefixtures("generated")
def test_a_bot_is_dead_without_its_module_or_its_application(session: Database) -> None:
    session.run(f"DELETE FROM {DATABASE}.b_module WHERE ID = 'imbot'")
    dead = [item.id for item in found(session) if item.kind == "bot" and item.fate is Fate.DEAD]
    assert len(dead) == 2
    assert active(session, DATABASE, dead) == sorted(int(number) for number in dead)
    session.run(f"UPDATE {DATABASE}.b_user SET ACTIVE = 'N' WHERE ID = %s", [dead[0]])
    assert active(session, DATABASE, dead) == [int(dead[1])]
    assert active(session, DATABASE, []) == []
