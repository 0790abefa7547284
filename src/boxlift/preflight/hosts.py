"""Checks of the hosts: reachable, right system, room, clock, marker, what is in the way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boxlift.figures import size
from boxlift.preflight.finding import Finding
from boxlift.preflight.inventory import Inventory
from boxlift.preflight.look import Seen

_MEBI = 1 << 20
_MEMORY = 1800
"""MiB: PHP, MariaDB, two Redis, the push server and the web server of a small portal."""
_ROOM = 10 * 1000 * 1000 * 1000
"""Bytes on the disk of /srv: the box, and a small portal. The restore looks again, knowing the size."""
_NO_LINE = re.compile(r"timed out|refused|no route|could not resolve", re.IGNORECASE)
"""What ssh says where it has not come as far as a host key."""
_SKEW = 5.0
"""Seconds between a host's clock and the control node's."""
_ROLES = ("portal", "database", "cache", "push")
_PORTAL_RELEASES = ("12", "13")
"""ARCHITECTURE: Debian 12 and 13; a host that is only telephony may be Debian 11."""
_TELEPHONY_RELEASES = ("11", *_PORTAL_RELEASES)


def check_hosts(inventory: Inventory, seen: Mapping[str, Seen]) -> Iterator[Finding]:
    """Judge what was seen."""
    for host in sorted(seen):
        here = seen[host]
        yield _reached(host, here)
        if not here.facts:
            continue
        variables = inventory.variables[host]
        roles = [role for role in _ROLES if host in inventory.groups.get(role, ())]
        yield _system(host, here.facts, roles)
        yield _rights(host, here.facts, variables)
        yield _clocks(host, here)
        yield _marker(host, here, variables)
        if roles:
            yield _memory(host, here)
        if {"portal", "database"} & set(roles):
            yield _disk(host, here, "/srv" if "portal" in roles else "/var")
        if here.collisions is not None:
            yield from _collisions(host, here.collisions)


def _reached(host: str, seen: Seen) -> Finding:
    return Finding(
        "reachable",
        host,
        ok=bool(seen.facts),
        measured="yes" if seen.facts else (seen.failure or "no answer").splitlines()[0],
        limit="SSH with a known host key",
        cure="look at its address, sshd and the firewalls between"
        if _NO_LINE.search(seen.failure or "")
        else "connect to it by ssh from here once, and accept its host key if it is the right one",
        unreachable=seen.unreachable,
    )


def _system(host: str, facts: Mapping[str, Any], roles: Sequence[str]) -> Finding:
    releases = _PORTAL_RELEASES if roles else _TELEPHONY_RELEASES
    allowed = [f"Debian {release}" for release in releases]
    found = f"{facts.get('ansible_distribution')} {facts.get('ansible_distribution_major_version')}"
    return Finding(
        "system", host, found in allowed, found, " or ".join(allowed), "install a supported Debian"
    )


def _rights(host: str, facts: Mapping[str, Any], variables: Mapping[str, Any]) -> Finding:
    user = str(facts.get("ansible_user_id"))
    ok = user == "root" or bool(variables.get("ansible_become"))
    return Finding("rights", host, ok, user, "root", "let Ansible in as root, or set ansible_become")


def _clocks(host: str, seen: Seen) -> Finding:
    start, end = seen.window
    clock = float(seen.facts["ansible_date_time"]["epoch_int"])
    skew = max(0.0, start - 1 - clock, clock - end - 1)
    limit = f"at most {_SKEW:.0f} s"
    return Finding("clock", host, skew <= _SKEW, f"{skew:.0f} s off", limit, "set up NTP on it")


def _marker(host: str, seen: Seen, variables: Mapping[str, Any]) -> Finding:
    wanted = (str(variables.get("portal_environment", "")), str(variables.get("portal_id", "")))
    limit = f"none, or {' of '.join(wanted)}"
    if seen.marker is None:
        return Finding("marker", host, ok=True, measured="none yet", limit=limit)
    found = (str(seen.marker.get("environment")), str(seen.marker.get("portal_id")))
    cure = "this host belongs to another environment or portal: take it out of the inventory"
    return Finding("marker", host, found == wanted, " of ".join(found), limit, cure)


def _memory(host: str, seen: Seen) -> Finding:
    limit = f"at least {size(_MEMORY * _MEBI)}"
    return Finding(
        "memory", host, seen.memory >= _MEMORY, size(seen.memory * _MEBI), limit, "give it more memory"
    )


def _disk(host: str, seen: Seen, path: str) -> Finding:
    limit = f"at least {size(_ROOM)} for {path}"
    return Finding("disk", host, seen.room >= _ROOM, f"{size(seen.room)} free", limit, "give it more disk")


def _collisions(host: str, collisions: Sequence[Mapping[str, str]]) -> Iterator[Finding]:
    limit = "nothing that the portal would need or replace"
    for found in collisions:
        yield Finding("in the way", host, ok=False, measured=found["found"], limit=limit, cure=found["cure"])
    if not collisions:
        yield Finding("in the way", host, ok=True, measured="nothing", limit=limit)
