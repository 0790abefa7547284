#!/usr/bin/python
"""Ansible module: how much memory the services of a host may use."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
---
module: usable_memory
short_description: Memory that the services of a host may use
description:
  - Sets the fact C(usable_memory_mb), the smaller of the machine's memory and the limit of its control group.
  - Inside a container MemTotal is the machine's, whatever the container's limit is.
author: The boxlift authors
options: {}
"""

EXAMPLES = """
- name: See how much memory there is
  usable_memory:
"""

RETURN = """
ansible_facts:
  description: The fact C(usable_memory_mb), in MiB.
  returned: always
  type: dict
"""

# Version 2 and version 1 of control groups. On a machine of its own there is no limit.
LIMIT_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_total(meminfo: str) -> int:
    """Bytes of MemTotal in the text of /proc/meminfo."""
    for line in meminfo.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    raise ValueError("/proc/meminfo has no line MemTotal")


def group_limit(text: str) -> int | None:
    """Bytes of a control group's limit file, None for no limit."""
    value = text.strip()
    return int(value) if value.isdigit() else None


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    usable = memory_total(Path("/proc/meminfo").read_text(encoding="ascii"))
    for name in LIMIT_FILES:
        path = Path(name)
        if path.is_file():
            limit = group_limit(path.read_text(encoding="ascii"))
            if limit is not None:
                usable = min(usable, limit)
    module.exit_json(changed=False, ansible_facts={"usable_memory_mb": usable // 2**20})


if __name__ == "__main__":
    main()
