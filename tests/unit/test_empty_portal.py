"""A portal in which nobody has done anything yet: the suites say why they look at nothing."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from tests.unit.acceptance import suite

DONE = {"indexes": {"site": {"state": "done", "empty": True}}}


class Empty:
    """A database with these tables, all of them without rows."""

    def __init__(self, *tables: str) -> None:
        self._tables = set(tables)

    def tables(self) -> set[str]:
        return self._tables

    def rows(self, _: str) -> list[list[str]]:
        return []

    def value(self, _: str) -> str:
        return "0"


class Release:
    """A release with such a database."""

    def __init__(self, *tables: str) -> None:
        self.database = Empty(*tables)


def run(file: str, test: str, **arguments: Any) -> None:
    """Call one test of the suites; what else it takes than the arguments may not be needed."""
    called = getattr(suite(file), test)
    given = {name: arguments.get(name) for name in inspect.signature(called).parameters}
    if inspect.iscoroutinefunction(called):
        asyncio.run(called(**given))
    else:
        called(**given)


@pytest.mark.parametrize(
    ("file", "test", "tables", "arguments", "reason"),
    [
        ("repairs/test_tasks", "test_forum_of_the_discussions_exists", ["b_forum"], {}, "no forum"),
        ("repairs/test_tasks", "test_public_page_of_comments_is_served", [], {}, "no tasks"),
        (
            "repairs/test_tasks",
            "test_public_page_of_comments_is_served",
            ["b_tasks", "b_forum_message"],
            {},
            "discussed",
        ),
        ("repairs/test_search", "test_index_is_not_empty", [], {"built": DONE}, "nothing that"),
        ("repairs/test_search", "test_search_finds_the_newest_lead", [], {"built": DONE}, "no leads"),
        (
            "repairs/test_search",
            "test_search_finds_the_newest_lead",
            ["b_crm_lead"],
            {"built": DONE},
            "no lead has",
        ),
        (
            "repairs/test_search",
            "test_search_finds_the_newest_lead",
            ["b_crm_lead"],
            {"built": {"indexes": {}}},
            "no site index",
        ),
        ("business/test_crm", "test_the_portal_knows_every_comment_of_a_task", [], {}, "discussed"),
    ],
)
def test_nothing_to_look_at_is_a_reason(
    file: str, test: str, tables: list[str], arguments: dict[str, Any], reason: str
) -> None:
    with pytest.raises(pytest.skip.Exception, match=reason):
        run(file, test, active_release=Release(*tables), **arguments)
