"""Ansible module: figures that speak for or against the feared defects of a move."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_original import Original
from ansible.module_utils.boxlift_people import People
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError, quoted
from ansible.module_utils.boxlift_tasks import TaskComments

DOCUMENTATION = r"""
module: portal_evidence
short_description: Count what speaks for or against the feared defects of a move
description:
  - Counts in the database of a release and reads what bxbackup wrote about its restore. Changes nothing.
  - Works on the database alone, so that a restored portal is looked at before any of its own code runs.
options:
  release: {description: Release., type: str, required: true}
  database: {description: Database of the release., type: str, required: true}
  state_folder: {description: State folder of its restore., type: path, required: true}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Look at the backup before the portal runs
  portal_evidence:
    release: final-1
    database: portal_final_1
    state_folder: /srv/portal/restores/final-1
"""

RETURN = r"""
figures:
  description: "Name to value (null where the portal or the restore has no such thing) and items."
  returned: always
  type: dict
"""

#: Names of what was counted that are handed over.
MOST_ITEMS = 50
#: Tables that say who may do what; those of the search index are built anew.
RIGHTS = re.compile(r"b_group|b_user_group|b_(?!search_)\w+_(role|perm)\w*")
FORM = "%Y-%m-%d %H:%M:%S"

Figure = dict[str, Any]


class Evidence:
    """What can be counted in one release."""

    def __init__(self, database: Database, release: str, schema: str, baseline: dict[str, Any]) -> None:
        """Read database ``schema`` of ``release``; ``baseline`` is what bxbackup wrote after the load."""
        self._db = database
        self._schema = schema
        self._original = Original(database, release, schema)
        self._people = People(database, release, schema)
        self._comments = TaskComments(database, schema)
        self._baseline = baseline

    def figures(self) -> dict[str, Figure]:
        """Return every figure."""
        counts: dict[str, Callable[[], Figure]] = {
            "applications": self.applications,
            "bots": self.bots,
            "dead_bots": self.dead_bots,
            "dump_seconds": self.dump_seconds,
            "lost_rights": self.lost_rights,
            "lost_task_chats": self.lost_task_chats,
            "lost_task_forum": self.lost_task_forum,
            "network_users": self.network_users,
            "orphan_tasks": self.orphan_tasks,
            "outgoing_webhooks": self.outgoing_webhooks,
            "search_rows": self.search_rows,
        }
        return {name: count() for name, count in counts.items()}

    def _has(self, *tables: str) -> bool:
        return all(table in self._original.tables for table in tables)

    def _name(self, table: str) -> str:
        return f"{quoted(self._schema)}.{quoted(table)}"

    def applications(self) -> Figure:
        """Applications in use when the backup was taken: they do not carry over (portal_runtime J4)."""
        if not self._has("b_rest_app"):
            return figure(None)
        rows = self._original.rows("b_rest_app", ["ID", "APP_NAME", "CODE", "ACTIVE"])
        return figure([row["APP_NAME"] or row["CODE"] or "" for row in rows if row["ACTIVE"] == "Y"])

    def bots(self) -> Figure:
        """All chat bots."""
        if not self._has("b_im_bot"):
            return figure(None)
        rows = self._original.rows("b_im_bot", ["BOT_ID", "CODE", "MODULE_ID"])
        return figure([f"{row['CODE']} ({row['MODULE_ID']})" for row in rows])

    def dead_bots(self) -> Figure:
        """Bots whose module the portal lacks, or whose application is not active now (portal_runtime J4)."""
        if not self._has("b_im_bot", "b_module", "b_rest_app", "b_user"):
            return figure(None)
        rows = self._db.rows(
            f"SELECT b.`CODE`, b.`MODULE_ID` FROM {self._name('b_im_bot')} b"
            # nobody writes to a bot whose account is switched off
            f" JOIN {self._name('b_user')} u ON u.`ID` = b.`BOT_ID` AND u.`ACTIVE` = 'Y'"
            f" WHERE (NOT EXISTS (SELECT 1 FROM {self._name('b_module')} m WHERE m.`ID` = b.`MODULE_ID`)"
            f" OR (b.`MODULE_ID` = 'rest' AND NOT EXISTS (SELECT 1 FROM {self._name('b_rest_app')} a"
            " WHERE a.`CLIENT_ID` = b.`APP_ID` AND a.`ACTIVE` = 'Y'))) ORDER BY b.`BOT_ID`"
        )
        return figure([f"{code} ({module})" for code, module in rows])

    def dump_seconds(self) -> Figure:
        """Seconds from the beginning of the dump to its end."""
        dump = self._baseline.get("dump") or {}
        try:
            began, ended = (datetime.strptime(str(dump[name])[:19], FORM) for name in ("began", "ended"))
        except (KeyError, ValueError):
            return figure(None)
        return {"value": max(0, int((ended - began).total_seconds())), "items": [f"{began} to {ended}"]}

    def lost_rights(self) -> Figure:
        """Rows of groups, roles and rights that were there after the load and are gone."""
        counted = {
            table: rows
            for table, rows in (self._baseline.get("rows") or {}).items()
            if RIGHTS.fullmatch(table) and self._has(table)
        }
        if not counted:
            return figure(None)
        lost = {
            table: rows - self._original.value(f"SELECT COUNT(*) FROM {self._name(table)}")
            for table, rows in counted.items()
        }
        gone = {table: rows for table, rows in lost.items() if rows > 0}
        return {"value": sum(gone.values()), "items": [f"{table}: {rows}" for table, rows in gone.items()]}

    def network_users(self) -> Figure:
        """Employees whose password the vendor's network keeps (portal_runtime G)."""
        if not self._has("b_user"):
            return figure(None)
        return figure([person.login for person in self._people.network()])

    def orphan_tasks(self) -> Figure:
        """Tasks whose discussion is missing (portal_runtime J4)."""
        if not self._has("b_tasks", "b_forum_topic"):
            return figure(None)
        return figure([f"task {task}" for task in self._comments.lost_topics()])

    def lost_task_chats(self) -> Figure:
        """Tasks whose chat is missing (portal_runtime J4)."""
        if not self._has("b_tasks_task_chat", "b_im_chat"):
            return figure(None)
        return figure([f"task {task}" for task in self._comments.lost_chats()])

    def lost_task_forum(self) -> Figure:
        """One where the forum of the tasks' discussions does not exist (portal_runtime J4)."""
        if not self._has("b_option", "b_forum"):
            return figure(None)
        forum = self._comments.forum()
        return figure([] if forum.exists else [f"forum {forum.named}"])

    def outgoing_webhooks(self) -> Figure:
        """Webhooks that the vendor's registration sent: they are created anew (portal_runtime J4)."""
        if not self._has("b_rest_event"):
            return figure(None)
        rows = self._original.rows("b_rest_event", ["ID", "APP_ID", "EVENT_NAME", "TITLE"])
        own = [row for row in rows if row["APP_ID"] in (None, "", "0")]
        return figure([f"{row['TITLE'] or row['ID']} ({row['EVENT_NAME']})" for row in own])

    def search_rows(self) -> Figure:
        """Elements in the search index (portal_runtime F)."""
        if not self._has("b_search_content"):
            return figure(None)
        counted = self._original.value(f"SELECT COUNT(*) FROM {self._name('b_search_content')}")
        return {"value": counted, "items": []}


def figure(items: list[str] | None) -> Figure:
    """Return a count with its first names; None is what cannot be counted."""
    if items is None:
        return {"value": None, "items": []}
    return {"value": len(items), "items": items[:MOST_ITEMS]}


def read_baseline(folder: Path) -> dict[str, Any]:
    """Return baseline.json; empty where a release was not restored."""
    try:
        content = json.loads((folder / "baseline.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return content if isinstance(content, dict) else {}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "release": {"type": "str", "required": True},
            "database": {"type": "str", "required": True},
            "state_folder": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    given = module.params
    try:
        baseline = read_baseline(Path(given["state_folder"]))
        evidence = Evidence(Database(given), given["release"], given["database"], baseline)
        figures = evidence.figures()
    except SqlError as error:
        module.fail_json(msg=f"figures of {given['database']}: {error}")
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"baseline.json in {given['state_folder']} is unreadable: {error}")
    module.exit_json(changed=False, figures=figures)


if __name__ == "__main__":
    main()
