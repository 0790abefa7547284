#!/usr/bin/python
"""Ansible module: which services of other machines answer a host."""

from __future__ import annotations

import socket
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
---
module: network_reach
short_description: See which services of other machines answer this host
description:
  - Connects once to each endpoint and closes again. With O(endpoints[].greeting) it waits for the first
    line that the service says by itself, as mail servers do, and says nothing itself.
  - An endpoint that does not answer is a result, not a failure.
author: The boxlift authors
options:
  endpoints:
    description: Whom to reach.
    type: list
    elements: dict
    required: true
    suboptions:
      host:
        description: Name or address.
        type: str
        required: true
      port:
        description: TCP port.
        type: int
        required: true
      greeting:
        description: Wait for a line.
        type: bool
        default: false
  timeout:
    description: Seconds for each endpoint.
    type: int
    default: 5
"""

EXAMPLES = """
- name: See whether the mail server greets
  network_reach:
    endpoints: [{host: mail.example.com, port: 25, greeting: true}]
"""

RETURN = """
reached:
  description: One answer for each endpoint, in their order.
  returned: success
  type: list
  elements: dict
  contains:
    host: {description: As given., type: str}
    port: {description: As given., type: int}
    address: {description: The address that was connected to., type: str}
    answers: {description: Whether it did what it should., type: bool}
    greeting: {description: Its first line., type: str}
    error: {description: Why not., type: str}
    seconds: {description: Until it answered., type: float}
"""

LONGEST_GREETING = 512


def first_line(connection: socket.socket) -> str:
    """What a service says by itself, up to the end of its first line."""
    said = b""
    while b"\n" not in said and len(said) < LONGEST_GREETING:
        more = connection.recv(LONGEST_GREETING - len(said))
        if not more:
            break
        said += more
    return said.partition(b"\n")[0].decode("utf-8", "replace").strip()


def reach(host: str, port: int, greeting: bool, timeout: float) -> dict[str, Any]:
    """One endpoint's answer."""
    answer: dict[str, Any] = {"host": host, "port": port, "answers": False}
    began = time.monotonic()
    try:
        with socket.create_connection((host, port), timeout) as connection:
            answer["address"] = str(connection.getpeername()[0])
            if greeting:
                answer["greeting"] = first_line(connection)
                answer["answers"] = bool(answer["greeting"])
                answer["error"] = "" if answer["answers"] else "closes without a word"
            else:
                answer["answers"] = True
    except (OSError, UnicodeError) as error:
        answer["error"] = getattr(error, "strerror", None) or str(error)
    answer["seconds"] = round(time.monotonic() - began, 3)
    return answer


def main() -> None:
    """Entry point of the module."""
    endpoint = {
        "host": {"type": "str", "required": True},
        "port": {"type": "int", "required": True},
        "greeting": {"type": "bool", "default": False},
    }
    module = AnsibleModule(
        argument_spec={
            "endpoints": {"type": "list", "elements": "dict", "options": endpoint, "required": True},
            "timeout": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    timeout = float(module.params["timeout"])
    reached = [reach(timeout=timeout, **endpoint) for endpoint in module.params["endpoints"]]
    module.exit_json(changed=False, reached=reached)


if __name__ == "__main__":
    main()
