#!/usr/bin/python
"""Ansible module: services run, now and at boot, with the settings that are on disk."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
---
module: service_in_step
short_description: Services run, now and at boot, with the settings that are on disk
description:
  - Starts and enables units, and restarts or reloads those whose files changed after they last took them in.
  - Asks the host, not the play, what changed. A play that was interrupted between a changed file and its
    handler is therefore finished by the next run, and so is a change made by hand.
  - One call for many units. Unit files that changed are read again by systemd first.
author: The boxlift authors
options:
  units:
    description: The units, each with a C(name) and, if it has any, C(files) of its own.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the unit.
        type: str
        required: true
      files:
        description: Files that this unit alone reads.
        type: list
        elements: path
        default: []
      restart_files:
        description: Files of this unit that only a restart takes in, such as a drop-in of systemd.
        type: list
        elements: path
        default: []
  files:
    description: Files that all the units read. Those that are not there do not count.
    type: list
    elements: path
    default: []
  on_change:
    description: What makes a running unit take in a changed file.
    type: str
    choices: [restart, reload]
    default: restart
  check_command:
    description: A command that must succeed before anything is started, restarted or reloaded.
    type: list
    elements: str
  alive_command:
    description: A command that fails where a unit only seems to be active; it then takes in its files again.
    type: list
    elements: str
"""

EXAMPLES = """
- name: nginx runs with the site above
  service_in_step:
    units: [{name: nginx}]
    files: [/etc/nginx/conf.d/portal.conf]
    on_change: reload
    check_command: [nginx, -t]
"""

RETURN = """
acted:
  description: What was done to which unit, such as C(reload nginx).
  returned: always
  type: list
"""

PROPERTIES = (
    "LoadState,ActiveState,UnitFileState,NeedDaemonReload,"
    "ActiveEnterTimestampMonotonic,StateChangeTimestampMonotonic"
)
# Units that cannot be enabled, or that something else enables.
NOT_TO_ENABLE = frozenset(
    {"enabled", "enabled-runtime", "static", "indirect", "generated", "alias", "transient"}
)
JOURNAL_LINES = 20
UNIT_FILES = Path("/etc/systemd/system")


@dataclass(frozen=True)
class Unit:
    """A unit as systemd sees it. Wall-clock seconds: `since`, when it last took in its files; `started`."""

    name: str
    files: tuple[Path, ...]
    loaded: bool
    active: bool
    enabled: bool
    outdated: bool
    since: float
    started: float
    restart_files: tuple[Path, ...] = ()


def blocks(text: str) -> list[dict[str, str]]:
    """Properties of each unit in the output of `systemctl show`, in the order asked."""
    return [
        dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        for block in text.strip("\n").split("\n\n")
    ]


def unit_from(
    name: str,
    files: Sequence[Path],
    found: Mapping[str, str],
    on_change: str,
    boot: float,
    *,
    restart_files: Sequence[Path] = (),
) -> Unit:
    """A unit from its properties; `boot` is the wall-clock second at which the monotonic clock was zero."""
    # A reload changes the state for a moment: the last change of state is the last reload.
    stamp = "ActiveEnterTimestampMonotonic" if on_change == "restart" else "StateChangeTimestampMonotonic"
    return Unit(
        name=name,
        files=tuple(files),
        loaded=found.get("LoadState") == "loaded",
        active=found.get("ActiveState") in {"active", "reloading"},
        enabled=found.get("UnitFileState") in NOT_TO_ENABLE,
        outdated=found.get("NeedDaemonReload") == "yes",
        since=boot + int(found.get(stamp) or 0) / 1e6,
        started=boot + int(found.get("ActiveEnterTimestampMonotonic") or 0) / 1e6,
        restart_files=tuple(restart_files),
    )


def newest(files: Sequence[Path]) -> float:
    """When the newest of the files was written; 0 where there is none."""
    return max((path.stat().st_mtime for path in files if path.exists()), default=0.0)


def has_newer_unit_files(unit: Unit) -> bool:
    """Whether a unit file or a drop-in that was named is newer than the unit's start."""
    named = [file for file in (*unit.files, *unit.restart_files) if UNIT_FILES in file.parents]
    return unit.active and newest(named) > unit.started


def needed(unit: Unit, on_change: str, alive: bool) -> list[str]:
    """Verbs of systemctl that bring a unit in step."""
    verbs = [] if unit.enabled else ["enable"]
    if not unit.active:
        verbs.append("start")
    elif unit.outdated or newest(unit.restart_files) > unit.started:
        verbs.append("restart")
    elif not alive or newest(unit.files) > unit.since:
        verbs.append(on_change)
    return verbs


class Systemd:
    """The host's systemd."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module

    def show(self, names: Sequence[str]) -> list[dict[str, str]]:
        """Properties of units, in their order."""
        _, out, _ = self.module.run_command(
            ["systemctl", "show", "--property", PROPERTIES, *names], check_rc=True
        )
        return blocks(out)

    def act(self, verb: str, name: str) -> None:
        """Do something to a unit; a failure carries the unit's own last words."""
        if verb in {"start", "restart"}:
            # A unit that failed too often in a short time is not started again without this.
            self.module.run_command(["systemctl", "reset-failed", name])
        code, _, error = self.module.run_command(["systemctl", verb, name])
        if code != 0:
            _, journal, _ = self.module.run_command(
                ["journalctl", "--unit", name, "--lines", str(JOURNAL_LINES), "--no-pager", "--output", "cat"]
            )
            self.module.fail_json(msg=f"systemctl {verb} {name} failed: {error.strip()}\n{journal.strip()}")


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "units": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "files": {"type": "list", "elements": "path", "default": []},
                    "restart_files": {"type": "list", "elements": "path", "default": []},
                },
            },
            "files": {"type": "list", "elements": "path", "default": []},
            "on_change": {"type": "str", "default": "restart", "choices": ["restart", "reload"]},
            "check_command": {"type": "list", "elements": "str"},
            "alive_command": {"type": "list", "elements": "str"},
        },
        supports_check_mode=True,
    )
    params: dict[str, Any] = module.params
    wanted, on_change = params["units"], params["on_change"]
    systemd = Systemd(module)
    boot = time.time() - time.monotonic()

    def look() -> list[Unit]:
        shown = systemd.show([unit["name"] for unit in wanted])
        return [
            unit_from(
                unit["name"],
                [Path(path) for path in (*params["files"], *unit["files"])],
                found,
                on_change,
                boot,
                restart_files=[Path(path) for path in unit["restart_files"]],
            )
            for unit, found in ((wanted[place], found) for place, found in enumerate(shown))
        ]

    units = look()
    # systemd says of a unit whose file appeared again that it knows none, and of a first drop-in nothing.
    outdated = {unit.name for unit in units if unit.outdated or has_newer_unit_files(unit)}
    if not module.check_mode and (outdated or not all(unit.loaded for unit in units)):
        module.run_command(["systemctl", "daemon-reload"], check_rc=True)
        units = [replace(unit, outdated=unit.name in outdated) for unit in look()]
    alive = True
    if params["alive_command"] and all(unit.active for unit in units):
        code, _, _ = module.run_command(params["alive_command"])
        alive = code == 0
    verbs = [(unit, verb) for unit in units for verb in needed(unit, on_change, alive)]
    acted = [f"{verb} {unit.name}" for unit, verb in verbs]
    if module.check_mode or not verbs:
        module.exit_json(changed=bool(verbs), acted=acted)
    if lacking := [unit.name for unit in units if not unit.loaded]:
        module.fail_json(msg=f"systemd knows no unit {', '.join(lacking)}")
    if params["check_command"]:
        code, out, error = module.run_command(params["check_command"])
        if code != 0:
            module.fail_json(
                msg=f"{subprocess.list2cmdline(params['check_command'])} refuses the settings, so nothing was"
                f" {on_change}ed: {(error or out).strip()}"
            )
    for unit, verb in verbs:
        systemd.act(verb, unit.name)
    module.exit_json(changed=True, acted=acted)


if __name__ == "__main__":
    main()
