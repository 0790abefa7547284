#!/usr/bin/python
"""Ansible module: the servers that a host's own apt configuration fetches packages from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
---
module: package_sources
short_description: The servers that a host's own apt configuration fetches packages from
description:
  - Reads what apt itself says of its sources and proxies, and changes nothing.
  - Where a proxy stands in between it is the proxy that is named.
author: The boxlift authors
options: {}
"""

EXAMPLES = """
- name: See where packages come from
  package_sources:
  register: packages
"""

RETURN = """
places: {description: "The servers, each with host and port.", returned: always, type: list}
"""

_PORTS = {"http": 80, "https": 443, "ftp": 21}
_SETTING = re.compile(r'^Acquire::(http|https)::Proxy(?:::([^ ]+))? "(.*)";$', re.M)


def place(address: str) -> tuple[str, int] | None:
    """Host and port of a source; None for one on the host itself (cdrom, file, copy).

    >>> place("mirror+https://deb.example.com/list")
    ('deb.example.com', 443)
    """
    parts = urlsplit(address)
    scheme = parts.scheme.rpartition("+")[2]
    if scheme not in _PORTS or not parts.hostname:
        return None
    return parts.hostname, parts.port or _PORTS[scheme]


def places(addresses: Iterable[str], settings: str) -> list[tuple[str, int]]:
    """Whom apt connects to: `addresses` of its sources, `settings` as `apt-config dump` prints them."""
    proxies = {(scheme, host): value for scheme, host, value in _SETTING.findall(settings)}
    found = set()
    for address in addresses:
        target = place(address)
        if target is None:
            continue
        scheme = urlsplit(address).scheme.rpartition("+")[2]
        proxy = proxies.get((scheme, target[0]), proxies.get((scheme, ""), ""))
        through = None if proxy in ("", "DIRECT") else place(proxy)
        found.add(through or target)
    return sorted(found)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    _, addresses, _ = module.run_command(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)"], check_rc=True
    )
    _, settings, _ = module.run_command(["apt-config", "dump"], check_rc=True)
    module.exit_json(
        changed=False,
        places=[{"host": host, "port": port} for host, port in places(addresses.split(), settings)],
    )


if __name__ == "__main__":
    main()
