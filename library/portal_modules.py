"""Ansible module: modules that a portal's database knows and its folder lacks."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_php import PHP_ARGUMENTS, PhpError, run_php
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError, quoted

DOCUMENTATION = r"""
module: portal_modules
short_description: Unregister modules of a portal that have no folder
description:
  - A row of C(b_module) without a folder makes the portal believe in code that it does not have.
  - Such modules are unregistered through C(\Bitrix\Main\ModuleManager). Their tables and options stay.
  - Where more than O(most) modules have no folder the kernel is incomplete, and nothing is unregistered.
options:
  root: {description: Document root of the release., type: path, required: true}
  user: {description: User that PHP runs as., type: str, default: portal}
  php: {description: The PHP command., type: str, default: php}
  database: {description: Database of the release., type: str, required: true}
  most: {description: How many modules may be unregistered., type: int, default: 10}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Modules that the box lacks
  portal_modules:
    root: /srv/portal/releases/final-1
    database: portal_final_1
"""

RETURN = r"""
unregistered: {description: Modules that were unregistered., returned: always, type: list}
"""

SCRIPT = r"""
foreach ($input as $name) {
    \Bitrix\Main\ModuleManager::unRegisterModule($name);
}
$result = true;
"""


#: Where modules lie: the product's, and those of the portal's owner.
FOLDERS = ("bitrix/modules", "local/modules")


def absent(database: Database, schema: str, root: Path) -> list[str]:
    """Registered modules whose folder is missing (portal_runtime D4)."""
    if "b_module" not in database.tables(schema):
        return []
    rows = database.rows(f"SELECT `ID` FROM {quoted(schema)}.`b_module` ORDER BY `ID`")
    return [
        str(name) for (name,) in rows if not any((root / folder / str(name)).is_dir() for folder in FOLDERS)
    ]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **PHP_ARGUMENTS,
            **SQL_ARGUMENTS,
            "database": {"type": "str", "required": True},
            "most": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    given = module.params
    try:
        gone = absent(Database(given), given["database"], Path(given["root"]))
        if len(gone) > given["most"]:
            module.fail_json(
                msg=f"{len(gone)} modules of {given['root']} have no folder, so its kernel is incomplete:"
                f" {', '.join(gone)}"
            )
        if gone and not module.check_mode:
            run_php(module, SCRIPT, gone)
    except (SqlError, PhpError) as error:
        module.fail_json(msg=f"modules of {given['root']}: {error}")
    module.exit_json(changed=bool(gone), unregistered=gone)


if __name__ == "__main__":
    main()
