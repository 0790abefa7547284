#!/usr/bin/python
"""Ansible module: tables that by their names may act on the outside world, and that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError, quoted

DOCUMENTATION = r"""
module: portal_unknown_tables
short_description: Tables of a portal that by their names may act on the outside world, and that nobody knows
description:
  - A new version of the product, or an application, may bring mail or webhooks of its own, in tables that no
    rule names.
  - Looks at names and counts rows; changes nothing.
options:
  database:
    description: Database of the release.
    type: str
    required: true
  patterns:
    description: Names that say so, as the shell writes patterns.
    type: list
    elements: str
    required: true
  known:
    description: Names, or patterns of names, that somebody has looked at.
    type: list
    elements: str
    required: true
  config_file:
    description: Client option file of the server.
    type: path
    default: /etc/boxlift/database.cnf
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Look for mail that nobody knows
  portal_unknown_tables:
    database: portal_final_1
    patterns: ["*mail*"]
    known: [b_mail_mailbox]
"""

RETURN = r"""
tables: {description: "The tables, by name, each with its rows.", returned: always, type: list}
"""


def unknown(tables: Iterable[str], patterns: Sequence[str], known: Sequence[str]) -> list[str]:
    """Names that match a pattern and nothing known, sorted; the case of letters does not count."""

    def matches(name: str, wanted: Sequence[str]) -> bool:
        return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in wanted)

    return sorted(name for name in tables if matches(name, patterns) and not matches(name, known))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "database": {"type": "str", "required": True},
            "patterns": {"type": "list", "elements": "str", "required": True},
            "known": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    schema = module.params["database"]
    try:
        database = Database(module.params)
        names = unknown(database.tables(schema), module.params["patterns"], module.params["known"])
        found = [
            {
                "table": name,
                "rows": int(database.value(f"SELECT COUNT(*) FROM {quoted(schema)}.{quoted(name)}")),
            }
            for name in names
        ]
    except SqlError as error:
        module.fail_json(msg=f"tables of {schema}: {error}")
    module.exit_json(changed=False, tables=found)


if __name__ == "__main__":
    main()
