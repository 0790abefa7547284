"""What the comments of a portal's tasks need: a forum, its topics, chats (portal_runtime J4)."""

from __future__ import annotations

from dataclasses import dataclass

from ansible.module_utils.boxlift_sql import Database, quoted


@dataclass(frozen=True)
class Forum:
    """The forum of the tasks' discussions: as the option names it, and where the discussions really are."""

    named: int
    exists: bool
    right: int


class TaskComments:
    """Tasks of one database with what their comments need (portal_runtime J4 "task comments missing")."""

    def __init__(self, database: Database, schema: str) -> None:
        """Use the caller's connection; ``schema`` is the release's database."""
        self._db = database
        self._schema = schema
        self._tables = database.tables(schema)

    def _has(self, *tables: str) -> bool:
        return all(table in self._tables for table in tables)

    def _name(self, table: str) -> str:
        return f"{quoted(self._schema)}.{quoted(table)}"

    def forum(self) -> Forum:
        """Which forum the option names, and which one holds the discussions."""
        if not self._has("b_option", "b_forum"):
            return Forum(0, True, 0)
        named = self._db.value(
            f"SELECT VALUE FROM {self._name('b_option')} WHERE MODULE_ID = 'tasks' AND NAME = 'task_forum_id'"
        )
        number = int(named) if named and str(named).isdigit() else 0
        exists = (
            self._db.value(f"SELECT 1 FROM {self._name('b_forum')} WHERE `ID` = %s", [number]) is not None
        )
        return Forum(number, exists, self._home())

    def _home(self) -> int:
        if not self._has("b_tasks", "b_forum_topic"):
            return 0
        found = self._db.value(
            f"SELECT f.`ID` FROM {self._name('b_tasks')} t"
            f" JOIN {self._name('b_forum_topic')} p ON p.`ID` = t.`FORUM_TOPIC_ID`"
            f" JOIN {self._name('b_forum')} f ON f.`ID` = p.`FORUM_ID`"
            " GROUP BY f.`ID` ORDER BY COUNT(*) DESC, f.`ID` LIMIT 1"
        )
        return int(found or 0)

    def lost_topics(self) -> list[int]:
        """Tasks whose discussion is not in the database."""
        if not self._has("b_tasks", "b_forum_topic"):
            return []
        rows = self._db.rows(
            f"SELECT t.`ID` FROM {self._name('b_tasks')} t LEFT JOIN {self._name('b_forum_topic')} f"
            " ON f.`ID` = t.`FORUM_TOPIC_ID` WHERE t.`FORUM_TOPIC_ID` > 0 AND f.`ID` IS NULL ORDER BY t.`ID`"
        )
        return [int(task) for (task,) in rows]

    def lost_chats(self) -> list[int]:
        """Tasks that name a chat which is not in the database, or is no chat of a task."""
        if not self._has("b_tasks_task_chat", "b_im_chat"):
            return []
        rows = self._db.rows(
            f"SELECT l.`TASK_ID` FROM {self._name('b_tasks_task_chat')} l"
            f" LEFT JOIN {self._name('b_im_chat')} c ON c.`ID` = l.`CHAT_ID`"
            " AND c.`ENTITY_TYPE` = 'TASKS_TASK' WHERE c.`ID` IS NULL ORDER BY l.`TASK_ID`"
        )
        return [int(task) for (task,) in rows]
