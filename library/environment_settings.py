#!/usr/bin/python
"""Ansible module: how a host of an environment is set up, as flat names and values that can be compared."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_php import as_user
from ansible.module_utils.boxlift_sql import (
    PYMYSQL_ERROR,
    SQL_ARGUMENTS,
    Database,
    SqlError,
    quoted,
    server_of,
)

DOCUMENTATION = r"""
module: environment_settings
short_description: Read how a host is set up, to compare it with another
description:
  - Reads packages, units, PHP, nginx, cron, Redis, the database server, and the settings and options of the
    active release. Changes nothing and runs none of the portal's code but its settings files.
  - Values of names that speak of a secret, and values that carry one, leave the host only as a keyed hash,
    which tells equal from different.
options:
  parts:
    description: What to read.
    type: list
    elements: str
    required: true
    choices: [system, packages, units, php, nginx, cron, redis, database, settings, options, modules]
  key: {description: Key of the hashes of one comparison., type: str, required: true}
  current: {description: Link to the active release., type: path, default: /srv/portal/current}
  user: {description: User that PHP runs as., type: str, default: portal}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Read how the host is set up
  environment_settings:
    parts: [system, packages, php]
    key: "{{ comparison_key }}"
"""

RETURN = r"""
environment_settings:
  description: Part to name to value; texts of files keep their lines.
  returned: always
  type: dict
release:
  description: The active release, its database and its document root; empty without one.
  returned: always
  type: dict
"""

Values = dict[str, str]

PARTS = (
    *("system", "packages", "units", "php", "nginx", "cron", "redis", "database"),
    *("settings", "options", "modules"),
)
#: What only a host with an active release has.
OF_RELEASE = frozenset({"settings", "options", "modules"})

_SECRET = re.compile(
    r"(?<!proxy_)(?<!fastcgi_)pass(?:w|word|wd)?\b|password|passwd|secret|token|salt|crypto|signature_key|requirepass|masterauth"
    r"|(?:^|[._~/])(?:key|.*_key|login_hash|signature|private)$",
    re.IGNORECASE,
)
# A secret inside a value, whatever its name: login or long word of an address, parameter of a query, header,
# an option that is a serialized list, argument of a define, password of a Redis account.
_CARRIED = re.compile(
    r"://[^/\s@'\"]+:[^/\s@'\"]+@"
    r"|://[^\s'\"]*/(?=[^/\s'\"]*[0-9])[\w-]{16,}"
    r"|[?&][\w.\[-]*(?:auth|token|secret|key|pass|pwd|sig|hash)[\w\]]*="
    r"|/rest/[0-9]+/\w{8,}"
    r"|\b(?:basic|bearer)\s+[\w.~+/=-]{8,}"
    r"|-----BEGIN"
    r"|(?:pass(?:word|wd|w)?|pwd|secret|token|(?:api|access|private|secret|smtp|licen[cs]e)_?key)\w*[\"']\s*"
    r"(?:=>|[:;,])"
    r"|(?:^|\s)(?:-u|--user)[ =]?\S+:\S"
    r"|^\s*user\s+\S.*\s[>#]\S",
    re.IGNORECASE,
)
_DIRECTIVE = re.compile(r"^(\s*)(\S*?)(\s*[=:]?\s+|\s*=\s*)(.+)$")
# One row a package: name, version, whether it is installed.
_PACKAGES = ["dpkg-query", "--show", "--showformat", r"${Package}\t${Version}\t${db:Status-Status}\n"]
_UNITS = ["systemctl", "list-unit-files", "--no-legend", "--no-pager", "--type=service,socket,timer"]
_INI = (
    "$names = get_loaded_extensions();"
    "echo json_encode(['ini' => ini_get_all(null, false), 'version' => PHP_VERSION,"
    " 'extensions' => array_combine($names, array_map('phpversion', $names))]);"
)
# A settings file gives an array of sections, each {value, readonly} (portal_runtime C1).
_READ = (
    "echo json_encode(array_map(fn($s) => is_array($s) && array_key_exists('value', $s) ? $s['value'] : $s,"
    " (array) (include $argv[1])));"
)
_SETTINGS = ("bitrix/.settings.php", "bitrix/.settings_extra.php", "local/.settings.php")
_TEXTS = ("bitrix/php_interface/dbconn.php", "bitrix/php_interface/after_connect_d7.php")


class Reader:
    """Reads one host."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._key = str(module.params["key"]).encode()
        self._current = Path(module.params["current"])

    def read(self) -> dict[str, Values]:
        """Return the values of every part that was asked for."""
        readers: dict[str, Callable[[], Values]] = {
            "system": self.system,
            "packages": self.packages,
            "units": self.units,
            "php": self.php,
            "nginx": lambda: self.files("/etc/nginx", "*.conf", "sites-enabled/*", "snippets/*"),
            "cron": self.cron,
            "redis": lambda: self.files("/etc/redis", "*.conf"),
            "database": self.database,
            "settings": self.settings,
            "options": self.options,
            "modules": self.modules,
        }
        parts = self._module.params["parts"]
        present = [part for part in parts if part not in OF_RELEASE or self._current.is_dir()]
        return {part: readers[part]() for part in present}

    def release(self) -> dict[str, str]:
        """Name, folder and database of the active release; empty where there is none."""
        if not self._current.is_dir():
            return {}
        root = self._current.resolve()
        return {"name": root.name, "root": str(root), "database": self._database_name()}

    def system(self) -> Values:
        """Distribution, clock zone and architecture."""
        told = dict(
            line.split("=", 1)
            for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
            if "=" in line
        )
        zone = Path("/etc/localtime")
        return {
            "distribution": told.get("PRETTY_NAME", "").strip('"'),
            "architecture": self._run(["dpkg", "--print-architecture"]).strip(),
            "time zone": str(zone.resolve()).partition("/zoneinfo/")[2] if zone.exists() else "UTC",
        }

    def packages(self) -> Values:
        """Installed packages and their versions."""
        rows = (line.split("\t") for line in self._run(_PACKAGES).splitlines())
        return {name: version for name, version, status in rows if status == "installed"}

    def units(self) -> Values:
        """Services, sockets and timers that start by themselves."""
        rows = (line.split() for line in self._run(_UNITS).splitlines())
        return {row[0]: row[1] for row in rows if len(row) > 1 and row[1] in {"enabled", "masked"}}

    def php(self) -> Values:
        """Settings and extensions of the command line, and the files of the web's pool."""
        told = json.loads(self._run(as_user(self._module.params["user"], ["php", "-r", _INI])))
        found = {f"cli {name}": self._shown(name, value) for name, value in told["ini"].items()}
        found |= {f"extension {name}": str(version) for name, version in told["extensions"].items()}
        found["version"] = told["version"]
        for folder in sorted(Path("/etc/php").glob("*/fpm")):
            found |= self.files(str(folder), "*.conf", "*.ini", "conf.d/*.ini", "pool.d/*.conf")
        return found

    def cron(self) -> Values:
        """Tables of every user, and the folders of the system."""
        return self.files("/etc", "crontab", "cron.d/*") | self.files("/var/spool/cron/crontabs", "*")

    def database(self) -> Values:
        """Global variables of the server."""
        rows = self._query("SHOW GLOBAL VARIABLES")
        return {name: self._shown(name, value) for name, value in rows}

    def settings(self) -> Values:
        """The portal's settings files, section by section, and what else decides how it starts."""
        found: Values = {}
        for name in _SETTINGS:
            path = self._current / name
            if path.is_file():
                command = as_user(self._module.params["user"], ["php", "-r", _READ, str(path)])
                for key, value in flat(json.loads(self._run(command))):
                    found[f"{name} {key}"] = self._shown(key, value)
        for name in _TEXTS:
            if (self._current / name).is_file():
                found[name] = self._text(self._current / name)
        return found

    def options(self) -> Values:
        """Options of the portal, and those of its sites."""
        database = self._database_name()
        rows = self._query(f"SELECT MODULE_ID, NAME, VALUE FROM {quoted(database)}.b_option")
        found = {f"{module}/{name}": self._shown(name, value) for module, name, value in rows}
        present = "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s"
        if not self._query(present, [database, "b_option_site"]):
            return found
        rows = self._query(f"SELECT MODULE_ID, NAME, SITE_ID, VALUE FROM {quoted(database)}.b_option_site")
        return found | {
            f"{module}/{name} of {site}": self._shown(name, value) for module, name, site, value in rows
        }

    def modules(self) -> Values:
        """Modules that the portal has installed."""
        return {
            row[0]: "installed"
            for row in self._query(f"SELECT ID FROM {quoted(self._database_name())}.b_module")
        }

    def files(self, folder: str, *patterns: str) -> Values:
        """Texts of files below a folder, without comments and empty lines."""
        base = Path(folder)
        paths = sorted({path for pattern in patterns for path in base.glob(pattern) if path.is_file()})
        return {str(path): self._text(path) for path in paths}

    def _text(self, path: Path) -> str:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        kept = (
            line.rstrip() for line in lines if line.strip() and not line.lstrip().startswith(("#", ";", "//"))
        )
        return "".join(f"{self._line(line)}\n" for line in kept)

    def _line(self, line: str) -> str:
        """A line of a settings file without the secret that it sets."""
        found = _DIRECTIVE.match(line)
        if not (_CARRIED.search(line) or (found and _SECRET.search(found[2].strip("'\"")))):
            return line
        if found is None:
            return self._hash(line)
        return f"{found[1]}{found[2]}{found[3]}{self._hash(found[4])}"

    def _shown(self, name: str, value: object) -> str:
        text = "" if value is None else str(value)
        return self._hash(text) if text and (_SECRET.search(name) or _CARRIED.search(text)) else text

    def _hash(self, text: str) -> str:
        return f"secret {hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:12]}"

    def _database_name(self) -> str:
        command = as_user(
            self._module.params["user"], ["php", "-r", _READ, str(self._current / _SETTINGS[0])]
        )
        return str(json.loads(self._run(command))["connections"]["default"]["database"])

    def _query(self, statement: str, values: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        params = self._module.params
        active = Path(params["current"]).resolve().name
        database = Database({**params, "config_file": server_of(active, params["config_file"])})
        try:
            return [tuple(map(as_text, row)) for row in database.rows(statement, values)]
        finally:
            database.close()

    def _run(self, command: list[str]) -> str:
        _, output, _ = self._module.run_command(command, check_rc=True)
        return str(output)


def as_text(value: object) -> str | None:
    """A value of a row as text."""
    return (
        value.decode(errors="replace") if isinstance(value, bytes) else value if value is None else str(value)
    )


def flat(value: object, above: str = "") -> Iterator[tuple[str, str]]:
    """Leaves of nested settings with their path, as ``cache.type.class_name``."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from flat(inner, f"{above}.{name}" if above else str(name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from flat(inner, f"{above}[{number}]")
    else:
        yield above, json.dumps(value) if isinstance(value, bool) else "" if value is None else str(value)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "parts": {"type": "list", "elements": "str", "required": True, "choices": list(PARTS)},
            "key": {"type": "str", "required": True, "no_log": True},
            "current": {"type": "path", "default": "/srv/portal/current"},
            "user": {"type": "str", "default": "portal"},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR is not None and {"database", "options", "modules"} & set(module.params["parts"]):
        module.fail_json(
            msg="refused: python3-pymysql is missing on the host; provision it first"
            " (boxlift run provision-production, or build-staging)",
            exception=PYMYSQL_ERROR,
        )
    reader = Reader(module)
    try:
        module.exit_json(changed=False, environment_settings=reader.read(), release=reader.release())
    except (OSError, SqlError, ValueError, KeyError) as error:
        module.fail_json(msg=f"cannot read how the host is set up: {error}")


if __name__ == "__main__":
    main()
