"""Ansible module: where the cloud's name still stands in a portal's database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_names import Names, former_names
from ansible.module_utils.boxlift_rules import Holder, Rule
from ansible.module_utils.boxlift_serialized import SerializedError
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError, quoted

DOCUMENTATION = r"""
module: portal_domain_leftovers
short_description: Put a portal's own name where its former one stands, and find where the cloud's is left
description:
  - Looks at options, sites, senders, templates of letters and published sites (portal_runtime D).
  - Rewrites the names that the portal itself had, serialized values with their lengths put right. What cannot
    be rewritten safely, what O(keep) names, and names of the vendor stay and are reported.
  - Former values are kept in the database C(boxlift).
options:
  release: {description: Release whose former values are kept under this name., type: str, required: true}
  database: {description: Database of the release., type: str, required: true}
  domain: {description: Name of the portal now., type: str, required: true}
  email: {description: Sender where an address at a former name stands., type: str, required: true}
  keep:
    description: Options that are not rewritten, as module/name with wildcards.
    type: list
    elements: str
    default: []
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Put the portal's name where its former one stands
  portal_domain_leftovers:
    release: final-1
    database: portal_final_1
    domain: portal.example.com
    email: no-reply@portal.example.com
"""

RETURN = r"""
rewritten: {description: "Values that were rewritten: table, key, column.", returned: always, type: list}
leftovers:
  description: "Where names of the cloud still stand: table, key, column, name, and why."
  returned: always
  type: list
names: {description: The cloud's names that were looked for., returned: always, type: list}
"""

#: Stands in each name that the vendor gives away.
VENDOR = "bitrix24."
#: Columns that hold names: table, key, column, whether it may be rewritten (portal_runtime D2, D3).
PLACES: tuple[tuple[str, tuple[str, ...], str, bool], ...] = (
    ("b_option", ("MODULE_ID", "NAME"), "VALUE", True),
    ("b_option_site", ("MODULE_ID", "NAME", "SITE_ID"), "VALUE", True),
    ("b_lang", ("LID",), "SERVER_NAME", False),
    ("b_lang", ("LID",), "EMAIL", False),
    ("b_lang_domain", ("LID", "DOMAIN"), "DOMAIN", False),
    ("b_event_message", ("ID",), "EMAIL_FROM", True),
    ("b_main_mail_sender", ("ID",), "EMAIL", True),
    ("b_landing_domain", ("ID",), "DOMAIN", False),
    ("b_bitrixcloud_option", ("ID",), "PARAM_VALUE", False),
)
REWRITE = "domain-rewrite"
NOT_WHOLE = "no whole name of the portal"


@dataclass(frozen=True)
class Place:
    """A value that names the cloud; ``key`` reads as COLUMN=value."""

    table: str
    key: str
    column: str
    name: str = ""
    why: str = ""


@dataclass(frozen=True)
class Found:
    """A row with such a value: its key by column, the value, whether it may be rewritten."""

    table: str
    key: dict[str, str]
    column: str
    value: str
    may_change: bool

    def place(self, name: str = "", why: str = "") -> Place:
        """The same for the report."""
        return Place(self.table, ", ".join(f"{c}={v}" for c, v in self.key.items()), self.column, name, why)


def search(database: Database, schema: str, names: Sequence[str]) -> Iterator[Found]:
    """Every value that holds one of the names, whatever its letters' case."""
    for table, key, column, may_change in PLACES:
        present = database.columns(schema, table)
        if not {*key, column} <= set(present) or not names:
            continue
        wanted = " OR ".join([f"INSTR(LOWER({quoted(column)}), %s) > 0"] * len(names))
        columns = ", ".join(map(quoted, [*key, column]))
        for *keys, value in database.rows(
            f"SELECT {columns} FROM {quoted(schema)}.{quoted(table)} WHERE {wanted} ORDER BY {columns}",
            [name.lower() for name in names],
        ):
            yield Found(table, dict(zip(key, map(str, keys), strict=True)), column, str(value), may_change)


def is_kept(found: Found, keep: Sequence[str]) -> bool:
    """Tell whether an option belongs to those that are not rewritten."""
    option = f"{found.key.get('MODULE_ID')}/{found.key.get('NAME')}"
    return "MODULE_ID" in found.key and any(fnmatchcase(option, pattern) for pattern in keep)


def rewrite(found: Found, names: Names, keep: Sequence[str]) -> tuple[str | None, str]:
    """The new value, None where it stays, and why it stays."""
    if not found.may_change:
        return None, "bound anew by a person"
    if is_kept(found, keep):
        return None, "belongs to a registration that is made anew"
    try:
        value = names.put_into(found.value)
    except SerializedError as error:
        return None, f"serialized, and not safe to rewrite: {error}"
    return (value, "") if value != found.value else (None, NOT_WHOLE)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "release": {"type": "str", "required": True},
            "database": {"type": "str", "required": True},
            "domain": {"type": "str", "required": True},
            "email": {"type": "str", "required": True},
            "keep": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    given: dict[str, Any] = module.params
    schema = given["database"]
    rewritten: list[Place] = []
    leftovers: list[Place] = []
    known: list[str] = []
    try:
        database = Database(given)
        if "b_option" in database.tables(schema):
            former = former_names(database, schema, given["domain"])
            known = [VENDOR, *former]
            names = Names(former, given["domain"], given["email"])
            holder = Holder(database, given["release"], schema)
            for found in search(database, schema, known):
                # what the cloud's module keeps of itself is nobody's address
                if found.key.get("MODULE_ID") == "bitrix24":
                    continue
                value, why = rewrite(found, names, given["keep"])
                if value is not None:
                    rewritten.append(found.place())
                    if not module.check_mode:
                        rule = Rule(
                            REWRITE, found.table, "", {found.column: value}, False, None, "keep", None
                        )
                        holder.replace_row(rule, found.key, {found.column: found.value})
                left = found.value if value is None else value
                name = next((name for name in reversed(known) if name.lower() in left.lower()), None)
                if name is not None:
                    leftovers.append(found.place(name, why or NOT_WHOLE))
            database.commit()
    except SqlError as error:
        module.fail_json(msg=f"names of the cloud in {schema}: {error}")
    module.exit_json(
        changed=bool(rewritten),
        rewritten=[asdict(place) for place in rewritten],
        leftovers=[asdict(place) for place in leftovers],
        names=known,
    )


if __name__ == "__main__":
    main()
