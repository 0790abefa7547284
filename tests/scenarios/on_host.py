"""Runs on a host, with what any Debian has: prints as JSON how each thing there is, and writes nothing."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("/etc", "/home", "/opt", "/root/.ssh", "/srv", "/usr", "/var")
VOLATILE = (
    # lists and downloads of packages: check mode fetches them to say what would be installed
    *("/var/cache", "/var/lib/apt"),
    # what runs writes here: its rows are told one by one, its sessions and queues belong to nobody's play
    *("/var/lib/mysql", "/var/lib/redis", "/var/lib/php/sessions", "/var/lib/postfix", "/var/spool/postfix"),
    *(
        "/var/lib/sphinxsearch",
        "/var/lib/systemd",
        "/var/lib/logrotate",
        "/var/log",
        "/var/tmp",
        "/var/backups",
    ),
    "/var/lib/boxlift-monitoring",
    "__pycache__",
    # the portal's own caches
    *("bitrix/cache", "bitrix/managed_cache", "bitrix/stack_cache", "bitrix/html_pages", "bitrix/tmp"),
)
AGENTS = "b_agent"
"""The table in which the portal notes when an agent of its own ran."""
SCHEMAS_OF_THE_SERVER = ("information_schema", "performance_schema", "sys")


def files() -> Iterator[tuple[str, str]]:
    """Kind, mode, owner, size, time and target of each file; a folder's time is left out."""
    for top in FOLDERS:
        for folder, names, leaves in os.walk(top):
            names[:] = [name for name in names if not volatile(f"{folder}/{name}")]
            for name in (*names, *leaves):
                path = f"{folder}/{name}"
                if not volatile(path):
                    yield f"file {path}", told(path)


def volatile(path: str) -> bool:
    return any(path.startswith(end) if end.startswith("/") else path.endswith(f"/{end}") for end in VOLATILE)


def told(path: str) -> str:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return "gone meanwhile"
    more = ""
    if stat.S_ISLNK(found.st_mode):
        more = str(Path(path).readlink())
    elif stat.S_ISREG(found.st_mode):
        more = f"{found.st_size} bytes of {found.st_mtime}"
    return f"{stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid} {more}"


def packages() -> Iterator[tuple[str, str]]:
    for line in output(
        "dpkg-query", "--show", "--showformat", "${Package}\t${Version} ${db:Status-Abbrev}\n"
    ):
        name, how = line.split("\t")
        yield f"package {name}", how


def services() -> Iterator[tuple[str, str]]:
    """Processes of services that run: another one has been started anew."""
    units = output("systemctl", "list-units", "--type=service", "--state=running", "--plain", "--no-legend")
    names = [line.split()[0] for line in units]
    for name in names:
        if not name.startswith(("user@", "getty@", "systemd-", "boxlift-", "portal-agents")):
            yield f"service {name}", "".join(output("systemctl", "show", "--property=MainPID", name))
    timers = output("systemctl", "list-units", "--type=timer,socket", "--plain", "--no-legend")
    for line in timers:
        name, _, active = line.split()[:3]
        yield f"unit {name}", active


def rules() -> Iterator[tuple[str, str]]:
    if Path("/usr/sbin/nft").exists():
        for number, line in enumerate(output("/usr/sbin/nft", "--stateless", "list", "ruleset")):
            yield f"rule {number}", line


def tables() -> Iterator[tuple[str, str]]:
    """Checksum of each table, accounts and rights among them."""
    if not Path("/run/mysqld/mysqld.sock").exists():
        return
    named = asked(
        "SELECT CONCAT('`', TABLE_SCHEMA, '`.`', TABLE_NAME, '`') FROM information_schema.TABLES"
        " WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN"
        f" ({', '.join(repr(name) for name in SCHEMAS_OF_THE_SERVER)}) AND TABLE_NAME <> '{AGENTS}'"
        " AND NOT (TABLE_SCHEMA = 'mysql' AND TABLE_NAME <> 'global_priv')"
    )
    for line in asked(f"CHECKSUM TABLE {', '.join(named)}") if named else []:
        name, sum_ = line.split("\t")
        yield f"table {name}", sum_
    for name in asked("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA"):
        yield f"database {name}", "there"


def asked(statement: str) -> list[str]:
    return output("mariadb", "--batch", "--skip-column-names", "--execute", statement)


def output(*words: str) -> list[str]:
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()


if __name__ == "__main__":
    things = (files, packages, services, rules, tables)
    json.dump({name: how for kind in things for name, how in kind()}, sys.stdout)
