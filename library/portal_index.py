"""Ansible module: the unit that builds a portal's indexes, and how far it is."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError, quoted

DOCUMENTATION = r"""
module: portal_index
short_description: Start the unit that builds a portal's indexes, or wait for it
description:
  - The unit runs C(portal_index.php) of the role portal_search, which notes its state after each step.
  - C(started) starts the unit where an index is not built yet, was emptied since, or failed.
  - C(looked) waits for some seconds and tells how far the unit is; call it until RV(finished).
options:
  state: {description: What to do., type: str, choices: [started, looked], default: looked}
  unit: {description: Unit of systemd., type: str, required: true}
  state_file: {description: File that keeps what is done., type: path, required: true}
  database: {description: Database of the release., type: str, required: true}
  indexes: {description: The indexes (role portal_search)., type: list, elements: dict, required: true}
  wait: {description: Seconds to wait for the unit's end., type: int, default: 0}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Wait for the indexes
  portal_index:
    unit: portal-search@final-1.service
    state_file: /var/lib/boxlift-search/final-1/state.json
    database: portal_final_1
    indexes: [{id: site, kind: site, module: search, index: b_search_content}]
    wait: 15
  register: built
  until: built.finished
  retries: 100000
  delay: 0
"""

RETURN = r"""
finished: {description: Whether the unit has ended., returned: always, type: bool}
due: {description: Indexes that are still to be built., returned: always, type: list}
failed: {description: "Indexes that could not be built, with the reason.", returned: always, type: dict}
absent: {description: "Indexes that the portal does not have, with the reason.", returned: always, type: dict}
boxlift_progress:
  description: "What is being built, how much is done, of how much (null where unknown), how many a second."
  returned: while an index is being built
  type: dict
"""

#: States of a unit in which its program runs or is about to; between two starts it is activating.
BUSY = ("active", "activating", "reloading", "deactivating")
_OVER = ("done", "absent")
#: What one call of systemctl says about a unit that failed.
_FAILED = "failed"

State = dict[str, dict[str, Any]]
Index = dict[str, Any]


def read_state(path: Path) -> State:
    """Return what the unit knows of each index; empty before its first step, and where it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        indexes = content["indexes"]
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        # A state that cannot be read is worth no more than none: the indexes are built from their beginning.
        return {}
    return indexes if isinstance(indexes, dict) else {}


def write_state(path: Path, state: State) -> None:
    """Keep a state so that a power cut leaves the old or the new one; the unit may replace it.

    The folder is the portal's user's: a name that can be foreseen might be a link to a file of root's.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    fresh = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"indexes": state, "updated": int(time.time())}, file)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def is_emptied(database: Database, schema: str, index: Index) -> bool:
    """Tell whether an index holds nothing although there is something to index."""
    tables = database.tables(schema)
    source, target, column = index.get("table"), index.get("index"), index.get("column")

    def has_rows(table: str, condition: str = "TRUE") -> bool:
        statement = f"SELECT 1 FROM {quoted(schema)}.{quoted(table)} WHERE {condition} LIMIT 1"
        return bool(database.rows(statement))

    if source is not None and (source not in tables or not has_rows(source)):
        return False
    if target is not None:
        return target in tables and not has_rows(target)
    if source is not None and column in database.columns(schema, source):
        return not has_rows(source, f"COALESCE({quoted(column)}, '') <> ''")
    return False


def due(database: Database, schema: str, indexes: list[Index], state: State) -> list[str]:
    """Indexes that are not built, failed, were built for another engine, or were emptied since."""
    return [
        index["id"]
        for index in indexes
        if (known := state.get(index["id"], {})).get("state") not in _OVER
        or (known["state"] == "done" and known.get("variant") != index.get("variant"))
        or (known["state"] == "done" and not known.get("empty") and is_emptied(database, schema, index))
    ]


def resumed(state: State, indexes: list[Index], waiting: list[str]) -> State:
    """What a new start begins with: what was cut off goes on, what failed or was emptied begins anew."""
    variants = {index["id"]: index.get("variant") for index in indexes}
    cut = {
        name: {**known, "tries": 0}
        for name, known in state.items()
        if name in waiting and known.get("state") == "running" and known.get("variant") == variants[name]
    }
    return {name: known for name, known in state.items() if name not in waiting} | cut


def progress(indexes: list[Index], state: State) -> dict[str, Any]:
    """What is being built, for the runner's display."""
    order = [index["id"] for index in indexes]
    for position, name in enumerate(order, 1):
        known = state.get(name, {})
        if known.get("state") == "running":
            return {
                "what": f"index {name} ({position} of {len(order)})",
                "done": int(known.get("done") or 0),
                "total": known.get("total"),
                "rate": known.get("rate"),
            }
    return {}


def unit_state(module: Any, unit: str) -> str:
    """State of a unit."""
    code, output, errors = module.run_command(
        ["systemctl", "show", "--property=ActiveState", "--value", unit]
    )
    if code != 0:
        module.fail_json(msg=f"systemd does not tell about {unit}: {errors.strip()}")
    return str(output).strip()


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "state": {"type": "str", "choices": ["started", "looked"], "default": "looked"},
            "unit": {"type": "str", "required": True},
            "state_file": {"type": "path", "required": True},
            "database": {"type": "str", "required": True},
            "indexes": {"type": "list", "elements": "dict", "required": True},
            "wait": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    given = module.params
    path = Path(given["state_file"])
    changed = False
    deadline = time.monotonic() + given["wait"]
    try:
        database = Database(given)
        busy = unit_state(module, given["unit"]) in BUSY
        state = read_state(path)
        waiting = due(database, given["database"], given["indexes"], state)
        if given["state"] == "started" and not busy and waiting:
            changed = True
            if not module.check_mode:
                write_state(path, resumed(state, given["indexes"], waiting))
                # A unit that an interrupted run wrote systemd may not have read.
                module.run_command(["systemctl", "daemon-reload"], check_rc=True)
                module.run_command(["systemctl", "reset-failed", given["unit"]])
                module.run_command(["systemctl", "start", "--no-block", given["unit"]], check_rc=True)
                busy = True
        while busy and time.monotonic() < deadline:
            time.sleep(0.5)
            busy = unit_state(module, given["unit"]) in BUSY
        # What the first look read would be read again within its transaction.
        database.commit()
        state = read_state(path)
        waiting = due(database, given["database"], given["indexes"], state)
    except (SqlError, OSError) as error:
        module.fail_json(msg=f"indexes of {given['database']}: {error}")
    by_state: dict[str, dict[str, str]] = {_FAILED: {}, "absent": {}}
    for name, known in state.items():
        if known.get("state") in by_state:
            by_state[known["state"]][name] = str(known.get("note", ""))
    module.exit_json(
        changed=changed,
        finished=not busy or module.check_mode,
        due=waiting,
        failed=by_state[_FAILED],
        absent=by_state["absent"],
        boxlift_progress=progress(given["indexes"], state) if busy else {},
    )


if __name__ == "__main__":
    main()
