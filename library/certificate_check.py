#!/usr/bin/python
"""Ansible module: is this certificate one that can be put into service."""

from __future__ import annotations

import ssl
import traceback
from datetime import UTC, datetime
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

try:
    from ansible.module_utils.boxlift_certificate import examine
except ImportError:
    IMPORT_ERROR: str | None = traceback.format_exc()
else:
    IMPORT_ERROR = None

DOCUMENTATION = """
---
module: certificate_check
short_description: Check a certificate, its chain and its key before anything is touched
description:
  - Runs on the control node, where the files are. Reports every problem at once, one sentence each.
author: The boxlift authors
options:
  certificate:
    description: PEM file with the certificate and then its chain.
    type: path
    required: true
  key:
    description: PEM file with the key.
    type: path
    required: true
  next_key:
    description: A renewal's key, beside the one in service. Taken where the certificate belongs to it.
    type: str
    default: ""
  roots:
    description: PEM file with the roots that the chain must end at. Empty for those the control node trusts.
    type: str
    default: ""
  names:
    description: Host names that the certificate must cover.
    type: list
    elements: str
    required: true
  minimum_days:
    description: The certificate must be good for at least so many days.
    type: int
    default: 14
"""

EXAMPLES = """
- name: Check the certificate that was bought
  certificate_check:
    certificate: certificates/fullchain.pem
    key: certificates/privkey.pem
    names: [portal.example.com, pbx.example.com]
  delegate_to: localhost
"""

RETURN = """
problems:
  description: What is wrong, one sentence each.
  returned: failure
  type: list
key:
  description: The file with the certificate's key.
  returned: success
  type: str
renewed:
  description: Whether that is C(next_key).
  returned: success
  type: bool
names:
  description: The names that the certificate covers.
  returned: success
  type: list
not_after:
  description: End of the certificate, ISO 8601, UTC.
  returned: success
  type: str
days_left:
  description: Whole days until then.
  returned: success
  type: int
fingerprint:
  description: SHA-256 of the certificate, hex.
  returned: success
  type: str
"""

PREFLIGHT_REFUSED = 3


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "certificate": {"type": "path", "required": True},
            "key": {"type": "path", "required": True, "no_log": False},
            "next_key": {"type": "str", "default": "", "no_log": False},
            "roots": {"type": "str", "default": ""},
            "names": {"type": "list", "elements": "str", "required": True},
            "minimum_days": {"type": "int", "default": 14},
        },
        supports_check_mode=True,
    )
    if IMPORT_ERROR is not None:
        module.fail_json(
            msg="the control node's Python lacks the package cryptography", exception=IMPORT_ERROR
        )
    params = module.params
    keys = [Path(params["key"])]
    if params["next_key"] and Path(params["next_key"]).is_file():
        keys.append(Path(params["next_key"]))
    roots = Path(params["roots"] or ssl.get_default_verify_paths().openssl_cafile)
    pair, problems = examine(
        Path(params["certificate"]), keys, roots, params["names"], params["minimum_days"]
    )
    if pair is None:
        module.fail_json(
            msg="the certificate cannot be put into service: " + "; ".join(problems),
            problems=problems,
            boxlift_exit=PREFLIGHT_REFUSED,
        )
    module.exit_json(
        changed=False,
        key=str(pair.key),
        renewed=pair.key != keys[0],
        names=pair.names,
        not_after=pair.not_after.isoformat(),
        days_left=(pair.not_after - datetime.now(UTC)).days,
        fingerprint=pair.fingerprint,
    )


if __name__ == "__main__":
    main()
