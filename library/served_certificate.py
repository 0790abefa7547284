#!/usr/bin/python
"""Ansible module: which certificate does a service present, and for how long is it good."""

from __future__ import annotations

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_tls import presented, wait_for

DOCUMENTATION = """
---
module: served_certificate
short_description: See which certificate a TLS service presents
description:
  - Connects from the host. With a fingerprint it waits until that certificate is presented; with
    C(minimum_days) it fails where less is left. Changes nothing.
  - Whom the certificate is for and who signed it is not judged here, C(certificate_check) does that before.
author: The boxlift authors
options:
  host:
    description: Address to connect to.
    type: str
    default: 127.0.0.1
  port:
    description: Port to connect to.
    type: int
    required: true
  server_name:
    description: Name that the client asks for (SNI).
    type: str
    required: true
  fingerprint:
    description: SHA-256 of the certificate that must be presented, hex. Empty takes any.
    type: str
    default: ""
  minimum_days:
    description: Fail where the certificate ends sooner.
    type: int
    default: 0
  timeout:
    description: Seconds to wait for the fingerprint.
    type: int
    default: 15
"""

EXAMPLES = """
- name: The web server presents the new certificate
  served_certificate:
    port: 443
    server_name: portal.example.com
    fingerprint: "{{ checked.fingerprint }}"

- name: It is good for three weeks more
  served_certificate:
    port: 443
    server_name: portal.example.com
    minimum_days: 21
"""

RETURN = """
protocol:
  description: TLS version of the connection, such as TLSv1.3.
  returned: success
  type: str
fingerprint:
  description: SHA-256 of the certificate, hex.
  returned: success
  type: str
not_after:
  description: End of the certificate, ISO 8601, UTC.
  returned: success
  type: str
days_left:
  description: Whole days until then.
  returned: always, if somebody answered
  type: int
"""

DAY = 86400


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "required": True},
            "server_name": {"type": "str", "required": True},
            "fingerprint": {"type": "str", "default": ""},
            "minimum_days": {"type": "int", "default": 0},
            "timeout": {"type": "int", "default": 15},
        },
        supports_check_mode=True,
    )
    params: dict[str, Any] = module.params
    where = (params["host"], params["port"], params["server_name"])
    if params["fingerprint"]:
        trouble = wait_for(*where, params["fingerprint"], params["timeout"])
        if trouble is not None:
            module.fail_json(msg=trouble)
    try:
        found = presented(*where)
    except OSError as error:
        module.fail_json(msg=f"no TLS connection to {where[0]}:{where[1]}: {error}")
    ends = found.not_after()
    result = {
        "protocol": found.protocol,
        "fingerprint": found.fingerprint,
        "not_after": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(ends)),
        "days_left": int((ends - time.time()) // DAY),
    }
    if result["days_left"] < params["minimum_days"]:
        module.fail_json(
            msg=f"the certificate on port {where[1]} ends on {result['not_after'][:10]},"
            f" in {result['days_left']} days; {params['minimum_days']} are wanted",
            **result,
        )
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
