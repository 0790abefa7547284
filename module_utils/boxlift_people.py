"""People who cannot log in after the move, and the ledger of what was done for them.

The vendor's network keeps the passwords of cloud users; in the portal they carry an EXTERNAL_AUTH_ID and have
no usable password (portal_runtime G). The ledger lies beside the portal's database, in ``boxlift``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.boxlift_sql import Database, quoted

#: Kinds of account whose password lives in the vendor's network; all other kinds are no persons.
NETWORK_KINDS = ("socservices", "Bitrix24Net")

#: The event whose template is the letter with the link (portal_runtime G).
LETTER_EVENT = "USER_PASS_REQUEST"

#: A password shorter than this is no hash of any kind that the portal ever wrote.
_SHORTEST_HASH = 32

#: Minutes that the link of a letter is valid where no group of the user says less (portal_runtime G).
LINK_MINUTES = 2880
#: The group that everybody belongs to without a row of its own.
_EVERYBODY = 2
_TIMEOUT = re.compile(r's:17:"CHECKWORD_TIMEOUT";(?:i:|s:\d+:")(\d+)')

LEDGER = """
CREATE TABLE IF NOT EXISTS `boxlift`.`person` (
  `release_name` VARCHAR(64) NOT NULL,
  `user_id` BIGINT NOT NULL,
  `previous_kind` VARCHAR(255) NOT NULL DEFAULT '',
  `switched_at` DATETIME(6) NULL,
  `letter` ENUM('none', 'sending', 'sent', 'failed', 'doubt') NOT NULL DEFAULT 'none',
  `letter_at` DATETIME(6) NULL,
  `started_us` BIGINT NULL,
  `note` VARCHAR(500) NOT NULL DEFAULT '',
  PRIMARY KEY (`release_name`, `user_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
"""


@dataclass(frozen=True)
class Person:
    """An employee: account, address, kind of account, site."""

    id: int
    login: str
    email: str
    kind: str
    site: str


class People:
    """Employees of one release."""

    def __init__(self, database: Database, release: str, schema: str) -> None:
        """Use the caller's connection; ``schema`` is the release's database."""
        self._db = database
        self._release = release
        self._schema = schema
        self._has_ledger = "person" in database.tables("boxlift")

    def prepare(self) -> None:
        """Make the ledger."""
        if not self._has_ledger:
            self._db.run("CREATE DATABASE IF NOT EXISTS `boxlift` DEFAULT CHARACTER SET utf8mb4")
            self._db.run(LEDGER)
            self._has_ledger = True

    def _select(self, condition: str, values: list[Any]) -> list[Person]:
        users = f"{quoted(self._schema)}.`b_user`"
        columns = self._db.columns(self._schema, "b_user")
        conditions = ["u.`ACTIVE` = 'Y'", f"({condition})"]
        if "BLOCKED" in columns:
            conditions.append("COALESCE(u.`BLOCKED`, 'N') <> 'Y'")
        if "CONFIRM_CODE" in columns:
            # An invitation that nobody has accepted yet is no employee.
            conditions.append("COALESCE(u.`CONFIRM_CODE`, '') = ''")
        if "UF_DEPARTMENT" in self._db.columns(self._schema, "b_uts_user"):
            # An employee has a department; the value is a serialized list, empty as a:0:{}.
            conditions.append(
                f"EXISTS (SELECT 1 FROM {quoted(self._schema)}.`b_uts_user` d WHERE d.`VALUE_ID` = u.`ID`"
                " AND COALESCE(d.`UF_DEPARTMENT`, '') NOT IN ('', 'a:0:{}'))"
            )
        return [
            Person(int(row[0]), row[1], row[2] or "", row[3] or "", row[4] or "")
            for row in self._db.rows(
                "SELECT u.`ID`, u.`LOGIN`, u.`EMAIL`, u.`EXTERNAL_AUTH_ID`, u.`LID`"
                f" FROM {users} u WHERE {' AND '.join(conditions)} ORDER BY u.`ID`",
                values,
            )
        ]

    def network(self) -> list[Person]:
        """Employees whose password lives in the vendor's network."""
        marks = ", ".join(["%s"] * len(NETWORK_KINDS))
        return self._select(f"u.`EXTERNAL_AUTH_ID` IN ({marks})", list(NETWORK_KINDS))

    def without_password(self) -> list[Person]:
        """Employees with a local account and no usable password, and those who were switched to one."""
        switched = (
            " OR EXISTS (SELECT 1 FROM `boxlift`.`person` p WHERE p.`user_id` = u.`ID`"
            " AND p.`release_name` = %s AND p.`switched_at` IS NOT NULL)"
            if self._has_ledger
            else ""
        )
        return self._select(
            "COALESCE(u.`EXTERNAL_AUTH_ID`, '') = ''"
            f" AND (CHAR_LENGTH(COALESCE(u.`PASSWORD`, '')) < %s{switched})",
            [_SHORTEST_HASH, *([self._release] if switched else [])],
        )

    def link_minutes(self, people: Sequence[Person]) -> dict[int, int]:
        """Minutes that each person's link is valid: the shortest time that a group's policy names."""
        policies: dict[int, int] = {}
        if "SECURITY_POLICY" in self._db.columns(self._schema, "b_group"):
            for group, policy in self._db.rows(
                f"SELECT `ID`, `SECURITY_POLICY` FROM {quoted(self._schema)}.`b_group`"
                " WHERE `SECURITY_POLICY` IS NOT NULL"
            ):
                found = _TIMEOUT.search(str(policy))
                if found and int(found.group(1)) > 0:
                    policies[int(group)] = int(found.group(1))
        minutes = {person.id: min(LINK_MINUTES, policies.get(_EVERYBODY, LINK_MINUTES)) for person in people}
        if policies and "GROUP_ID" in self._db.columns(self._schema, "b_user_group"):
            for user, group in self._db.rows(
                f"SELECT `USER_ID`, `GROUP_ID` FROM {quoted(self._schema)}.`b_user_group`"
            ):
                if int(user) in minutes and int(group) in policies:
                    minutes[int(user)] = min(minutes[int(user)], policies[int(group)])
        return minutes

    def letter_templates(self) -> dict[str, list[int]]:
        """IDs of the letter's active templates by site; two make two letters (portal_runtime G)."""
        if not {"b_event_message", "b_event_message_site"} <= self._db.tables(self._schema):
            return {}
        found: dict[str, list[int]] = {}
        for site, template in self._db.rows(
            f"SELECT s.`SITE_ID`, m.`ID` FROM {quoted(self._schema)}.`b_event_message` m"
            f" JOIN {quoted(self._schema)}.`b_event_message_site` s ON s.`EVENT_MESSAGE_ID` = m.`ID`"
            " WHERE m.`EVENT_NAME` = %s AND m.`ACTIVE` = 'Y' ORDER BY 1, 2",
            [LETTER_EVENT],
        ):
            found.setdefault(str(site), []).append(int(template))
        return found

    def accounts(self) -> list[dict[str, Any]]:
        """How many accounts of each kind there are, active ones and others (portal_runtime G)."""
        return [
            {"kind": str(kind), "active": active == "Y", "count": int(count)}
            for kind, active, count in self._db.rows(
                "SELECT COALESCE(`EXTERNAL_AUTH_ID`, ''), `ACTIVE`, COUNT(*)"
                f" FROM {quoted(self._schema)}.`b_user` GROUP BY 1, 2 ORDER BY 1, 2"
            )
        ]

    def letters(self) -> dict[int, tuple[str, str, int]]:
        """State of each letter: user ID → (state, note, when it was begun in µs by the host's clock)."""
        if not self._has_ledger:
            return {}
        return {
            int(row[0]): (str(row[1]), str(row[2]), int(row[3] or 0))
            for row in self._db.rows(
                "SELECT user_id, letter, note, started_us FROM `boxlift`.`person` WHERE release_name = %s",
                [self._release],
            )
        }

    def enter(self, person: Person) -> None:
        """Put a person into the ledger, once, with the kind of account before the change."""
        self._db.run(
            "INSERT IGNORE INTO `boxlift`.`person` (release_name, user_id, previous_kind)"
            " VALUES (%s, %s, %s)",
            [self._release, person.id, person.kind],
        )

    def note_switch(self, user_id: int, problem: str) -> None:
        """Note that an account was switched, or why not."""
        switched = "switched_at" if problem else "UTC_TIMESTAMP(6)"
        self._db.run(
            f"UPDATE `boxlift`.`person` SET switched_at = {switched}, note = %s"
            " WHERE release_name = %s AND user_id = %s",
            [problem[:500], self._release, user_id],
        )

    def note_letter(self, user_id: int, state: str, note: str = "", started_us: int | None = None) -> None:
        """Note the state of a person's letter."""
        self._db.run(
            "UPDATE `boxlift`.`person` SET letter = %s, note = %s, letter_at = UTC_TIMESTAMP(6),"
            " started_us = COALESCE(%s, started_us) WHERE release_name = %s AND user_id = %s",
            [state, note[:500], started_us, self._release, user_id],
        )
