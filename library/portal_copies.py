"""Ansible module: the copies of a portal that stay on a host."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError, quoted

DOCUMENTATION = r"""
module: portal_copies
short_description: Remove copies of the portal that are not needed, by number and by space
description:
  - Removes the copies that were active longest ago until no more than O(keep) are left and there is room
    enough. The active one stays, whatever the figures say. With a copy go its files, its database or its own
    database server, and its row in the register.
  - Copies that were begun and never became active go in any case, but for those in O(spare).
options:
  base_path: {description: Folder of the releases., type: path, default: /srv/portal}
  copies: {description: Folder of states and servers., type: path, default: /var/lib/boxlift/clones}
  keep: {description: Copies that stay, the active one among them., type: int, default: 2}
  spare: {description: Copies that stay and do not count., type: list, elements: str, default: []}
  free_percent: {description: Share of both disks that shall be free., type: int, default: 0}
  need_bytes: {description: Bytes that shall be free on both disks., type: int, default: 0}
  stop: {description: Stop the servers of copies that are not active., type: bool, default: false}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Two copies are enough
  portal_copies:
    keep: 2
    free_percent: 10
"""

RETURN = r"""
removed: {description: Copies that are gone., returned: always, type: list}
stopped: {description: Copies whose server was stopped., returned: always, type: list}
lacks: {description: Bytes that are still missing of O(need_bytes)., returned: always, type: int}
"""

_NAME = re.compile(r"clone-[0-9]{14}\Z")
_PERCENT = 100

Run = Callable[[list[str]], tuple[int, str, str]]


class HostError(Exception):
    """A unit that does not stop."""


def surplus(
    names: Iterable[str], activated: Sequence[str], active: str, spare: Sequence[str], keep: int
) -> list[str]:
    """Copies that nobody can go back to, then those beyond the number that stays, the longest idle first.

    :param activated: releases that have been active, in the order in which they last became so.
    """
    counted = sorted({name for name in names if name not in spare and name != active})
    served = [name for name in activated if name in counted]
    staying = 1 if active in set(names) else 0
    return [
        *(name for name in counted if name not in served),
        *served[: max(0, len(served) - max(keep - staying, 0))],
    ]


def lacking(places: Sequence[tuple[int, int]], free_percent: int, need_bytes: int) -> int:
    """Bytes that the fullest place lacks; places are (total, free)."""
    return max(max(need_bytes, total * free_percent // _PERCENT) - free for total, free in places)


class Copies:
    """The copies on this host."""

    def __init__(self, params: dict[str, Any], database: Database, run: Run) -> None:
        """Look at both folders; nothing is changed."""
        self.base, self.folder = Path(params["base_path"]), Path(params["copies"])
        self._database, self._run = database, run
        self.activated = self._activated()
        current = self.base / "current"
        # Where somebody lost the link, what it last led to is not without an owner.
        self.active = current.resolve().name if current.is_symlink() else (["", *self.activated])[-1]
        places = (self.base / "releases", self.folder)
        self.names = sorted(
            {
                path.name
                for place in places
                if place.is_dir()
                for path in place.iterdir()
                if _NAME.match(path.name)
            }
        )

    def room(self) -> list[tuple[int, int]]:
        """Total and free bytes of both disks."""
        found = []
        for place in (self.base, self.folder):
            existing = place if place.exists() else place.parent
            usage = shutil.disk_usage(existing)
            found.append((usage.total, usage.free))
        return found

    def _activated(self) -> list[str]:
        """Releases that have been active, in the order in which they last became so."""
        if "portal_release" not in self._database.tables("boxlift"):
            return []
        rows = self._database.rows(
            "SELECT name FROM `boxlift`.`portal_release` WHERE activated_at IS NOT NULL ORDER BY activated_at"
        )
        return [str(row[0]) for row in rows]

    def serves(self, name: str) -> bool:
        """Whether a copy's own server runs, or would after a restart of the host."""
        unit = f"boxlift-database@{name}.service"
        return any(
            self._run(["systemctl", "--quiet", verb, unit])[0] == 0 for verb in ("is-active", "is-enabled")
        )

    def stop(self, name: str) -> None:
        """Stop a copy's own server, now and for good."""
        code, _, errors = self._run(["systemctl", "disable", "--now", f"boxlift-database@{name}.service"])
        if code != 0:
            raise HostError(f"the database server of {name} does not stop: {errors.strip()}")

    def remove(self, name: str) -> None:
        """Remove all of a copy. What tells of it goes last, so that a removal that was cut is done again."""
        if self.serves(name):
            self.stop(name)
        self._database.run(f"DROP DATABASE IF EXISTS {quoted('portal_' + name.replace('-', '_'))}")
        if "portal_release" in self._database.tables("boxlift"):
            self._database.run("DELETE FROM `boxlift`.`portal_release` WHERE name = %s", [name])
        self._database.commit()
        for path in (self.base / "releases" / name, self.folder / name):
            if path.exists():
                shutil.rmtree(path)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "base_path": {"type": "path", "default": "/srv/portal"},
            "copies": {"type": "path", "default": "/var/lib/boxlift/clones"},
            "keep": {"type": "int", "default": 2},
            "spare": {"type": "list", "elements": "str", "default": []},
            "free_percent": {"type": "int", "default": 0},
            "need_bytes": {"type": "int", "default": 0},
            "stop": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    given = module.params
    try:
        result = work(Copies(given, Database(given), module.run_command), given, dry=module.check_mode)
    except (SqlError, HostError, OSError) as error:
        module.fail_json(msg=f"copies of the portal: {error}")
    module.exit_json(changed=bool(result["removed"] or result["stopped"]), **result)


def work(copies: Copies, given: dict[str, Any], *, dry: bool) -> dict[str, Any]:
    """Remove by number, then by space, then stop what nobody asks."""
    spare = [*given["spare"], copies.active]
    removed = surplus(copies.names, copies.activated, copies.active, given["spare"], given["keep"])
    if not dry:
        for name in removed:
            copies.remove(name)
        idle = [name for name in copies.activated if name in copies.names]
        for name in [name for name in idle if name not in {*removed, *spare}]:
            if lacking(copies.room(), given["free_percent"], given["need_bytes"]) <= 0:
                break
            copies.remove(name)
            removed.append(name)
    idle = [name for name in copies.names if name not in {*removed, *spare}] if given["stop"] else []
    stopped = [name for name in idle if copies.serves(name)]
    if not dry:
        for name in stopped:
            copies.stop(name)
    return {
        "removed": removed,
        "stopped": stopped,
        "lacks": max(0, lacking(copies.room(), 0, given["need_bytes"])),
    }


if __name__ == "__main__":
    main()
