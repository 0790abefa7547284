"""One look at how the hosts of two environments are set up; nothing is changed."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from boxlift.errors import BoxliftError, HostFailedError, UnreachableError, UsageError
from boxlift.plan.load import nearest
from boxlift.preflight.inventory import Inventory, read_inventory
from boxlift.preflight.playbook import running
from boxlift.project import Project
from boxlift.runner.failure import cause_of

_LENGTH = re.compile(r's:\d+:"(?=[^"]*<)')
_SHORTEST = 4
"""Shorter names would stand for parts of ordinary words."""


@dataclass
class Environment:
    """What was seen of one side: part to name to value, own names replaced by what they stand for.

    `words` is what is this environment's own: the word to what it is, as `portal.acme.example` to `<domain>`.
    """

    name: str
    words: dict[str, str] = field(default_factory=dict)
    parts: dict[str, dict[str, str]] = field(default_factory=dict)

    def neutral(self) -> dict[str, dict[str, str]]:
        """The settings with own names replaced, the longest first: a domain may be part of another."""
        words = sorted((word for word in self.words if len(word) >= _SHORTEST), key=len, reverse=True)
        if not words:
            return self.parts
        own = re.compile("|".join(rf"(?<![\w-]){re.escape(word)}(?![\w-])" for word in words))

        def plain(text: str) -> str:
            neutral = own.sub(lambda found: self.words[found[0]], text)
            # The product stores lists with the length of each text, and own names differ in theirs.
            return neutral if neutral == text else _LENGTH.sub('s:_:"', neutral)

        return {
            part: {plain(name): plain(value) for name, value in values.items()}
            for part, values in self.parts.items()
        }


def look(project: Project, a: str, b: str) -> tuple[Environment, Environment]:
    """Read both sides in one run of Ansible.

    :param a: an environment, another group or a host of the inventory; `b` likewise.
    :raises UsageError: the inventory has no such name, no portal there, or both are the same host.
    :raises BoxliftError: a host could not be reached (5) or read (4).
    """
    inventory, finding = read_inventory(project)
    if inventory is None:
        raise BoxliftError(finding.measured, cure=finding.cure)
    sides = (Environment(a), Environment(b))
    members = [_members(inventory, name) for name in (a, b)]
    if both := sorted(members[0] & members[1]):
        raise UsageError(f"{a} and {b} are both on {both[0]}: there is nothing to compare")
    for side, hosts in zip(sides, members, strict=True):
        for host in sorted(hosts):
            side.words |= _own_words(host, inventory.variables[host])
    variables = {
        "compare_hosts": ":".join(sorted(members[0] | members[1])),
        "compare_key": secrets.token_hex(),
    }
    with running(project, "compare", "compare_environments.yml", variables) as run:
        for event in run.events(lambda: None):
            data = event.get("event_data") or {}
            host = str(data.get("host"))
            for side, hosts in zip(sides, members, strict=True):
                if host in hosts:
                    _take(side, host, str(event["event"]), data.get("res") or {})
        if run.return_code != 0:
            raise BoxliftError(
                f"ansible-playbook ended with {run.return_code} before it looked at a host",
                cure="boxlift check",
            )
    return sides


def _members(inventory: Inventory, name: str) -> set[str]:
    hosts = {name} if name in inventory.variables else set(inventory.groups.get(name, ()))
    if not hosts:
        known = [*inventory.groups, *inventory.variables]
        raise UsageError(f"the inventory has no group or host `{name}`{nearest(name, known)}")
    if not hosts & set(inventory.groups.get("portal", ())):
        raise UsageError(f"{name} has no host of the group portal: there is nothing to compare")
    return hosts


def _own_words(host: str, variables: Mapping[str, Any]) -> dict[str, str]:
    told = {
        host: "<host>",
        str(variables.get("ansible_host", "")): "<address>",
        str(variables.get("portal_domain", "")): "<domain>",
    }
    return {word: meaning for word, meaning in told.items() if word}


def _take(side: Environment, host: str, kind: str, res: Mapping[str, Any]) -> None:
    if kind == "runner_on_unreachable":
        raise UnreachableError(f"{host} cannot be reached: {cause_of(res)}", cure="boxlift check")
    if kind == "runner_on_failed":
        raise HostFailedError(f"{host}: {cause_of(res)}", cure="boxlift check")
    if "environment_settings" not in res:
        return
    for part, values in res["environment_settings"].items():
        side.parts.setdefault(part, values)
    if release := res.get("release"):
        # The folder's name is part of its path and the database's name: the longer ones stand first.
        side.words |= {
            release["root"]: "<release>",
            release["name"]: "<release>",
            release["database"]: "<database>",
        }
