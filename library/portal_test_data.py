"""Ansible module: rows that people and tests made in a restored portal since its restore."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError, quoted

DOCUMENTATION = r"""
module: portal_test_data
short_description: List, delete and prove deleted what tests made in a restored portal
description:
  - Rows of CRM, task and message tables whose ID is above the one that C(baseline.json) notes were made after
    the restore. C(listed) shows them and changes nothing.
  - C(deleted) deletes those that O(only) names, in portions, so that a run that was killed is gone on with,
    and proves it. Rows of the backup are never touched, nor are rows that were made after the list.
  - Tables that this module does not know are reported, not changed.
options:
  database: {description: Database of the release., type: str, required: true}
  state_folder: {description: State folder of its restore., type: path, required: true}
  state: {description: What to do., type: str, choices: [listed, deleted], default: listed}
  only: {description: "Rows that may be deleted: table to IDs. Others are kept.", type: dict}
  most: {description: More rows than this are no test data., type: int, default: 20000}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: What did the tests make
  portal_test_data:
    database: portal_final_1
    state_folder: /srv/portal/restores/final-1
"""

RETURN = r"""
tables:
  description: "Tables with rows of tests: table, kind, ids, titles, kept."
  returned: always
  type: list
other: {description: "Rows in tables that are left alone: table, count.", returned: always, type: list}
missing: {description: "Rows of the backup that are gone: table, count.", returned: always, type: list}
rows: {description: Rows on the list., returned: always, type: int}
proof: {description: "Table to left, kept, rows and baseline.", returned: after a deletion, type: dict}
"""

#: What people make, with the column that names it; tables and columns are in docs/vendor_surface.yml.
KINDS = {
    "b_crm_act": ("activity", "SUBJECT"),
    "b_crm_company": ("company", "TITLE"),
    "b_crm_contact": ("contact", "FULL_NAME"),
    "b_crm_deal": ("deal", "TITLE"),
    "b_crm_lead": ("lead", "TITLE"),
    "b_crm_timeline": ("timeline entry", "COMMENT"),
    "b_forum_message": ("comment", "POST_MESSAGE"),
    "b_forum_topic": ("discussion", "TITLE"),
    "b_im_chat": ("chat", "TITLE"),
    "b_im_message": ("message", "MESSAGE"),
    "b_mail_message": ("letter", "SUBJECT"),
    "b_sonet_log": ("news entry", "TITLE"),
    "b_tasks": ("task", "TITLE"),
    "b_voximplant_statistic": ("call", "PHONE_NUMBER"),
    # what belongs to them and has an ID of its own
    "b_crm_act_bind": ("part of an activity", ""),
    "b_crm_field_multi": ("telephone or address", "VALUE"),
    "b_im_message_param": ("part of a message", ""),
    "b_im_relation": ("member of a chat", ""),
    "b_tasks_task_chat": ("chat of a task", ""),
}
#: Elements of a process have a table for each process (portal_runtime F3, dynamic types).
PROCESS, PROCESS_KIND = "b_crm_dynamic_items_", ("element of a process", "TITLE")
#: Rows that are known by the ID of the row that they belong to.
KEYED = {
    "b_crm_timeline_bind": ("OWNER_ID", "b_crm_timeline"),
    "b_tasks_member": ("TASK_ID", "b_tasks"),
}
#: Tables of a type's own fields; the type follows.
FIELDS = ("b_uts_crm_", "b_utm_crm_")
FIELD_OWNERS = {
    "lead": "b_crm_lead",
    "deal": "b_crm_deal",
    "contact": "b_crm_contact",
    "company": "b_crm_company",
}
FIELD_KEY = "VALUE_ID"
#: Elements of the search index: module, and how an ID is written there.
INDEXED = {
    "b_crm_lead": ("crm", "LEAD."),
    "b_crm_deal": ("crm", "DEAL."),
    "b_crm_contact": ("crm", "CONTACT."),
    "b_crm_company": ("crm", "COMPANY."),
    "b_tasks": ("tasks", ""),
}
INDEX, INDEX_PARTS, INDEX_KEY = "b_search_content", "b_search_content_", "SEARCH_CONTENT_ID"
#: HTML and BB codes, also one that the title's end has cut.
_MARKUP = re.compile(r"<[^>]*(?:>|$)|\[/?[A-Za-z*][^\]]*\]")
PORTION = 500
MOST_TITLES = 20
TITLE_LENGTH = 80


class RefusedError(Exception):
    """What is asked would delete something that is no test data."""


@dataclass(frozen=True)
class Mark:
    """A table at the end of the restore: its counting column, the highest ID then, rows then."""

    table: str
    column: str
    highest: int
    rows: int


class TestData:
    """What was made in one release since its restore."""

    __test__ = False

    def __init__(self, database: Database, schema: str, baseline: Mapping[str, Any]) -> None:
        """Compare database ``schema`` with ``baseline``.

        Raises:
            RefusedError: the baseline is another database's.
        """
        if baseline.get("database") != schema:
            its = baseline.get("database") or "no database"
            raise RefusedError(f"refused: baseline.json is that of {its}, not of {schema}")
        self._db = database
        self._schema = schema
        self._tables = database.tables(schema)
        counting = dict(
            database.rows(
                "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS"
                " WHERE TABLE_SCHEMA = %s AND EXTRA LIKE '%%auto_increment%%'",
                [schema],
            )
        )
        self._marks = [
            Mark(table, counting[table], int(ids["max_id"] or 0), int(baseline["rows"].get(table, 0)))
            for table, ids in sorted(baseline["ids"].items())
            if table in self._tables and table in counting
        ]

    def listed(self, only: Mapping[str, Sequence[int]] | None, most: int) -> dict[str, Any]:
        """Return what was made since; with ``only`` the rest is kept.

        Raises:
            RefusedError: there are more rows than tests make.
        """
        tables: list[dict[str, Any]] = []
        other, missing = [], []
        for mark in self._marks:
            since = self._count(mark, ">")
            before = self._count(mark, "<=")
            if before < mark.rows:
                missing.append({"table": mark.table, "count": mark.rows - before})
            if not since:
                continue
            kind = kind_of(mark.table)
            if kind is None:
                other.append({"table": mark.table, "count": since})
                continue
            ids = self._ids(mark, None if only is None else only.get(mark.table, []))
            titles = self._titles(mark, kind[1], ids[:MOST_TITLES])
            tables.append(
                {
                    "table": mark.table,
                    "kind": kind[0],
                    "ids": ids,
                    "titles": titles,
                    "kept": since - len(ids),
                }
            )
        rows = sum(len(table["ids"]) for table in tables)
        if rows > most:
            raise RefusedError(
                f"refused: {rows} rows of {self._schema} are newer than its restore, more than {most}:"
                " these are no test data"
            )
        return {"tables": tables, "other": other, "missing": missing, "rows": rows}

    def delete(self, only: Mapping[str, Sequence[int]]) -> int:
        """Delete the rows that are named, portion by portion; return how many were there."""
        gone = 0
        marks = {mark.table: mark for mark in self._marks}
        for table, ids in sorted(only.items()):
            mark = marks.get(table)
            if mark is None or kind_of(table) is None:
                raise RefusedError(f"refused: {table} is no table of test data")
            # also what belongs to rows that an interrupted run has deleted
            for portion in portions([number for number in ids if int(number) > mark.highest]):
                gone += self._delete_portion(mark, portion)
                self._db.commit()
        return gone

    def prove(
        self, only: Mapping[str, Sequence[int]], before: Mapping[str, int]
    ) -> dict[str, dict[str, int]]:
        """Return rows left and rows now of each table; ``before`` are the backup's rows before the deletion.

        Raises:
            RefusedError: a row that was to go is there, or one of the backup is gone.
        """
        self._db.commit()
        found = {}
        for mark in self._marks:
            if mark.table not in only:
                continue
            left = len(self._ids(mark, only[mark.table]))
            old = self._count(mark, "<=")
            if left or old != before[mark.table]:
                raise RefusedError(
                    f"not proved: {mark.table} still has {left} rows of tests, and {old} of"
                    f" {before[mark.table]} rows of the backup"
                )
            since = self._count(mark, ">")
            found[mark.table] = {"left": left, "kept": since, "rows": old + since, "baseline": mark.rows}
        return found

    def backup_rows(self) -> dict[str, int]:
        """Return how many rows of the backup each table has now."""
        return {mark.table: self._count(mark, "<=") for mark in self._marks}

    def _name(self, table: str) -> str:
        return f"{quoted(self._schema)}.{quoted(table)}"

    def _count(self, mark: Mark, comparison: str) -> int:
        return int(
            self._db.value(
                f"SELECT COUNT(*) FROM {self._name(mark.table)} WHERE {quoted(mark.column)} {comparison} %s",
                [mark.highest],
            )
        )

    def _ids(self, mark: Mark, wanted: Sequence[int] | None) -> list[int]:
        """IDs above the mark that are there; of those that are wanted, where any are named."""
        statement = (
            f"SELECT {quoted(mark.column)} FROM {self._name(mark.table)} WHERE {quoted(mark.column)} > %s"
        )
        there = [
            int(row[0])
            for row in self._db.rows(f"{statement} ORDER BY {quoted(mark.column)}", [mark.highest])
        ]
        if wanted is None:
            return there
        named = {int(number) for number in wanted}
        return [number for number in there if number in named]

    def _titles(self, mark: Mark, column: str, ids: Sequence[int]) -> list[str]:
        if not ids or column not in self._db.columns(self._schema, mark.table):
            return []
        key = quoted(mark.column)
        return [
            f"{row[0]}: {text(row[1])}"
            for row in self._db.rows(
                f"SELECT {key}, LEFT({quoted(column)}, {TITLE_LENGTH}) FROM {self._name(mark.table)}"
                f" WHERE {key} IN ({marks(ids)}) ORDER BY {key}",
                ids,
            )
        ]

    def _delete_portion(self, mark: Mark, ids: Sequence[int]) -> int:
        for table, column in self._belonging(mark.table):
            self._db.run(f"DELETE FROM {self._name(table)} WHERE {quoted(column)} IN ({marks(ids)})", ids)
        if mark.table in INDEXED and INDEX in self._tables:
            self._forget(*INDEXED[mark.table], ids)
        gone: int = self._db.run(
            f"DELETE FROM {self._name(mark.table)} WHERE {quoted(mark.column)} IN ({marks(ids)})"
            f" AND {quoted(mark.column)} > %s",
            [*ids, mark.highest],
        )
        return gone

    def _belonging(self, owner: str) -> Iterator[tuple[str, str]]:
        """Tables whose rows go with a row of ``owner``, and the column that names it."""
        for table, (column, parent) in KEYED.items():
            if parent == owner and table in self._tables:
                yield table, column
        for table in sorted(self._tables):
            if table.startswith(FIELDS) and FIELD_OWNERS.get(table[len(FIELDS[0]) :]) == owner:
                yield table, FIELD_KEY

    def _forget(self, module: str, prefix: str, ids: Sequence[int]) -> None:
        """Take elements out of the search index, with what hangs on them."""
        items = [f"{prefix}{number}" for number in ids]
        found = [
            row[0]
            for row in self._db.rows(
                f"SELECT `ID` FROM {self._name(INDEX)} WHERE `MODULE_ID` = %s"
                f" AND `ITEM_ID` IN ({marks(items)})",
                [module, *items],
            )
        ]
        if not found:
            return
        for table in sorted(self._tables):
            if table.startswith(INDEX_PARTS) and INDEX_KEY in self._db.columns(self._schema, table):
                self._db.run(
                    f"DELETE FROM {self._name(table)} WHERE {quoted(INDEX_KEY)} IN ({marks(found)})", found
                )
        self._db.run(f"DELETE FROM {self._name(INDEX)} WHERE `ID` IN ({marks(found)})", found)


def kind_of(table: str) -> tuple[str, str] | None:
    """Return what a table holds and the column that names it; None for one that is left alone."""
    if table.startswith(PROCESS):
        return PROCESS_KIND
    return KINDS.get(table)


def marks(values: Sequence[Any]) -> str:
    """Return as many placeholders."""
    return ", ".join(["%s"] * len(values))


def portions(ids: Sequence[int]) -> Iterator[list[int]]:
    """Return the IDs in portions that one transaction takes."""
    ordered = sorted(int(number) for number in ids)
    for start in range(0, len(ordered), PORTION):
        yield ordered[start : start + PORTION]


def text(value: Any) -> str:
    """Return a title in one line, without markup."""
    plain = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
    return " ".join(_MARKUP.sub(" ", plain).split())


def read_baseline(folder: Path) -> dict[str, Any]:
    """Return baseline.json.

    Raises:
        RefusedError: there is none: nobody knows what the backup held.
    """
    try:
        content: dict[str, Any] = json.loads((folder / "baseline.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RefusedError(
            f"refused: {folder} has no baseline.json; nobody knows which rows the backup held,"
            " restore it first (boxlift run restore-backup)"
        ) from error
    return content


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "database": {"type": "str", "required": True},
            "state_folder": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["listed", "deleted"], "default": "listed"},
            "only": {"type": "dict"},
            "most": {"type": "int", "default": 20000},
        },
        required_if=[("state", "deleted", ["only"])],
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    given = module.params
    gone = 0
    try:
        data = TestData(Database(given), given["database"], read_baseline(Path(given["state_folder"])))
        found = data.listed(given["only"], given["most"])
        if given["state"] == "deleted" and not module.check_mode:
            before = data.backup_rows()
            gone = data.delete(given["only"])
            found["proof"] = data.prove(given["only"], before)
    except SqlError as error:
        module.fail_json(msg=f"test data in {given['database']}: {error}")
    except RefusedError as error:
        module.fail_json(msg=str(error), boxlift_exit=6 if str(error).startswith("refused") else 7)
    except (OSError, ValueError, KeyError) as error:
        module.fail_json(msg=f"baseline.json in {given['state_folder']} is unreadable: {error}")
    module.exit_json(changed=gone > 0, deleted=gone, **found)


if __name__ == "__main__":
    main()
