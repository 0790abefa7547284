"""One look at every host, that changes nothing: what the checks judge afterwards."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from boxlift.figures import moment
from boxlift.preflight.playbook import running
from boxlift.project import Project
from boxlift.runner.failure import cause_of


@dataclass
class Seen:
    """What was seen of one host. `window`: control node's clock before and after the look (s since 1970).

    `memory` in MiB; `room` in bytes free below /srv on a portal's host, below /var elsewhere. `meaning`: what
    the inventory means for it, templated. `mail`: whether the mail server greets it. `links`: first bytes of
    each pass's backup. `certificate`: what is wrong with the files, or for how many days they are good.
    `variables`: what is wrong with those of the inventory, told by one host for all; None on the others.
    `collisions`: what is in the way of the portal, each with its cure; None where nobody looked.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    window: tuple[float, float] = (0.0, 0.0)
    memory: int = 0
    room: int = 0
    marker: Mapping[str, Any] | None = None
    collisions: Sequence[Mapping[str, str]] | None = None
    meaning: Mapping[str, Any] | None = None
    mail: Mapping[str, Any] | None = None
    links: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    certificate: Sequence[str] | int | None = None
    variables: Sequence[Mapping[str, Any]] | None = None
    failure: str | None = None
    unreachable: bool = False


def look(project: Project, hosts: Sequence[str], links: Mapping[str, str]) -> dict[str, Seen]:
    """Run the looking playbook; hold the project's lock.

    :param links: where the first part of each pass's backup is.
    """
    seen = {host: Seen() for host in hosts}
    variables = {"check_backup_sources": dict(links)} if links else {}
    with running(project, "check", "check_hosts.yml", variables) as run:
        for event in run.events(lambda: None):
            data = event.get("event_data") or {}
            host = seen.get(str(data.get("host")))
            if host is not None:
                _take(host, str(event["event"]), data)
    return seen


def _take(host: Seen, kind: str, data: Mapping[str, Any]) -> None:
    res = data.get("res") or {}
    if kind == "runner_on_failed" and "problems" in res:
        host.certificate = [str(problem) for problem in res["problems"]]
    elif kind in {"runner_on_unreachable", "runner_on_failed"}:
        host.failure = host.failure or cause_of(res)
        host.unreachable = host.unreachable or kind == "runner_on_unreachable"
    elif kind == "runner_on_ok":
        _see(host, res, data)


def _see(host: Seen, res: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    facts = res.get("ansible_facts") or {}
    if "ansible_date_time" in facts:
        host.facts = facts
        host.window = (moment(data.get("start")) or 0.0, moment(data.get("end")) or 0.0)
    elif "usable_memory_mb" in facts:
        host.memory = int(facts["usable_memory_mb"])
    elif "collisions" in res:
        host.collisions = res["collisions"]
    elif "stdout_lines" in res:
        host.room = int(res["stdout_lines"][-1])
    elif isinstance(res.get("msg"), Mapping) and "check_hosts_meaning" in res["msg"]:
        host.meaning = res["msg"]["check_hosts_meaning"]
    elif "variable_problems" in res:
        host.variables = res["variable_problems"]
    elif "reached" in res:
        host.mail = res["reached"][0]
    elif "backup_links" in res:
        host.links = res["backup_links"]
    elif "days_left" in res:
        host.certificate = int(res["days_left"])
    elif "content" in res:
        host.marker = json.loads(base64.b64decode(res["content"]))
