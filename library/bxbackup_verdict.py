"""Ansible module: says how a restore ended, in bxbackup's own words."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: bxbackup_verdict
short_description: Pass when a restore is complete, else fail with bxbackup's own error
description:
  - Turns the last O(status) of a restore into success or a failure that names the part and the next step.
options:
  status: {description: Content of status.json., type: dict, required: true}
  log: {description: Last lines of the unit., type: list, elements: str, default: []}
  done: {description: Whether the restore is complete., type: bool, required: true}
  exit: {description: Exit code of bxbackup., type: int, required: true}
  unit: {description: Unit that ran it., type: str, required: true}
  release: {description: Release that it fills., type: str, required: true}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: The restore is complete
  bxbackup_verdict:
    status: "{{ restore.bxbackup_status }}"
    done: "{{ restore.done }}"
    exit: "{{ restore.exit }}"
    unit: bxbackup-restore@final-1.service
    release: final-1
"""

RETURN = r"""
boxlift_exit: {description: Exit code for boxlift., returned: failure, type: int}
"""

#: What each exit code of bxbackup means for the operator, and for boxlift (1 our fault, 4 host, 6 refused).
MEANING = {
    1: ("bxbackup failed by its own fault", 1),
    2: ("bxbackup did not understand how it was called", 1),
    3: ("the backup is damaged", 4),
    4: ("bytes are absent, the source is out of reach or the disk is full; the next run goes on", 4),
    5: ("the password of the backup is wrong or missing", 4),
    6: ("refused: bxbackup holds this for unsafe", 6),
    7: ("the database did not take the dump", 4),
}


def message(status: dict[str, Any], code: int, unit: str, release: str, log: list[str]) -> tuple[str, int]:
    """Return the failure's text and boxlift's exit code.

    The log speaks where bxbackup came to no verdict of its own.
    """
    meaning, boxlift_exit = MEANING.get(code, (f"bxbackup ended with {code}", 4))
    if code == 0:
        meaning = "bxbackup ended without a result"
    error = status.get("error")
    if isinstance(error, dict):
        advice = f"→ {error['advice']}" if error.get("advice") else ""
        detail = "\n".join(str(line) for line in (error.get("what"), error.get("cause"), advice) if line)
    else:
        detail = str(error or "\n".join(log))
    parts = status.get("parts") or {}
    done = ""
    if parts.get("total"):
        done = f"{parts.get('unpacked', 0)} of {parts['total']} parts are unpacked; the next run goes on"
    lines = [meaning, detail, done, f"log: journalctl -u {unit}"]
    text = "\n".join(line for line in lines if line)
    return (text if text.startswith("refused: ") else f"restore into {release}: {text}"), boxlift_exit


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "status": {"type": "dict", "required": True},
            "log": {"type": "list", "elements": "str", "default": []},
            "done": {"type": "bool", "required": True},
            "exit": {"type": "int", "required": True},
            "unit": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    if given["done"]:
        module.exit_json(changed=False)
    text, code = message(given["status"], given["exit"], given["unit"], given["release"], given["log"])
    module.fail_json(msg=text, boxlift_exit=code, bxbackup_status=given["status"])


if __name__ == "__main__":
    main()
