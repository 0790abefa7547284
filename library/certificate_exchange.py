#!/usr/bin/python
"""Ansible module: a service gets new certificate files and proves them, or keeps the former ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_exchange import (
    Exchange,
    ExchangeError,
    Service,
    State,
    owners,
    paired,
    state_of,
    with_block,
)

DOCUMENTATION = """
---
module: certificate_exchange
short_description: Give a service a new certificate without dropping anything, or keep the former one
description:
  - Writes files, links and marked blocks in the order given, each in one step, then lets the service take
    them in and shakes hands on each port until it presents the certificate.
  - Where the service refuses, does not come up or presents something else, everything is put back, taken in
    and proved again, and the module fails with the cause. A run that was killed is finished by the next one.
author: The boxlift authors
options:
  files:
    description: What is to be where, in the order in which it is written.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file, link or configuration file.
        type: path
        required: true
      holds:
        description: The path is a file with this and nothing else.
        type: str
        choices: [certificate, key]
      link:
        description: The path is a symbolic link to this.
        type: str
      block:
        description: Lines between two marks in a configuration file that is there. Its owner and mode stay.
        type: str
      mode:
        description: Mode of a file with C(holds), octal.
        type: str
        default: "0644"
      owner:
        description: Its owner.
        type: str
        default: root
      group:
        description: Its group.
        type: str
        default: root
  certificate:
    description: Content of the certificate with its chain.
    type: str
    required: true
  key:
    description: Content of the key. Not shown anywhere.
    type: str
    required: true
  folder:
    description:
      - Folder in which the service reads fullchain.pem and privkey.pem. They lie in a folder of their own, to
        which one link leads, so that both change in the same moment.
    type: path
  marker:
    description: What the marks of a block say, after C(; BEGIN) and C(; END).
    type: str
    default: boxlift
  unit:
    description: The service's unit. Where it does not run, files are only laid down.
    type: str
    default: ""
  check_command:
    description: A command that refuses settings which the service would not take.
    type: list
    elements: str
    default: []
  reload_command:
    description: A command that lets the service read its files. Empty reloads the unit.
    type: list
    elements: str
    default: []
  ports:
    description: Ports on loopback that must present the certificate.
    type: list
    elements: int
    default: []
  only_speaking:
    description: Ask only those ports that spoke TLS before.
    type: bool
    default: false
  server_name:
    description: Name that the client asks for (SNI).
    type: str
    required: true
  fingerprint:
    description: SHA-256 of the certificate, hex.
    type: str
    required: true
  seconds:
    description: How long to wait for each port.
    type: int
    default: 15
  prune:
    description: Patterns of files that nobody uses any more once the new ones are proved.
    type: list
    elements: str
    default: []
  record:
    description: Where the state of before is kept meanwhile, readable by root alone.
    type: path
    required: true
"""

EXAMPLES = """
- name: nginx presents the new certificate
  certificate_exchange:
    unit: nginx
    check_command: [nginx, -t]
    ports: [443]
    server_name: portal.example.com
    fingerprint: "{{ checked.fingerprint }}"
    record: /var/lib/boxlift/certificate/nginx.json
    folder: /etc/ssl/portal
    certificate: "{{ lookup('ansible.builtin.file', 'portal.pem', rstrip=false) }}"
    key: "{{ lookup('ansible.builtin.file', 'portal.key', rstrip=false) }}"
"""

RETURN = """
paths:
  description: What was written, or would be.
  returned: always
  type: list
"""

HOST_FAILED = 4


def wanted_state(entry: dict[str, Any], params: dict[str, Any]) -> State:
    """What is to be at the path of one entry."""
    path = Path(entry["path"])
    given = [kind for kind in ("holds", "link", "block") if entry[kind] is not None]
    if len(given) != 1:
        raise ExchangeError(f"{path} takes one of holds, link and block")
    if entry["link"] is not None:
        return State(target=entry["link"])
    if entry["holds"] is not None:
        uid, gid = owners(entry["owner"], entry["group"])
        return State(params[entry["holds"]].encode(), None, int(entry["mode"], 8), uid, gid)
    now = state_of(path)
    if now.content is None:
        raise ExchangeError(f"{path} is not there")
    text = with_block(now.content.decode(errors="surrogateescape"), params["marker"], entry["block"])
    return State(text.encode(errors="surrogateescape"), None, now.mode, now.uid, now.gid)


def main() -> None:
    """Entry point of the module."""
    text = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "holds": {"type": "str", "choices": ["certificate", "key"]},
                    "link": {"type": "str"},
                    "block": {"type": "str"},
                    "mode": {"type": "str", "default": "0644"},
                    "owner": {"type": "str", "default": "root"},
                    "group": {"type": "str", "default": "root"},
                },
            },
            # Nested, it would stand in the host's journal as it is.
            "key": {"type": "str", "required": True, "no_log": True},
            "certificate": {"type": "str", "required": True},
            "folder": {"type": "path"},
            "marker": {"type": "str", "default": "boxlift"},
            "unit": {"type": "str", "default": ""},
            "check_command": text,
            "reload_command": text,
            "ports": {"type": "list", "elements": "int", "default": []},
            "only_speaking": {"type": "bool", "default": False},
            "server_name": {"type": "str", "required": True},
            "fingerprint": {"type": "str", "required": True},
            "seconds": {"type": "int", "default": 15},
            "prune": text,
            "record": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    params: dict[str, Any] = module.params
    service = Service(
        unit=params["unit"],
        server_name=params["server_name"],
        ports=params["ports"],
        check=params["check_command"],
        reload=params["reload_command"],
        seconds=params["seconds"],
        only_speaking=params["only_speaking"],
    )
    try:
        wanted = {Path(entry["path"]): wanted_state(entry, params) for entry in params["files"]}
        if params["folder"] is not None:
            wanted |= paired(
                Path(params["folder"]),
                params["fingerprint"],
                params["certificate"].encode(),
                params["key"].encode(),
            )
        exchange = Exchange(
            wanted, service, params["fingerprint"], Path(params["record"]), tuple(params["prune"])
        )
        paths = [str(path) for path, state in wanted.items() if state_of(path) != state]
        needed = exchange.needed()
        if needed and not module.check_mode:
            exchange.carry_out()
    except (ExchangeError, OSError) as error:
        module.fail_json(msg=f"the certificate was not changed: {error}", boxlift_exit=HOST_FAILED)
    module.exit_json(changed=needed, paths=paths)


if __name__ == "__main__":
    main()
