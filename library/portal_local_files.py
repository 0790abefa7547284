"""Ansible module: files of the portal that lie on the host and are said to lie in a bucket."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError, quoted

DOCUMENTATION = r"""
module: portal_local_files
short_description: Tell the portal which files lie on the host
description:
  - C(b_file.HANDLER_ID) says that a file lies in a bucket. Where the file is on the host with the
    right size, the column is emptied; the others are counted and left.
options:
  database: {description: Database of the release., type: str, required: true}
  upload: {description: Folder of uploads., type: path, required: true}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Files that are local
  portal_local_files:
    database: portal_final_1
    upload: /srv/portal/releases/final-1/upload
"""

RETURN = r"""
local: {description: Files that are on the host., returned: always, type: int}
missing: {description: Files that are not., returned: always, type: int}
examples: {description: Some of the missing ones., returned: always, type: list}
buckets:
  description: Missing files by bucket; one that C(b_clouds_file_bucket) does not know has no name.
  returned: always
  type: dict
"""

_BATCH = 1000


def bucket_names(database: Database, schema: str) -> dict[str, str]:
    """Buckets that the portal knows: ID → name."""
    if "BUCKET" not in database.columns(schema, "b_clouds_file_bucket"):
        return {}
    rows = database.rows(f"SELECT ID, BUCKET FROM {quoted(schema)}.`b_clouds_file_bucket`")
    return {str(number): str(name) for number, name in rows}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "database": {"type": "str", "required": True},
            "upload": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    schema, upload = module.params["database"], Path(module.params["upload"])
    local: list[str] = []
    missing: list[str] = []
    buckets: Counter[str] = Counter()
    try:
        database = Database(module.params)
        if "HANDLER_ID" not in database.columns(schema, "b_file"):
            module.exit_json(changed=False, local=0, missing=0, examples=[], buckets={})
        table = f"{quoted(schema)}.`b_file`"
        names = bucket_names(database, schema)
        for number, folder, name, size, bucket in database.rows(
            "SELECT ID, SUBDIR, FILE_NAME, FILE_SIZE, HANDLER_ID"
            f" FROM {table} WHERE COALESCE(HANDLER_ID, '') <> ''"
        ):
            path = upload / str(folder or "") / str(name)
            if path.is_file() and path.stat().st_size == int(size or 0):
                local.append(str(number))
            else:
                missing.append(f"{folder}/{name}")
                buckets[f"{bucket}: {names.get(str(bucket), 'no such bucket')}"] += 1
        if not module.check_mode:
            for start in range(0, len(local), _BATCH):
                batch = local[start : start + _BATCH]
                marks = ", ".join(["%s"] * len(batch))
                database.run(f"UPDATE {table} SET HANDLER_ID = NULL WHERE ID IN ({marks})", batch)
            database.commit()
    except SqlError as error:
        module.fail_json(msg=f"files of {schema}: {error}")
    module.exit_json(
        changed=bool(local), local=len(local), missing=len(missing), examples=missing[:10], buckets=buckets
    )


if __name__ == "__main__":
    main()
