"""Ansible module: what one side of a copy is, as its host and the database server that it reaches say."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_sql import (
    PYMYSQL_ERROR,
    SQL_ARGUMENTS,
    Database,
    SqlError,
    quoted,
    server_of,
)

DOCUMENTATION = r"""
module: portal_side
short_description: What a host is for a copy of a portal, source or target; changes nothing
description:
  - Reads the marker of the host and that of the database server that it really reaches, who that server is,
    which release is active, how large and how old it is, and what is at work.
options:
  base_path: {description: Folder of the releases., type: path, default: /srv/portal}
  copies: {description: Folder of the copies made here., type: path, default: /var/lib/boxlift/clones}
  marker: {description: Marker of the host., type: path, default: /etc/boxlift/environment.json}
  resume_hours:
    description: Hours after which a copy that was not finished is given up.
    type: float
    default: 24.0
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: What is copied
  portal_side:
  delegate_to: portal-1
  register: source
"""

RETURN = r"""
side: {description: All that was found., returned: always, type: dict}
"""

_MARKER = "SELECT environment, portal_id FROM `boxlift`.`environment`"
_NO_UID = "unknown"
"""What MariaDB says where it may not ask for the network card's address."""
_UNITS = ("bxbackup-restore@*", "boxlift-clone@*", "boxlift-backup.service")
"""A backup pulls with the key that a copy would replace and take away."""


def read_marker(path: Path) -> dict[str, str] | None:
    """The host's marker; None where there is none, or one that nobody can read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: str(content[name]) for name in ("environment", "portal_id")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def text(value: Any) -> str:
    """A column as text."""
    return value.decode() if isinstance(value, bytes) else str(value)


def database_marker(database: Database) -> dict[str, str] | None:
    """The server's marker; None where it has none."""
    if "environment" not in database.tables("boxlift"):
        return None
    rows = database.rows(_MARKER)
    return {"environment": text(rows[0][0]), "portal_id": text(rows[0][1])} if rows else None


def server(database: Database) -> dict[str, Any]:
    """Who the server is, and whether its files lie on this host."""
    known = {
        text(name): text(value)
        for name, value in database.rows(
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('hostname', 'port', 'datadir', 'version',"
            " 'version_comment', 'server_uid', 'innodb_version')"
        )
    }
    datadir = Path(known["datadir"])
    return {
        "hostname": known["hostname"],
        "port": known["port"],
        "datadir": known["datadir"],
        "version": known["version"],
        "mariadb": "mariadb" in known["version"].lower(),
        "uid": known.get("server_uid", "").replace(_NO_UID, ""),
        "local": known["hostname"] == socket.gethostname() and (datadir / "ibdata1").is_file(),
    }


def size(database: Database, schema: str) -> int:
    """Bytes of a database: of its files where the server tells them, else of the rows and indexes in them."""
    pattern = schema.replace("_", "\\_") + "/%"
    try:
        found = database.value(
            "SELECT SUM(FILE_SIZE) FROM information_schema.INNODB_SYS_TABLESPACES"
            " WHERE NAME LIKE %s OR NAME = 'innodb_system'",
            [pattern],
        )
    except SqlError:
        # MySQL has it under another name, and an account of its own may not see it.
        found = None
    if found is None:
        found = database.value(
            "SELECT SUM(DATA_LENGTH + INDEX_LENGTH) FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s",
            [schema],
        )
    return int(float(text(found or 0)))


def files(database: Database, schema: str) -> tuple[int, int]:
    """Number and bytes of the files that rows name."""
    if "b_file" not in database.tables(schema):
        return 0, 0
    ((number, total),) = database.rows(
        f"SELECT COUNT(*), COALESCE(SUM(FILE_SIZE), 0) FROM {quoted(schema)}.`b_file`"
    )
    return int(number), int(float(text(total)))


def unfinished(copies: Path, finished: Iterable[str], hours: float, now: float) -> str | None:
    """The newest copy that was begun, is not finished, and is not too old to go on with."""
    done = set(finished)
    for folder in sorted(copies.glob("clone-*"), reverse=True):
        if folder.name in done:
            return None
        try:
            begun = float(json.loads((folder / "state.json").read_text(encoding="utf-8"))["begun"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        return folder.name if now - begun <= hours * 3600 else None
    return None


def copied_at(copies: Path, release: str) -> float | None:
    """The moment that a copy shows, in seconds since 1970."""
    try:
        report = json.loads((copies / release / "report.json").read_text(encoding="utf-8"))
        return float(report["database"]["as_of"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def activated(database: Database) -> list[str]:
    """Releases that have been active."""
    if "portal_release" not in database.tables("boxlift"):
        return []
    rows = database.rows("SELECT name FROM `boxlift`.`portal_release` WHERE activated_at IS NOT NULL")
    return [text(row[0]) for row in rows]


def free(path: Path) -> int:
    """Bytes free where a folder is or will be."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def look(params: dict[str, Any], busy: list[str]) -> dict[str, Any]:
    """Everything."""
    base, copies = Path(params["base_path"]), Path(params["copies"])
    active = (base / "current").resolve().name if (base / "current").is_dir() else ""
    schema = f"portal_{active.replace('-', '_')}"
    database = Database(params)
    found: dict[str, Any] = {
        "host": socket.gethostname(),
        "marker": read_marker(Path(params["marker"])),
        "database_marker": database_marker(database),
        "server": server(database),
        "release": active,
        "busy": busy,
        "unfinished": unfinished(copies, [*activated(database), active], params["resume_hours"], time.time()),
        "copied_at": copied_at(copies, active),
        "free": {"base": free(base), "copies": free(copies)},
    }
    own = server_of(active, params["config_file"], params["copies"])
    if own != params["config_file"]:
        database.close()
        database = Database({**params, "config_file": own})
    if active:
        number, total = files(database, schema)
        found |= {
            "database": schema,
            "database_bytes": size(database, schema),
            "files": number,
            "files_bytes": total,
        }
    database.close()
    return found


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "base_path": {"type": "path", "default": "/srv/portal"},
            "copies": {"type": "path", "default": "/var/lib/boxlift/clones"},
            "marker": {"type": "path", "default": "/etc/boxlift/environment.json"},
            "resume_hours": {"type": "float", "default": 24.0},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    code, output, errors = module.run_command(
        [
            "systemctl",
            "list-units",
            "--plain",
            "--no-legend",
            "--state=active,activating,deactivating",
            *_UNITS,
        ]
    )
    if code != 0:
        module.fail_json(msg=f"systemd does not tell what runs: {errors.strip()}")
    busy = [line.split()[0] for line in output.splitlines() if line.strip()]
    try:
        found = look(module.params, busy)
    except SqlError as error:
        module.fail_json(msg=f"the database server that {socket.gethostname()} reaches: {error}")
    module.exit_json(changed=False, side=found)


if __name__ == "__main__":
    main()
