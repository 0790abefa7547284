#!/usr/bin/python
"""Ansible module: does a service present the certificate that it should."""

from __future__ import annotations

import hashlib
import socket
import ssl
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
---
module: served_certificate
short_description: See which certificate a TLS service presents
description:
  - Connects from the host, compares the certificate's SHA-256 with the one expected, waits for it if need be.
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
    description: SHA-256 of the certificate that must be presented, hex.
    type: str
    required: true
  timeout:
    description: Seconds to wait for it.
    type: int
    default: 15
"""

EXAMPLES = """
- name: The web server presents the new certificate
  served_certificate:
    port: 443
    server_name: portal.example.com
    fingerprint: "{{ checked.fingerprint }}"
"""

RETURN = """
protocol:
  description: TLS version of the connection, such as TLSv1.3.
  returned: success
  type: str
"""


def presented(host: str, port: int, server_name: str) -> tuple[str, str]:
    """SHA-256 of the certificate that a service presents, and the TLS version."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection((host, port), timeout=5)
    with context.wrap_socket(plain, server_hostname=server_name) as connection:
        certificate = connection.getpeercert(binary_form=True) or b""
        return hashlib.sha256(certificate).hexdigest(), connection.version() or ""


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "required": True},
            "server_name": {"type": "str", "required": True},
            "fingerprint": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 15},
        },
        supports_check_mode=True,
    )
    host, port = module.params["host"], module.params["port"]
    end = time.monotonic() + module.params["timeout"]
    while True:
        try:
            fingerprint, protocol = presented(host, port, module.params["server_name"])
        except OSError as error:
            cause = f"no TLS connection to {host}:{port}: {error}"
        else:
            if fingerprint == module.params["fingerprint"]:
                module.exit_json(changed=False, protocol=protocol)
            cause = f"{host}:{port} presents another certificate (sha256 {fingerprint})"
        if time.monotonic() >= end:
            module.fail_json(msg=cause)
        time.sleep(0.5)


if __name__ == "__main__":
    main()
