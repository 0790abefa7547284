"""Ansible module: when leads, deals and contacts come, counted in a restored database."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError, quoted

DOCUMENTATION = r"""
module: portal_arrivals
short_description: Count when leads, deals and contacts come
description:
  - Counts the rows that were created in each hour of the week, and in each week, by the portal's own clock.
  - The portal stores these times by its own clock, so that no zone is applied. Changes nothing.
options:
  database: {description: Database of the release., type: str, required: true}
  baseline: {description: C(baseline.json) of the restore; says when the dump was written., type: path}
  weeks: {description: Weeks before the dump that the hours are counted in., type: int, default: 12}
  history: {description: Weeks before the dump that are counted as a whole., type: int, default: 104}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Count arrivals
  portal_arrivals:
    database: portal_rehearsal_1
    baseline: /srv/portal/restores/rehearsal-1/baseline.json
"""

RETURN = r"""
kinds:
  description: For leads, deals and contacts the values C(hours), C(weeks), C(first), C(last) and C(weekly).
  returned: always
  type: dict
backup: {description: "began, ended and zone of the dump.", returned: always, type: dict}
"""

TABLES = {"leads": "b_crm_lead", "deals": "b_crm_deal", "contacts": "b_crm_contact"}
HOURS = 168
#: Zero dates, and what some imports leave, are older.
EPOCH = "1970-01-02 00:00:00"
FORM = "%Y-%m-%d %H:%M:%S"
WEEK = timedelta(weeks=1)


class Reader(Protocol):
    """What is needed of a database."""

    def rows(self, statement: str, values: Any = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""

    def tables(self, database: str) -> set[str]:
        """Return the names of a database's tables."""


def moment(value: Any) -> datetime | None:
    """Return a time as the database or the baseline writes it; None for none and for zero dates."""
    try:
        return datetime.strptime(str(value)[:19], FORM)
    except ValueError:
        return None


def pattern(database: Reader, table: str, until: datetime | None, weeks: int, history: int) -> dict[str, Any]:
    """Return the arrivals of one table, its name quoted: rows created not long before ``until``."""
    limit = (until or datetime.max.replace(microsecond=0)).strftime(FORM)
    statement = (
        f"SELECT MIN(`DATE_CREATE`), MAX(`DATE_CREATE`) FROM {table}"
        " WHERE `DATE_CREATE` >= %s AND `DATE_CREATE` <= %s"
    )
    first, last = (moment(value) for value in database.rows(statement, [EPOCH, limit])[0])
    end = until or last
    if first is None or last is None or end is None:
        return {"hours": [0] * HOURS, "weeks": 0.0, "first": None, "last": None, "weekly": []}
    since = max(first, end - weeks * WEEK)
    statement = (
        "SELECT WEEKDAY(`DATE_CREATE`) * 24 + HOUR(`DATE_CREATE`), COUNT(*),"
        f" MIN(`DATE_CREATE`), MAX(`DATE_CREATE`) FROM {table}"
        " WHERE `DATE_CREATE` >= %s AND `DATE_CREATE` <= %s GROUP BY 1"
    )
    counted = database.rows(statement, [since.strftime(FORM), end.strftime(FORM)])
    hours = [0] * HOURS
    for hour, number, _, _ in counted:
        hours[int(hour)] = int(number)
    statement = (
        f"SELECT YEARWEEK(`DATE_CREATE`, 3), COUNT(*) FROM {table}"
        " WHERE `DATE_CREATE` >= %s AND `DATE_CREATE` <= %s GROUP BY 1 ORDER BY 1"
    )
    weekly = database.rows(statement, [(end - history * WEEK).strftime(FORM), end.strftime(FORM)])
    return {
        "hours": hours,
        "weeks": round((end - since) / WEEK, 4),
        "first": min((str(row[2])[:19] for row in counted), default=None),
        "last": max((str(row[3])[:19] for row in counted), default=None),
        "weekly": [
            {"week": f"{int(week) // 100:04}-{int(week) % 100:02}", "count": int(number)}
            for week, number in weekly
        ],
    }


def taken(path: str | None) -> dict[str, str | None]:
    """Return when the dump was written, as baseline.json says."""
    try:
        dump = json.loads(Path(path).read_text(encoding="utf-8"))["dump"] if path else {}
    except (OSError, ValueError, KeyError, TypeError):
        dump = {}
    known = dump if isinstance(dump, dict) else {}
    return {name: known.get(name) for name in ("began", "ended", "zone")}


def arrivals(
    database: Reader, schema: str, backup: dict[str, str | None], weeks: int, history: int
) -> dict[str, Any]:
    """Return the patterns of all kinds that the portal has."""
    there = database.tables(schema)
    return {
        kind: pattern(database, f"{quoted(schema)}.{quoted(table)}", moment(backup["began"]), weeks, history)
        for kind, table in TABLES.items()
        if table in there
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "database": {"type": "str", "required": True},
            "baseline": {"type": "path"},
            "weeks": {"type": "int", "default": 12},
            "history": {"type": "int", "default": 104},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    given = module.params
    backup = taken(given["baseline"])
    try:
        kinds = arrivals(Database(given), given["database"], backup, given["weeks"], given["history"])
    except SqlError as error:
        module.fail_json(msg=f"arrivals in {given['database']}: {error}")
    module.exit_json(changed=False, kinds=kinds, backup=backup)


if __name__ == "__main__":
    main()
