"""Ansible module: whether the kernel that a backup brought fits its host and its database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError, quoted

DOCUMENTATION = r"""
module: portal_kernel
short_description: Check the kernel of a release before it becomes the active one
description:
  - Reads versions from files and tables from the database's catalogue; none of the portal's code runs and
    nothing is changed.
  - Compares with the release that was installed from the distribution, where there is one.
options:
  root: {description: Document root of the release., type: path, required: true}
  database: {description: Database of the release., type: str, required: true}
  distribution_root: {description: Document root of the distribution's release., type: path, required: true}
  distribution_database: {description: Database of the distribution's release., type: str, required: true}
  php: {description: The PHP command., type: str, default: php}
  rules: {description: "What is refused or warned of (role portal_kernel).", type: dict, required: true}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Look at the kernel
  portal_kernel:
    root: /srv/portal/releases/final-1
    database: portal_final_1
    distribution_root: /srv/portal/releases/box
    distribution_database: portal_box
    rules: "{{ rules }}"
"""

RETURN = r"""
refused: {description: What forbids the activation., returned: always, type: list}
warned: {description: What a person should know., returned: always, type: list}
versions: {description: "Versions of the release's modules, main among them.", returned: always, type: dict}
"""

_MAIN = re.compile(r"""define\(\s*["']SM_VERSION["']\s*,\s*["']([0-9.]+)["']""")
_MODULE = re.compile(r"""["']VERSION["']\s*=>\s*["']([0-9.]+)["']""")
_NAMED = 12
"""Names in one message at most."""

Tables = dict[str, set[str]]


@dataclass(frozen=True)
class Kernel:
    """What is known of a release: versions of its modules, registered modules, columns of its tables."""

    versions: dict[str, str] = field(default_factory=dict)
    registered: frozenset[str] = frozenset()
    tables: Tables = field(default_factory=dict)


@dataclass
class Findings:
    """What speaks against a release, by what it leads to."""

    refused: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    def add(self, act: str, text: str) -> None:
        """Add one finding; ``act`` is refuse or warn."""
        (self.refused if act == "refuse" else self.warned).append(text)


def versions(root: Path) -> dict[str, str]:
    """Versions of the modules that have a folder: an empty text where it has none (portal_runtime J4)."""
    found = {}
    for folder in (root / "local/modules", root / "bitrix/modules"):
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.is_dir():
                found[path.name] = _read(path / "install/version.php", _MODULE)
    if "main" in found:
        general = root / "bitrix/modules/main/classes/general/version.php"
        found["main"] = _read(general, _MAIN) or found["main"]
    return found


def _read(path: Path, pattern: re.Pattern[str]) -> str:
    try:
        match = pattern.search(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
    return match.group(1) if match else ""


def columns(database: Database, schema: str) -> Tables:
    """Columns of every table of a database, by table; empty where there is no such database."""
    found: Tables = {}
    for table, column in database.rows(
        "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s", [schema]
    ):
        found.setdefault(str(table), set()).add(str(column))
    return found


def number(version: str) -> tuple[int, ...]:
    """A version as numbers that can be compared."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def check(mine: Kernel, box: Kernel, php: str, rules: dict[str, Any]) -> Findings:
    """Everything that the rules say of a release, the distribution's release and the host's PHP."""
    findings = Findings()
    for act, text in (
        *_versions(mine, box, rules),
        *_php(php, rules),
        *_modules(mine, rules),
        *_structure(mine, box, rules),
    ):
        findings.add(act, text)
    return findings


def _versions(mine: Kernel, box: Kernel, rules: dict[str, Any]) -> Iterator[tuple[str, str]]:
    own, other = mine.versions.get("main", ""), box.versions.get("main", "")
    if not own:
        yield (
            rules["main_unknown"]["act"],
            "the release has no version of module main: its kernel is not whole",
        )
        return
    for rule in rules["main_least"]:
        if number(own) < number(rule["version"]):
            yield rule["act"], f"main is {own}, older than {rule['version']}: {rule['reason']}"
    if other and number(own) != number(other):
        relation = "newer" if number(own) > number(other) else "older"
        rule = rules[f"main_{relation}"]
        yield rule["act"], f"main is {own}, {relation} than the distribution's {other}: {rule['reason']}"


def _php(php: str, rules: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for rule in rules["php_least"]:
        if number(php) < number(rule["version"]):
            yield rule["act"], f"PHP is {php}, older than {rule['version']}: {rule['reason']}"
            return


def _modules(mine: Kernel, rules: dict[str, Any]) -> Iterator[tuple[str, str]]:
    gone = sorted(mine.registered - mine.versions.keys())
    needed = [name for name in gone if name in rules["modules_needed"]]
    if needed:
        yield "refuse", f"modules without a folder: {_list(needed)}; the portal does not work without them"
    elif len(gone) > int(rules["modules_most"]):
        yield "refuse", f"{len(gone)} modules have no folder, so the kernel is not whole: {_list(gone)}"
    elif gone:
        yield "warn", f"modules without a folder, which repair-portal unregisters: {_list(gone)}"


def _structure(mine: Kernel, box: Kernel, rules: dict[str, Any]) -> Iterator[tuple[str, str]]:
    needed = set(rules["tables_needed"])
    if lost := sorted(needed - mine.tables.keys()):
        yield "refuse", f"tables that no portal works without are missing: {_list(lost)}"
    if others := sorted(box.tables.keys() - mine.tables.keys() - needed):
        yield (
            rules["tables_missing"]["act"],
            f"{len(others)} tables of the distribution are missing: {_list(others)}",
        )
    # A kernel of another version than the distribution's brought the columns that it needs.
    own, other = mine.versions.get("main", ""), box.versions.get("main", "")
    act_needed = "refuse" if number(own) == number(other) else rules["columns_missing"]["act"]
    for act, tables in (
        (act_needed, needed & mine.tables.keys()),
        (rules["columns_missing"]["act"], mine.tables.keys() - needed),
    ):
        missing = [
            f"{table}.{column}"
            for table in sorted(tables & box.tables.keys())
            for column in sorted(box.tables[table] - mine.tables[table])
        ]
        if missing:
            yield act, f"{len(missing)} columns of the distribution are missing: {_list(missing)}"


def _list(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def look(database: Database, schema: str, root: Path) -> Kernel:
    """What a release's folder and database say."""
    tables = columns(database, schema)
    registered: frozenset[str] = frozenset()
    if "b_module" in tables:
        rows = database.rows(f"SELECT `ID` FROM {quoted(schema)}.`b_module`")
        # the cloud's own module goes before any code runs (role portal_cloud_leftovers)
        registered = frozenset(str(row[0]) for row in rows) - {"bitrix24"}
    return Kernel(versions(root), registered, tables)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "root": {"type": "path", "required": True},
            "database": {"type": "str", "required": True},
            "distribution_root": {"type": "path", "required": True},
            "distribution_database": {"type": "str", "required": True},
            "php": {"type": "str", "default": "php"},
            "rules": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    given = module.params
    _, php, _ = module.run_command([given["php"], "-r", "echo PHP_VERSION;"], check_rc=True)
    try:
        database = Database(given)
        mine = look(database, given["database"], Path(given["root"]))
        box = look(database, given["distribution_database"], Path(given["distribution_root"]))
    except SqlError as error:
        module.fail_json(msg=f"kernel of {given['root']}: {error}")
    findings = check(mine, box, php, given["rules"])
    module.exit_json(changed=False, refused=findings.refused, warned=findings.warned, versions=mine.versions)


if __name__ == "__main__":
    main()
