"""Ansible module: a FULLTEXT key of a portal's table."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError, quoted

DOCUMENTATION = r"""
module: portal_fulltext
short_description: Make the FULLTEXT key of a column, and count the table's rows
options:
  database: {description: Database of the release., type: str, required: true}
  table: {description: Table., type: str, required: true}
  column: {description: Column., type: str, required: true}
  present: {description: Whether to make the key where it is missing., type: bool, default: true}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
description:
  - A table that the portal lacks is no error; RV(exists) is false then.
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Key of the search index
  portal_fulltext:
    database: portal_final_1
    table: b_search_content_text
    column: SEARCHABLE_CONTENT
"""

RETURN = r"""
exists: {description: Whether the key exists., returned: always, type: bool}
rows: {description: Rows of the table., returned: always, type: int}
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "database": {"type": "str", "required": True},
            "table": {"type": "str", "required": True},
            "column": {"type": "str", "required": True},
            "present": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    given = module.params
    changed = False
    try:
        database = Database(given)
        if given["column"] not in database.columns(given["database"], given["table"]):
            module.exit_json(changed=False, exists=False, rows=0)
        exists = bool(
            database.rows(
                "SELECT 1 FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s"
                " AND COLUMN_NAME = %s AND INDEX_TYPE = 'FULLTEXT'",
                [given["database"], given["table"], given["column"]],
            )
        )
        table = f"{quoted(given['database'])}.{quoted(given['table'])}"
        if given["present"] and not exists:
            changed = exists = True
            if not module.check_mode:
                database.run(f"ALTER TABLE {table} ADD FULLTEXT KEY ({quoted(given['column'])})")
                database.commit()
        rows = int(database.value(f"SELECT COUNT(*) FROM {table}"))
    except SqlError as error:
        module.fail_json(msg=f"full-text key of {given['table']}: {error}")
    module.exit_json(changed=changed, exists=exists, rows=rows)


if __name__ == "__main__":
    main()
