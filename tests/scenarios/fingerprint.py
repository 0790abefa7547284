"""What is on a host, thing by thing: files, rows, accounts, packages, services, rules of the firewall."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from testinfra.host import Host

_PROGRAM = Path(__file__).with_name("on_host.py")

Fingerprint = Mapping[str, str]
"""A thing's kind and name to how it is."""


def fingerprint(host: Host) -> Fingerprint:
    """How everything on a host is now. What changes there by itself is left out."""
    found: dict[str, str] = json.loads(
        host.check_output("printf %%s %s | python3 -", _PROGRAM.read_text(encoding="utf-8"))
    )
    return found


def differences(before: Fingerprint, after: Fingerprint) -> list[str]:
    """Things that came, went or are otherwise now."""
    return [
        f"{name}: {before.get(name, 'not there')} → {after.get(name, 'not there')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]
