"""Ansible module: how far a restore on this host is."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: bxbackup_status
short_description: Read the state of a restore that runs as a systemd unit
description:
  - Reads C(status.json) of bxbackup's state folder and the state of the unit that runs it.
  - Waits up to O(wait) seconds for the end, so that a loop over this module needs no pause of its own.
options:
  state_folder: {description: State folder of the restore., type: path, required: true}
  unit: {description: Unit that runs it., type: str, required: true}
  wait: {description: Seconds to wait for the end., type: int, default: 0}
  identifier: {description: Name under which the program writes to the journal., type: str, default: bxbackup}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Wait for the restore
  bxbackup_status:
    state_folder: /srv/portal/restores/final-1
    unit: bxbackup-restore@final-1.service
    wait: 10
  register: restore
  until: restore.finished
  retries: 100000
  delay: 0
"""

RETURN = r"""
bxbackup_status: {description: Content of status.json., returned: always, type: dict}
finished: {description: Whether nothing runs any more., returned: always, type: bool}
done: {description: Whether the restore is complete and sound., returned: always, type: bool}
exit: {description: Exit code of bxbackup; absent while it runs., type: int}
log: {description: Last lines of the unit; only after a bad end., type: list}
unit: {description: State of the unit., returned: always, type: str}
"""

#: States of a unit in which its program runs or is about to.
BUSY = ("active", "activating", "reloading", "deactivating")


def read_status(folder: Path) -> dict[str, Any]:
    """Return status.json, empty before the first one is written."""
    try:
        content = json.loads((folder / "status.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return content if isinstance(content, dict) else {}


def verdict(status: dict[str, Any], unit: dict[str, str]) -> dict[str, Any]:
    """Join what bxbackup wrote and what systemd knows.

    The unit decides whether anything runs: a program that was killed leaves "running" in its file.
    """
    finished = unit.get("ActiveState") not in BUSY
    done = finished and status.get("state") == "done" and status.get("exit", 0) in (0, None)
    result: dict[str, Any] = {
        "bxbackup_status": status,
        "unit": unit.get("ActiveState", "unknown"),
        "finished": finished,
        "done": done,
    }
    if finished:
        code = status.get("exit") if status.get("state") in ("done", "failed") else None
        result["exit"] = int(code if code is not None else unit.get("ExecMainStatus") or 0)
    return result


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state_folder": {"type": "path", "required": True},
            "unit": {"type": "str", "required": True},
            "wait": {"type": "int", "default": 0},
            "identifier": {"type": "str", "default": "bxbackup"},
        },
        supports_check_mode=True,
    )
    deadline = time.monotonic() + module.params["wait"]
    while True:
        code, output, errors = module.run_command(
            ["systemctl", "show", "--property=ActiveState,ExecMainStatus", module.params["unit"]]
        )
        if code != 0:
            module.fail_json(msg=f"systemd does not tell about {module.params['unit']}: {errors.strip()}")
        unit = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
        try:
            result = verdict(read_status(Path(module.params["state_folder"])), unit)
        except (OSError, ValueError) as error:
            module.fail_json(msg=f"status.json in {module.params['state_folder']} is unreadable: {error}")
        if result["finished"] and not result["done"]:
            _, output, _ = module.run_command(
                [
                    "journalctl",
                    f"--unit={module.params['unit']}",
                    f"--identifier={module.params['identifier']}",
                    "--lines=8",
                    "--output=cat",
                    "--no-pager",
                ]
            )
            result["log"] = output.splitlines()
        if result["finished"] or time.monotonic() >= deadline:
            module.exit_json(changed=False, **result)
        time.sleep(0.5)


if __name__ == "__main__":
    main()
