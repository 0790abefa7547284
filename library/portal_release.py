"""Ansible module: the register of a portal's releases."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError, quoted

DOCUMENTATION = r"""
module: portal_release
short_description: Register of the releases of a portal, and the rules of its life
description:
  - Keeps in the database C(boxlift) when a release was filled, made quiet, activated and opened.
  - C(asserted) refuses to change the active release once the portal is open, and says how many rows
    were created since.
options:
  name: {description: Release., type: str, required: true}
  kind: {description: How the release came to be., type: str, choices: [box, restore, clone]}
  database: {description: Database of the release., type: str}
  state:
    description:
      - C(recorded) notes the C(event), C(read) only reads, C(asserted) refuses an activation of this release
        that would lose rows.
    type: str
    choices: [recorded, read, asserted]
    default: read
  event:
    description: What happened. Each event but C(activated) is noted once.
    type: str
    choices: [filled, quieted, activated, opened]
  active: {description: Name of the release that is active now., type: str}
  lifecycle: {description: Lifecycle of the environment's marker., type: str}
  timezone:
    description: Time zone of RV(filled_local) by name. Empty for the host's.
    type: str
    default: ""
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Refuse to lose what users created
  portal_release:
    name: rehearsal-1
    state: asserted
    active: final-1
    lifecycle: open
"""

RETURN = r"""
release: {description: The release's record; empty when unknown., returned: always, type: dict}
filled_local:
  description: When it was filled, in O(timezone), as the portal writes its own times. Empty when it was not.
  returned: always
  type: str
previous: {description: Release that was active before this one., returned: always, type: str}
"""

TABLE = """
CREATE TABLE IF NOT EXISTS `boxlift`.`portal_release` (
  `name` VARCHAR(64) NOT NULL PRIMARY KEY,
  `kind` VARCHAR(16) NOT NULL,
  `database_name` VARCHAR(64) NOT NULL,
  `filled_at` DATETIME(6) NULL,
  `quieted_at` DATETIME(6) NULL,
  `activated_at` DATETIME(6) NULL,
  `opened_at` DATETIME(6) NULL,
  `opened_marks` LONGTEXT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
"""

FIELDS = ("name", "kind", "database_name", "filled_at", "quieted_at", "activated_at", "opened_at")

#: Tables whose new rows are people's work; the highest ID at opening is the mark.
WORK_TABLES = (
    "b_crm_act",
    "b_crm_company",
    "b_crm_contact",
    "b_crm_deal",
    "b_crm_lead",
    "b_crm_timeline",
    "b_file",
    "b_forum_message",
    "b_im_message",
    "b_tasks",
    "b_voximplant_statistic",
)


def in_zone(moment: str, timezone: str) -> str:
    """Return a moment of the register, which keeps UTC, as a local time; an empty zone is the host's.

    Raises:
        ValueError: the host knows no such zone.
    """
    try:
        zone = ZoneInfo(timezone) if timezone else None
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"there is no time zone {timezone}") from error
    local = datetime.fromisoformat(moment).replace(tzinfo=UTC).astimezone(zone)
    return local.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


class RefusedError(Exception):
    """An act that would lose what users made."""


class Register:
    """The table of releases and what follows from it."""

    def __init__(self, database: Database) -> None:
        """Use the caller's connection."""
        self._db = database
        self._exists = "portal_release" in database.tables("boxlift")

    def read(self, name: str) -> dict[str, Any]:
        """Return a release's record, empty when there is none."""
        if not self._exists:
            return {}
        columns = ", ".join(map(quoted, FIELDS))
        rows = self._db.rows(f"SELECT {columns} FROM `boxlift`.`portal_release` WHERE name = %s", [name])
        return dict(zip(FIELDS, rows[0], strict=True)) if rows else {}

    def previous(self, name: str) -> str:
        """Return the release that was activated last before the named one, or an empty text."""
        if not self._exists:
            return ""
        found = self._db.value(
            "SELECT name FROM `boxlift`.`portal_release` WHERE name <> %s AND activated_at IS NOT NULL"
            " ORDER BY activated_at DESC LIMIT 1",
            [name],
        )
        return str(found or "")

    def record(self, name: str, kind: str, database: str, event: str, active: str, *, dry: bool) -> bool:
        """Note an event; return whether that was news."""
        known = self.read(name)
        if known.get(f"{event}_at") and (event != "activated" or active == name):
            return False
        if dry:
            return True
        self._db.run("CREATE DATABASE IF NOT EXISTS `boxlift` DEFAULT CHARACTER SET utf8mb4")
        self._db.run(TABLE)
        self._db.run(
            "INSERT INTO `boxlift`.`portal_release` (name, kind, database_name) VALUES (%s, %s, %s)"
            " ON DUPLICATE KEY UPDATE name = name",
            [name, kind, database],
        )
        if event == "activated":
            # What the link led to was active until now, even if its switch was cut before it was noted.
            self._db.run(
                "UPDATE `boxlift`.`portal_release` SET activated_at = UTC_TIMESTAMP(6)"
                " WHERE name = %s AND name <> %s AND activated_at IS NULL",
                [active, name],
            )
        self._db.run(
            f"UPDATE `boxlift`.`portal_release` SET {quoted(event + '_at')} = UTC_TIMESTAMP(6)"
            " WHERE name = %s",
            [name],
        )
        if event == "opened":
            self._db.run(
                "UPDATE `boxlift`.`portal_release` SET opened_marks = %s WHERE name = %s",
                [json.dumps(self._highest(database)), name],
            )
        self._exists = True
        return True

    def refuse_loss(self, name: str, active: str, lifecycle: str) -> None:
        """Refuse another release while people work in the open one.

        Raises:
            RefusedError: the portal is open and another release than the active one is wanted.
        """
        if not active or name == active:
            return
        opened = self.read(active)
        # An opening notes the release first and the marker last; when it stops in between, people may work.
        if lifecycle != "open" and not opened.get("opened_at"):
            return
        news = self._since_opening(active, opened.get("database_name") or "")
        total = sum(news.values())
        detail = ", ".join(f"{table} {rows}" for table, rows in sorted(news.items()) if rows)
        raise RefusedError(
            f"refused: the portal is open with release {active} since {opened.get('opened_at') or 'unknown'}"
            f" UTC; {total} rows were created since{f' ({detail})' if detail else ''};"
            f" activating {name} would lose them"
        )

    def _highest(self, database: str) -> dict[str, int]:
        tables = self._db.tables(database)
        return {
            table: int(self._db.value(f"SELECT COALESCE(MAX(ID), 0) FROM {quoted(database)}.{quoted(table)}"))
            for table in WORK_TABLES
            if table in tables
        }

    def _since_opening(self, name: str, database: str) -> dict[str, int]:
        if not self._exists:
            return {}
        marks = self._db.value("SELECT opened_marks FROM `boxlift`.`portal_release` WHERE name = %s", [name])
        tables = self._db.tables(database)
        return {
            table: int(
                self._db.value(
                    f"SELECT COUNT(*) FROM {quoted(database)}.{quoted(table)} WHERE ID > %s", [mark]
                )
            )
            for table, mark in json.loads(marks or "{}").items()
            if table in tables
        }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "name": {"type": "str", "required": True},
            "kind": {"type": "str", "choices": ["box", "restore", "clone"]},
            "database": {"type": "str"},
            "state": {"type": "str", "choices": ["recorded", "read", "asserted"], "default": "read"},
            "event": {"type": "str", "choices": ["filled", "quieted", "activated", "opened"]},
            "active": {"type": "str"},
            "lifecycle": {"type": "str"},
            "timezone": {"type": "str", "default": ""},
        },
        required_if=[("state", "recorded", ["event", "kind", "database"])],
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    given = module.params
    changed = False
    try:
        database = Database(given)
        register = Register(database)
        if given["state"] == "asserted":
            register.refuse_loss(given["name"], given["active"] or "", given["lifecycle"] or "")
        elif given["state"] == "recorded":
            changed = register.record(
                given["name"],
                given["kind"],
                given["database"],
                given["event"],
                given["active"] or "",
                dry=module.check_mode,
            )
            database.commit()
        release = {field: str(value) for field, value in register.read(given["name"]).items() if value}
        filled = release.get("filled_at", "")
        module.exit_json(
            changed=changed,
            release=release,
            filled_local=in_zone(filled, given["timezone"]) if filled else "",
            previous=register.previous(given["name"]),
        )
    except (SqlError, ValueError) as error:
        module.fail_json(msg=f"register of releases: {error}")
    except RefusedError as error:
        module.fail_json(msg=str(error), boxlift_exit=6)


if __name__ == "__main__":
    main()
