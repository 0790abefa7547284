"""Ansible module: where the cloud's name still stands in a portal's options."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError, quoted

DOCUMENTATION = r"""
module: portal_domain_leftovers
short_description: Find options of a portal that still name the cloud
description:
  - Looks for the cloud's names in C(b_option) and C(b_option_site), serialized values too. Changes nothing.
  - The cloud's names are the vendor's domains and those that the portal itself had in the cloud.
options:
  database: {description: Database of the release., type: str, required: true}
  domain: {description: Name of the portal now., type: str, required: true}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Find what still names the cloud
  portal_domain_leftovers:
    database: portal_final_1
    domain: portal.example.com
"""

RETURN = r"""
leftovers: {description: "Options that name the cloud, as module/name.", returned: always, type: list}
names: {description: The cloud's names that were looked for., returned: always, type: list}
"""


def cloud_names(database: Database, schema: str, domain: str) -> list[str]:
    """Return the names that the portal had in the cloud, the vendor's domain among them."""
    names = {"bitrix24."}
    options = f"{quoted(schema)}.`b_option`"
    for (value,) in database.rows(
        f"SELECT VALUE FROM {options} WHERE MODULE_ID = %s AND NAME = %s", ["bitrix24", "host_name"]
    ):
        names.add(str(value))
    for (old,) in database.rows(
        "SELECT JSON_UNQUOTE(JSON_EXTRACT(old_value, '$.SERVER_NAME')) FROM boxlift.held_value"
        " WHERE rule = 'domain-sites'"
        if "held_value" in database.tables("boxlift")
        else "SELECT NULL WHERE FALSE"
    ):
        names.add(str(old or ""))
    return sorted(name for name in names if name and name not in ("null", domain))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "database": {"type": "str", "required": True},
            "domain": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    schema = module.params["database"]
    found: set[str] = set()
    names: list[str] = []
    try:
        database = Database(module.params)
        tables = database.tables(schema)
        if "b_option" in tables:
            names = cloud_names(database, schema, module.params["domain"])
        for table in sorted(tables & {"b_option", "b_option_site"}):
            for name in names:
                rows = database.rows(
                    f"SELECT MODULE_ID, NAME FROM {quoted(schema)}.{quoted(table)}"
                    " WHERE MODULE_ID <> 'bitrix24' AND INSTR(VALUE, %s) > 0",
                    [name],
                )
                found.update(f"{row[0]}/{row[1]}" for row in rows)
    except SqlError as error:
        module.fail_json(msg=f"names of the cloud in {schema}: {error}")
    module.exit_json(changed=False, leftovers=sorted(found), names=names)


if __name__ == "__main__":
    main()
