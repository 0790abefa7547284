#!/usr/bin/python
"""Ansible module: which environment does this host belong to, and the database server that it reaches."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_sql import (
    PYMYSQL_ERROR,
    SQL_ARGUMENTS,
    Database,
    NoConnectionError,
    NoOptionFileError,
    SqlError,
)

DOCUMENTATION = """
---
module: environment_marker
short_description: The marker that says which environment a host and a database server belong to
description:
  - The marker is a file on the host and a row in the database server that the host really reaches. Both carry
    C(environment), C(portal_id), C(lifecycle) and C(created).
  - C(environment) and C(portal_id) are written once. A host or server that carries others is refused.
  - C(lifecycle) only goes forward, from C(empty) over C(rehearsal) and C(final) to C(open).
    C(open) follows C(final) alone.
  - With C(free_or_own) a server that cannot be asked is passed over, because provisioning may be what brings
    it back; it is asked again before its marker is written.
  - Messages of a refusal begin with C(refused:) and the result carries C(boxlift_exit) 6.
    There is no way to override one.
author: The boxlift authors
options:
  environment:
    description: The environment that the host must belong to.
    type: str
    choices: [production, preproduction]
    required: true
  portal_id:
    description: Name of the portal that the host must belong to.
    type: str
    required: true
  state:
    description:
      - C(free_or_own) refuses a host that carries another marker and changes nothing.
      - C(present) writes the marker where there is none.
      - C(own) refuses a host without this marker and changes nothing.
    type: str
    choices: [free_or_own, present, own]
    default: own
  lifecycle:
    description: With C(own), the lifecycle to go to.
    type: str
    choices: [empty, rehearsal, final, open]
  lifecycle_in:
    description: With C(own), lifecycles in which the caller's work is allowed.
    type: list
    elements: str
  path:
    description: File of the marker.
    type: path
    default: /etc/boxlift/environment.json
  database:
    description: Also look at the database server.
    type: bool
    default: false
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
"""

EXAMPLES = """
- name: This is the staging host, and the database that it reaches is staging's
  environment_marker:
    environment: preproduction
    portal_id: acme
    database: true

- name: The rehearsal begins
  environment_marker:
    environment: production
    portal_id: acme
    lifecycle: rehearsal
    database: true
"""

RETURN = """
marker:
  description: The marker of the host as it is now, or null.
  returned: always
  type: dict
database_marker:
  description: The marker of the database server as it is now, or null.
  returned: always
  type: dict
"""

REFUSED = 6
LIFECYCLE = ("empty", "rehearsal", "final", "open")
PROVISION = {"production": "boxlift run provision-production", "preproduction": "boxlift run build-staging"}
#: What brings the move to a lifecycle.
REACHED_BY = {
    "rehearsal": "boxlift run activate-release",
    "final": "boxlift run --pass final activate-release",
    "open": "boxlift run --pass final open-portal",
}
FIELDS = ("environment", "portal_id", "lifecycle", "created")
SELECT = "SELECT environment, portal_id, lifecycle, created FROM boxlift.environment"
NO_SUCH_DATABASE, NO_SUCH_TABLE = 1049, 1146
TABLE = """
CREATE TABLE IF NOT EXISTS boxlift.environment (
  id TINYINT NOT NULL PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  environment VARCHAR(32) NOT NULL,
  portal_id VARCHAR(64) NOT NULL,
  lifecycle VARCHAR(16) NOT NULL,
  created VARCHAR(32) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
"""

Marker = dict[str, str]


class RefusedError(Exception):
    """The host or the database server is not the one that was meant, or not in the state that was meant."""


class MarkerFile:
    """The marker on the host."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.where = str(path)

    def read(self) -> Marker | None:
        """The marker, None where there is none. One that cannot be read is a refusal, not an absence."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            return {field: str(content[field]) for field in FIELDS}
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise RefusedError(
                f"{self.path} is no marker of boxlift ({error}); look at it before you go on"
            ) from error

    def write(self, marker: Marker) -> None:
        """Replace the file in one step, durable before it is believed."""
        self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".environment-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(marker, file, indent=2)
            file.write("\n")
            os.fchmod(file.fileno(), 0o644)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class MarkerRow:
    """The marker in the database server."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.where = f"the database server ({database.address})"

    def read(self) -> Marker | None:
        """The marker, None where there is none."""
        try:
            rows = self.database.rows(SELECT)
        except SqlError as error:
            if error.code in (NO_SUCH_DATABASE, NO_SUCH_TABLE):
                return None
            raise
        return dict(zip(FIELDS, rows[0], strict=True)) if rows else None

    def write(self, marker: Marker) -> None:
        """Replace the row."""
        # Both statements only warn when there is nothing to do.
        self.database.run("CREATE DATABASE IF NOT EXISTS boxlift CHARACTER SET utf8mb4")
        self.database.run(TABLE)
        self.database.run(
            "REPLACE INTO boxlift.environment (id, environment, portal_id, lifecycle, created)"
            " VALUES (1, %s, %s, %s, %s)",
            [marker[field] for field in FIELDS],
        )
        self.database.commit()


def check_owner(marker: Marker | None, where: str, environment: str, portal_id: str) -> None:
    """Refuse a marker of another environment or portal."""
    if marker is None:
        return
    if marker["environment"] != environment:
        raise RefusedError(f"{where} says {marker['environment']}, but {environment} was meant")
    if marker["portal_id"] != portal_id:
        raise RefusedError(f"{where} belongs to portal {marker['portal_id']}, but {portal_id} was meant")


def furthest(markers: list[Marker]) -> str:
    """The lifecycle that counts: an interrupted change may have reached one of the two only."""
    return max((marker["lifecycle"] for marker in markers), key=LIFECYCLE.index)


def check_step(now: str, wanted: str, where: str) -> None:
    """Refuse a step back, and `open` from anywhere but `final`."""
    if LIFECYCLE.index(wanted) < LIFECYCLE.index(now):
        raise RefusedError(f"the lifecycle of {where} is {now}, it never goes back to {wanted}")
    if wanted == "open" and now not in ("final", "open"):
        raise RefusedError(f"the lifecycle of {where} is {now}, only one that is final can be opened")


def way_to(now: str, wanted: list[str]) -> str:
    """The command that brings the move where it is wanted; nothing where it is past that."""
    ahead = [lifecycle for lifecycle in wanted if LIFECYCLE.index(lifecycle) > LIFECYCLE.index(now)]
    return f"; what brings it there: {REACHED_BY[ahead[0]]}" if ahead else ""


@contextmanager
def connected(module: AnsibleModule) -> Iterator[MarkerRow | None]:
    """The database server as the host reaches it; None where none is asked, as `free_or_own` may."""
    optional = module.params["state"] == "free_or_own"
    # In check mode nothing was installed that a fresh host would need.
    fresh = optional or module.check_mode
    if PYMYSQL_ERROR is not None:
        if not fresh:
            module.fail_json(msg="python3-pymysql is needed on the host to look at the database server")
        yield None
        return
    try:
        database = Database(module.params)
    except NoOptionFileError as error:
        if not fresh:
            module.fail_json(msg=str(error))
        yield None
        return
    except NoConnectionError as error:
        if not optional:
            module.fail_json(msg=str(error))
        yield None
        return
    try:
        yield MarkerRow(database)
    finally:
        database.close()


def work(module: AnsibleModule, stores: list[MarkerFile | MarkerRow]) -> dict[str, Any]:
    """Look at every store first, then write to those that lack something."""
    params = module.params
    environment, portal_id, state = params["environment"], params["portal_id"], params["state"]
    found = {store: store.read() for store in stores}
    for store, marker in found.items():
        check_owner(marker, store.where, environment, portal_id)
    # The last one counts: several hosts reach one database server, and all of them take over what it says.
    present = [marker for marker in found.values() if marker is not None]
    wanted: Marker | None = None
    if state == "own":
        for store, marker in found.items():
            if marker is None:
                raise RefusedError(
                    f"{store.where} carries no marker; provision the {environment} environment first"
                    f" ({PROVISION[environment]})"
                )
        now = furthest(present)
        if params["lifecycle_in"] is not None and now not in params["lifecycle_in"]:
            raise RefusedError(
                f"the lifecycle of {environment} is {now}, this needs {' or '.join(params['lifecycle_in'])}"
                + way_to(now, params["lifecycle_in"])
            )
        if params["lifecycle"] is not None:
            check_step(now, params["lifecycle"], environment)
            wanted = {**present[-1], "lifecycle": params["lifecycle"]}
    elif state == "present":
        wanted = (
            {**present[-1], "lifecycle": furthest(present)}
            if present
            else {
                "environment": environment,
                "portal_id": portal_id,
                "lifecycle": "empty",
                "created": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
            }
        )
    changed = False
    # The database server goes first: what it says counts for the hosts that reach it.
    for store, marker in reversed(list(found.items())):
        if wanted is not None and marker != wanted:
            changed = True
            found[store] = wanted
            if not module.check_mode:
                store.write(wanted)
    markers = list(found.values())
    return {
        "changed": changed,
        "marker": markers[0],
        "database_marker": markers[1] if len(markers) > 1 else None,
    }


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "environment": {"type": "str", "required": True, "choices": ["production", "preproduction"]},
            "portal_id": {"type": "str", "required": True},
            "state": {"type": "str", "default": "own", "choices": ["free_or_own", "present", "own"]},
            "lifecycle": {"type": "str", "choices": list(LIFECYCLE)},
            "lifecycle_in": {"type": "list", "elements": "str"},
            "path": {"type": "path", "default": "/etc/boxlift/environment.json"},
            "database": {"type": "bool", "default": False},
            **SQL_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    file = MarkerFile(Path(module.params["path"]))
    try:
        if module.params["database"]:
            with connected(module) as row:
                result = work(module, [file] if row is None else [file, row])
        else:
            result = work(module, [file])
    except RefusedError as refusal:
        module.fail_json(msg=f"refused: {refusal}", boxlift_exit=REFUSED)
    except SqlError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
