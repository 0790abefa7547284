"""Ansible module: applications, bots and webhooks of a portal, and which of them die with the move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_original import Original, Row, people
from ansible.module_utils.boxlift_php import PHP_ARGUMENTS, PhpError, run_php
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError, quoted

DOCUMENTATION = r"""
module: portal_applications
short_description: List applications, bots and webhooks that a move breaks, and switch dead bots off
description:
  - Reads them as they were in the backup, also when the rules of a quiet portal hold them since.
  - A dead bot is one whose module the portal lacks, or whose application was not in use when the backup was
    taken. Its account is deactivated through C(CUser::Update), so that nobody writes to it in vain.
  - Secrets of webhooks are never read.
options:
  root: {description: Document root of the release., type: path, required: true}
  user: {description: User that PHP runs as., type: str, default: portal}
  php: {description: The PHP command., type: str, default: php}
  release: {description: Release., type: str, required: true}
  database: {description: Database of the release., type: str, required: true}
  domain: {description: The portal's domain from now on., type: str, required: true}
  disable: {description: Whether accounts of dead bots are deactivated., type: bool, default: false}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: List what must be registered again
  portal_applications:
    root: /srv/portal/releases/final-1
    release: final-1
    database: portal_final_1
    domain: portal.example.com
"""

RETURN = r"""
applications:
  description: "Each with kind, id, title, owner, address, fate and todo."
  returned: always
  type: list
registered: {description: Whether the portal is registered with the vendor., returned: always, type: bool}
disabled: {description: IDs of bots that this call deactivated., returned: always, type: list}
"""

SCRIPT = r"""
$result = [];
foreach ($input as $id) {
    $user = new \CUser;
    if (!$user->Update($id, ['ACTIVE' => 'N'])) {
        throw new \RuntimeException("bot $id: " . (strip_tags((string)$user->LAST_ERROR) ?: 'refused'));
    }
    $result[] = $id;
}
"""


class Fate(StrEnum):
    """What becomes of a thing in the box (portal_runtime J4)."""

    DEAD = "dead"
    REGISTER = "register again"
    ADDRESS = "new address"
    UNUSED = "unused"
    WORKS = "works"


@dataclass(frozen=True)
class Item:
    """An application, a bot or a webhook: what it is, whose it is, what becomes of it and what to do."""

    kind: str
    id: str
    title: str
    owner: str
    address: str
    fate: Fate
    todo: str


class Applications:
    """The tables that know them; names are in docs/vendor_surface.yml."""

    def __init__(self, original: Original, modules: set[str], domain: str) -> None:
        """Read ``original``; ``modules`` are those of the portal now, ``domain`` is its own from now on."""
        self._rows = original.rows
        self._modules = modules
        self._domain = domain
        self._apps = {
            row["CLIENT_ID"]: row
            for row in self._rows("b_rest_app", ["ID", "CLIENT_ID", "CODE", "APP_NAME", "ACTIVE"])
        }
        self._people = people(self._rows)

    def items(self) -> list[Item]:
        """Everything, kind by kind."""
        kinds: list[Callable[[], Iterator[Item]]] = [
            self._applications,
            self.bots,
            self._outgoing,
            self._inbound,
        ]
        return [item for kind in kinds for item in kind()]

    def _applications(self) -> Iterator[Item]:
        for row in self._apps.values():
            used = row["ACTIVE"] == "Y"
            yield Item(
                kind="application",
                id=str(row["ID"]),
                title=_name(row),
                owner="",
                address=row["CODE"] or "",
                fate=Fate.REGISTER if used else Fate.UNUSED,
                todo="install it again in the box, or replace it" if used else "",
            )

    def bots(self) -> Iterator[Item]:
        """Chat bots."""
        for row in self._rows("b_im_bot", ["BOT_ID", "CODE", "MODULE_ID", "APP_ID"]):
            fate, todo = self._bot(row)
            yield Item(
                kind="bot",
                id=str(row["BOT_ID"]),
                title=row["CODE"] or "",
                owner=self._people.get(row["BOT_ID"], ""),
                address=row["MODULE_ID"] or "",
                fate=fate,
                todo=todo,
            )

    def _bot(self, row: Row) -> tuple[Fate, str]:
        if row["MODULE_ID"] not in self._modules:
            return Fate.DEAD, f"the box has no module {row['MODULE_ID']}: remove the bot"
        if row["MODULE_ID"] != "rest":
            return Fate.WORKS, ""
        app = self._apps.get(row["APP_ID"])
        if app is None or app["ACTIVE"] != "Y":
            return Fate.DEAD, "its application was not in use: remove the bot"
        return Fate.REGISTER, f"it comes back when {_name(app)} is installed again"

    def _outgoing(self) -> Iterator[Item]:
        columns = ["ID", "APP_ID", "EVENT_NAME", "EVENT_HANDLER", "TITLE", "USER_ID"]
        for row in self._rows("b_rest_event", columns):
            # those of an application come back with it
            if row["APP_ID"] not in (None, "", "0"):
                continue
            yield Item(
                kind="outgoing webhook",
                id=str(row["ID"]),
                title=f"{row['TITLE'] or ''} ({row['EVENT_NAME']})".strip(),
                owner=self._people.get(row["USER_ID"], ""),
                address=(row["EVENT_HANDLER"] or "").partition("?")[0],
                fate=Fate.REGISTER,
                todo="create it again in the box: it was sent through the old portal's registration",
            )

    def _inbound(self) -> Iterator[Item]:
        for row in self._rows("b_rest_ap", ["ID", "USER_ID", "ACTIVE", "TITLE"]):
            used = row["ACTIVE"] == "Y"
            # the third part of the path is a secret
            address = f"https://{self._domain}/rest/{row['USER_ID']}/…/"
            yield Item(
                kind="inbound webhook",
                id=str(row["ID"]),
                title=row["TITLE"] or "",
                owner=self._people.get(row["USER_ID"], ""),
                address=address,
                fate=Fate.ADDRESS if used else Fate.UNUSED,
                todo="tell whoever calls it the new host; the rest of the address stays" if used else "",
            )


def _name(row: Row) -> str:
    return row["APP_NAME"] or row["CODE"] or str(row["ID"])


def active(database: Database, schema: str, bots: list[str]) -> list[int]:
    """Those of the bots whose accounts are active now."""
    if not bots:
        return []
    marks = ", ".join(["%s"] * len(bots))
    rows = database.rows(
        f"SELECT `ID` FROM {quoted(schema)}.`b_user` WHERE `ACTIVE` = 'Y' AND `ID` IN ({marks})"
        " ORDER BY `ID`",
        bots,
    )
    return [int(row[0]) for row in rows]


def is_registered(database: Database, schema: str) -> bool:
    """Tell whether the portal has an id of the vendor's registration now."""
    options = f"{quoted(schema)}.`b_option`"
    return bool(
        database.value(
            f"SELECT VALUE FROM {options} WHERE MODULE_ID = 'rest' AND NAME = 'service_client_id'"
            " AND COALESCE(VALUE, '') <> ''"
        )
    )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **PHP_ARGUMENTS,
            **SQL_ARGUMENTS,
            "release": {"type": "str", "required": True},
            "database": {"type": "str", "required": True},
            "domain": {"type": "str", "required": True},
            "disable": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    given = module.params
    schema = given["database"]
    found: list[Item] = []
    disabled: list[int] = []
    registered = False
    try:
        database = Database(given)
        original = Original(database, given["release"], schema)
        if {"b_module", "b_option"} <= original.tables:
            modules = {row[0] for row in database.rows(f"SELECT `ID` FROM {quoted(schema)}.`b_module`")}
            found = Applications(original, modules, given["domain"]).items()
            registered = is_registered(database, schema)
        dead = [item.id for item in found if item.kind == "bot" and item.fate is Fate.DEAD]
        if given["disable"]:
            disabled = active(database, schema, dead)
        if disabled and not module.check_mode:
            run_php(module, SCRIPT, disabled)
    except (SqlError, PhpError) as error:
        module.fail_json(msg=f"applications of {given['release']}: {error}")
    answer: list[dict[str, Any]] = [asdict(item) for item in found]
    module.exit_json(changed=bool(disabled), applications=answer, registered=registered, disabled=disabled)


if __name__ == "__main__":
    main()
