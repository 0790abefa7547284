"""Ansible module: every source of leads that a restored portal knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_original import Original, Row, people
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError

DOCUMENTATION = r"""
module: portal_lead_sources
short_description: Find every source of leads of a portal
description:
  - Lists web forms, site buttons, channels of open lines, mailboxes, inbound webhooks and telephone numbers
    as they were in the backup, also after rules have held them still. Changes nothing.
  - Never returns the secret of a webhook's address.
options:
  release: {description: Release whose held values belong to the database., type: str, required: true}
  database: {description: Database of the release., type: str, required: true}
  domain: {description: The portal's domain from now on., type: str, required: true}
  telephony_domain: {description: The telephony server's domain from now on., type: str}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Find every source of leads
  portal_lead_sources:
    release: final-1
    database: portal_final_1
    domain: portal.example.com
"""

RETURN = r"""
sources:
  description: "Sources with id, kind, title, active, owner, address and new_address."
  returned: always
  type: list
"""

Source = dict[str, Any]
#: What a webhook may do that brings leads; without a list of its rights any may.
CRM_RIGHT = "crm"
#: Stands in a mailbox's options where the CRM takes its letters.
CRM_MAILBOX = "crm_connect"


class Rows(Protocol):
    """What is needed of a database."""

    tables: set[str]

    def rows(self, table: str, columns: list[str]) -> list[Row]:
        """Return a table's rows."""


class Portal:
    """The tables that know sources; names of tables and columns are in docs/vendor_surface.yml."""

    def __init__(self, rows: Rows, domain: str, telephony_domain: str | None) -> None:
        """Read ``rows``; addresses of the box are made of the two domains."""
        self._rows = rows
        self._url = f"https://{domain}"
        self._telephony = telephony_domain
        self._cloud = self._option("bitrix24", "host_name")
        self._people = people(rows.rows)

    def sources(self) -> list[Source]:
        """Return all sources, kind by kind."""
        kinds: list[Callable[[], Iterator[Source]]] = [
            self._forms,
            self._buttons,
            self._lines,
            self._mailboxes,
            self._webhooks,
            self._numbers,
        ]
        return [source for kind in kinds for source in kind()]

    def _option(self, owner: str, name: str) -> str | None:
        for row in self._rows.rows("b_option", ["MODULE_ID", "NAME", "VALUE"]):
            if (row["MODULE_ID"], row["NAME"]) == (owner, name):
                return row["VALUE"] or None
        return None

    def _owner(self, *users: str | None) -> str | None:
        return next((self._people[user] for user in users if self._people.get(user)), None)

    def _forms(self) -> Iterator[Source]:
        columns = ["ID", "NAME", "ACTIVE", "SECURITY_CODE", "ASSIGNED_BY_ID", "ACTIVE_CHANGE_BY"]
        for row in self._rows.rows("b_crm_webform", columns):
            owner = self._owner(row["ASSIGNED_BY_ID"], row["ACTIVE_CHANGE_BY"])
            yield self._script("web-form", "form", row, owner)

    def _buttons(self) -> Iterator[Source]:
        columns = ["ID", "NAME", "ACTIVE", "SECURITY_CODE", "CREATED_BY", "ACTIVE_CHANGE_BY"]
        for row in self._rows.rows("b_crm_button", columns):
            owner = self._owner(row["CREATED_BY"], row["ACTIVE_CHANGE_BY"])
            yield self._script("site-button", "site_button", row, owner)

    def _script(self, kind: str, folder: str, row: Row, owner: str | None) -> Source:
        """A script on the client's site; in the cloud the vendor's CDN serves it under the same file name."""
        file = f"crm/{folder}/loader_{row['ID']}_{row['SECURITY_CODE']}.js" if row["SECURITY_CODE"] else None
        return source(
            kind,
            row["ID"],
            row["NAME"],
            active=row["ACTIVE"] == "Y",
            owner=owner,
            address=file,
            new_address=f"{self._url}/upload/{file}" if file else self._url,
        )

    def _lines(self) -> Iterator[Source]:
        lines = self._rows.rows("b_imopenlines_config", ["ID", "LINE_NAME", "ACTIVE"])
        queue = self._rows.rows("b_imopenlines_queue", ["ID", "CONFIG_ID", "USER_ID"])
        status = self._rows.rows("b_imconnectors_status", ["ID", "CONNECTOR", "LINE", "ACTIVE"])
        for line in lines:
            owner = self._owner(*(row["USER_ID"] for row in queue if row["CONFIG_ID"] == line["ID"]))
            channels = [row for row in status if row["LINE"] == line["ID"]]
            for row in channels or [{"CONNECTOR": None, "ACTIVE": "Y"}]:
                channel = row["CONNECTOR"]
                yield source(
                    "open-line",
                    "-".join(filter(None, (line["ID"], channel))),
                    ": ".join(filter(None, (line["LINE_NAME"], channel))),
                    active=line["ACTIVE"] == row["ACTIVE"] == "Y",
                    owner=owner,
                    address=channel,
                    new_address=self._url,
                )

    def _mailboxes(self) -> Iterator[Source]:
        columns = ["ID", "ACTIVE", "EMAIL", "NAME", "LOGIN", "USER_ID", "OPTIONS"]
        for row in self._rows.rows("b_mail_mailbox", columns):
            address = next(
                (row[name] for name in ("EMAIL", "LOGIN", "NAME") if "@" in (row[name] or "")), None
            )
            yield source(
                "mailbox",
                row["ID"],
                row["NAME"] or address,
                active=row["ACTIVE"] == "Y" and (row["OPTIONS"] is None or CRM_MAILBOX in row["OPTIONS"]),
                owner=self._owner(row["USER_ID"]),
                address=address,
                new_address=address,
            )

    def _webhooks(self) -> Iterator[Source]:
        rights: dict[str | None, set[str | None]] = {}
        for row in self._rows.rows("b_rest_ap_permission", ["ID", "PASSWORD_ID", "PERM"]):
            rights.setdefault(row["PASSWORD_ID"], set()).add(row["PERM"])
        for row in self._rows.rows("b_rest_ap", ["ID", "USER_ID", "ACTIVE", "TITLE"]):
            # the third part of the path is a secret
            path = f"/rest/{row['USER_ID']}/…/"
            yield source(
                "webhook",
                row["ID"],
                row["TITLE"],
                active=row["ACTIVE"] == "Y" and (not rights or CRM_RIGHT in rights.get(row["ID"], set())),
                owner=self._owner(row["USER_ID"]),
                address=f"https://{self._cloud}{path}" if self._cloud else path,
                new_address=f"{self._url}{path}",
            )

    def _numbers(self) -> Iterator[Source]:
        configs = self._rows.rows("b_voximplant_config", ["ID", "PHONE_NAME"])
        names = {row["ID"]: row["PHONE_NAME"] for row in configs}
        for row in self._rows.rows("b_voximplant_number", ["ID", "NUMBER", "NAME", "TO_DELETE"]):
            title, number = row["NAME"] or row["NUMBER"], row["NUMBER"]
            yield self._number("rented", row["ID"], title, number, active=row["TO_DELETE"] != "Y")
        for row in self._rows.rows("b_voximplant_external_line", ["ID", "NUMBER", "NAME"]):
            yield self._number("line", row["ID"], row["NAME"] or row["NUMBER"], row["NUMBER"], active=True)
        for row in self._rows.rows("b_voximplant_sip", ["ID", "CONFIG_ID", "SERVER"]):
            title = names.get(row["CONFIG_ID"]) or row["SERVER"]
            yield self._number("sip", row["ID"], title, row["SERVER"], active=True)

    def _number(
        self, way: str, number: str | None, title: str | None, address: str | None, *, active: bool
    ) -> Source:
        return source(
            "number",
            f"{way}-{number}",
            title,
            active=active,
            owner=None,
            address=address,
            new_address=self._telephony,
        )


def source(
    kind: str,
    number: str | None,
    title: str | None,
    *,
    active: bool,
    owner: str | None,
    address: str | None,
    new_address: str | None,
) -> Source:
    """Return one source under an id that can be typed."""
    name = re.sub(r"[^a-z0-9_-]+", "-", str(number).lower()).strip("-")
    return {
        "id": f"{kind}-{name}",
        "kind": kind,
        "title": title or f"{kind} {number}",
        "active": active,
        "owner": owner,
        "address": address,
        "new_address": new_address,
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "release": {"type": "str", "required": True},
            "database": {"type": "str", "required": True},
            "domain": {"type": "str", "required": True},
            "telephony_domain": {"type": "str"},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    given = module.params
    try:
        original = Original(Database(given), given["release"], given["database"])
        found = Portal(original, given["domain"], given["telephony_domain"]).sources()
    except SqlError as error:
        module.fail_json(msg=f"sources of leads in {given['database']}: {error}")
    module.exit_json(changed=False, sources=found)


if __name__ == "__main__":
    main()
