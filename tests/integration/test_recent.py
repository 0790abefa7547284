"""Messages of earlier months leave a copy with all that is written of them elsewhere."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible.module_utils.boxlift_sql import Database

from library.portal_pseudonyms import Copy, Pseudonyms, Rule

RULES = Path(__file__).parents[2] / "roles" / "portal_recent" / "vars" / "main.yml"
SCHEMA = "portal_clone_20261122130000"
WRITTEN = "NOW() - INTERVAL {} MONTH"
RELEASE = "clone-20261122130000"


def test_nothing_of_an_old_message_is_left(session: Database) -> None:
    for statement in (
        f"DROP DATABASE IF EXISTS {SCHEMA}",
        f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
        f"CREATE TABLE {SCHEMA}.b_im_message (ID INT PRIMARY KEY, DATE_CREATE DATETIME)",
        f"CREATE TABLE {SCHEMA}.b_im_message_param (ID INT PRIMARY KEY, MESSAGE_ID INT)",
        f"CREATE TABLE {SCHEMA}.b_im_message_index (MESSAGE_ID INT PRIMARY KEY, SEARCH_CONTENT MEDIUMTEXT)",
        f"INSERT INTO {SCHEMA}.b_im_message VALUES (1, {WRITTEN.format(7)}), (2, {WRITTEN.format(5)})",
        f"INSERT INTO {SCHEMA}.b_im_message_param VALUES (11, 1), (12, 2)",
        f"INSERT INTO {SCHEMA}.b_im_message_index VALUES (1, 'old words'), (2, 'new words')",
    ):
        session.run(statement)
    session.commit()
    copy = Copy(session, RELEASE, SCHEMA, ["boxlift"])
    copy.prepare()
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))["__portal_recent_rules"]
    told = [Rule(rule["table"], (), "delete", rule["where"].replace("{months}", "6")) for rule in rules]
    found, absent = copy.resolved(told)
    assert absent == ["b_event_log"]
    for rule in copy.undone(found):
        copy.apply(rule, Pseudonyms("key", {}))
    assert session.rows(f"SELECT ID FROM {SCHEMA}.b_im_message") == [("2",)]
    assert session.rows(f"SELECT ID FROM {SCHEMA}.b_im_message_param") == [("12",)]
    assert session.rows(f"SELECT MESSAGE_ID FROM {SCHEMA}.b_im_message_index") == [("2",)]
