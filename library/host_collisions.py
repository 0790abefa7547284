#!/usr/bin/python
"""Ansible module: what lives on a host already and would be in the way of a portal, or lost to it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
---
module: host_collisions
short_description: See what lives on a host already and would collide with a portal
description:
  - Looks for services of others on the portal's ports, for web sites, databases, mail and firewall settings
    that the roles would replace or switch off, and for files in the portal's folder. Tells all of it at once
    and changes nothing.
  - On a host that boxlift has provisioned only the ports are looked at; the rest is the roles' own by then.
author: The boxlift authors
options:
  parts:
    description: What is to stand on the host.
    type: list
    elements: str
    choices: [portal, web, php, database, cache, mail, firewall]
    default: []
  listeners:
    description: Units that are to listen, and their ports.
    type: list
    elements: dict
    default: []
    suboptions:
      units:
        description: Names of units, with C(*) for any text.
        type: list
        elements: str
        required: true
      ports:
        description: TCP ports.
        type: list
        elements: int
        required: true
  folder:
    description: The portal's folder.
    type: path
    default: /srv/portal
  own:
    description: Folder of boxlift's settings; a host that has it was provisioned by boxlift.
    type: path
    default: /etc/boxlift
  refuse:
    description: Fail where something collides, with boxlift's exit code for a refused pre-flight check.
    type: bool
    default: true
"""

EXAMPLES = """
- name: Nothing else lives here
  host_collisions:
    parts: [web]
    listeners: [{units: [nginx.service], ports: [80, 443]}]
"""

RETURN = """
collisions:
  description: What is in the way (C(found)), and what to do about it (C(cure)).
  returned: always
  type: list
  elements: dict
"""

PREFLIGHT = 3
OURS = "Ansible managed"
DATA = Path("var/lib/mysql")
# The server's own, and what boxlift makes.
DATABASES = re.compile(r"mysql|sys|performance_schema|test|boxlift|portal_\w+|[#.].*|lost\+found")
FOLDERS = frozenset({"releases", "restores", "current"})
SERVERS = ("apache2", "lighttpd", "caddy", "haproxy", "varnish")
DATABASE_PACKAGES = (
    "mysql-server*",
    "mysql-community-server*",
    "percona-server-server*",
    "default-mysql-server",
)
MAIL_PACKAGES = ("exim4-daemon*", "sendmail-bin", "opensmtpd", "courier-mta", "qmail*", "nullmailer")
# Settings that make a Postfix somebody's: its package writes none of them.
MAIL_SETTINGS = re.compile(
    r"^(relayhost[ \t]*=[ \t]*\S"
    r"|(?:virtual_\w+|transport_maps|relay_domains|content_filter|smtpd_milters)[ \t]*=)",
    re.MULTILINE,
)
# What a Redis without a key writes when it is stopped is smaller.
EMPTY_REDIS_BYTES = 256
Run = Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class Collision:
    """Something in the way, and what an operator does about it."""

    found: str
    cure: str


@dataclass(frozen=True)
class Listener:
    """A listening socket: its port, and who holds it."""

    port: int
    program: str
    unit: str


@dataclass(frozen=True)
class Host:
    """The host. `run` gives a command's output, nothing where the command fails or is not there."""

    root: Path
    run: Run

    def text(self, path: str | Path) -> str:
        """Content of a file, nothing where there is none."""
        file = self.root / path
        return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""

    def entries(self, path: str | Path) -> list[str]:
        folder = self.root / path
        return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []

    def as_packaged(self, path: str) -> bool:
        """Whether a configuration file is the one that its package brought."""
        file = self.root / path
        if not file.is_file():
            return True
        package = self.run(["dpkg-query", "--search", f"/{path}"]).partition(":")[0]
        listed = (
            self.run(["dpkg-query", "--show", "--showformat", "${Conffiles}", package]) if package else ""
        )
        digest = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
        return any(line.split()[:2] == [f"/{path}", digest] for line in listed.splitlines())

    def installed(self, patterns: Sequence[str]) -> list[str]:
        """Installed packages of these names."""
        told = self.run(
            ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n", *patterns]
        )
        return sorted(line.split()[1] for line in told.splitlines() if line.startswith("installed "))

    def starts(self, unit: str) -> bool:
        """Whether a unit starts at boot."""
        return (self.root / f"etc/systemd/system/multi-user.target.wants/{unit}.service").is_symlink()


def listeners(sockets: str, unit_of: Callable[[int], str]) -> list[Listener]:
    """Sockets in the output of `ss -H -l -n -t -p`, each port and program once."""
    found = []
    for line in sockets.splitlines():
        words = line.split()
        port = words[3].rpartition(":")[2]
        for program, process in re.findall(r'\("([^"]+)",pid=(\d+)', line) or [
            ("a process of the kernel", "0")
        ]:
            listener = Listener(int(port), program, unit_of(int(process)) if process != "0" else "")
            if listener not in found:
                found.append(listener)
    return found


def unit_in(control_groups: str) -> str:
    """The innermost unit in the text of /proc/PID/cgroup."""
    names = re.findall(r"([^/\n]+\.(?:service|scope|socket))(?:/|$)", control_groups, re.MULTILINE)
    return str(names[-1]) if names else ""


def taken_ports(found: Sequence[Listener], wanted: Sequence[Mapping[str, Any]]) -> Iterator[Collision]:
    """Ports of the portal that others hold."""
    for rule in wanted:
        for listener in found:
            own = any(fnmatch(listener.unit, unit) for unit in rule["units"])
            if listener.port in rule["ports"] and not own:
                unit = f" ({listener.unit})" if listener.unit else ""
                yield Collision(
                    f"port {listener.port} is taken by {listener.program}{unit}",
                    "stop and disable it, or choose a fresh host",
                )


def web(host: Host) -> Iterator[Collision]:
    """Sites of another's: the portal's becomes the default one, and the distribution's page is removed."""
    places = [("etc/nginx/conf.d", {"portal.conf"}), ("etc/nginx/sites-enabled", set())]
    for folder, own in places:
        for name in host.entries(folder):
            if name in own or not (name.endswith(".conf") or folder.endswith("enabled")):
                continue
            if name == "default" and host.as_packaged("etc/nginx/sites-available/default"):
                continue
            roots = re.findall(
                r"^\s*(?:root|proxy_pass)\s+([^;\s]+);", host.text(f"{folder}/{name}"), re.MULTILINE
            )
            serves = f", which serves {', '.join(dict.fromkeys(roots))}" if roots else ""
            yield Collision(
                f"nginx has a site of its own in /{folder}/{name}{serves}",
                "move that site to another host; the portal's host serves the portal alone",
            )
    for unit in SERVERS:
        if host.starts(unit):
            yield Collision(
                f"{unit} starts at boot", f"systemctl disable --now {unit}, or choose a fresh host"
            )


def php(host: Host) -> Iterator[Collision]:
    """The role removes the distribution's pool."""
    for version in host.entries("etc/php"):
        pool = f"etc/php/{version}/fpm/pool.d/www.conf"
        if not host.as_packaged(pool):
            yield Collision(
                f"/{pool} was changed by somebody and would be removed", "move what uses this pool away"
            )


def database(host: Host) -> Iterator[Collision]:
    """Another server, another folder, databases of others."""
    for package in host.installed(DATABASE_PACKAGES):
        yield Collision(
            f"{package} is installed, and MariaDB's package would replace it",
            "take its databases away and remove it, or name it as a server that is not provisioned",
        )
    defaults = host.run(["mariadbd", "--print-defaults"])
    folder = next(reversed(re.findall(r"--datadir=(\S+)", defaults)), f"/{DATA}").rstrip("/")
    if folder != f"/{DATA}":
        yield Collision(f"MariaDB keeps its data in {folder}, not in /{DATA}", "choose a fresh host")
    data = Path(folder.lstrip("/"))
    foreign = [
        name
        for name in host.entries(data)
        if (host.root / data / name).is_dir() and not DATABASES.fullmatch(name)
    ]
    if foreign:
        yield Collision(
            f"MariaDB holds databases of others: {', '.join(foreign)}",
            "take them away; the role changes server-wide settings such as sql_mode and collation",
        )


def cache(host: Host) -> Iterator[Collision]:
    """The role switches the distribution's own instance off."""
    for name in ("dump.rdb", "appendonlydir"):
        path = host.root / "var/lib/redis" / name
        if path.is_dir() or (path.is_file() and path.stat().st_size > EMPTY_REDIS_BYTES):
            yield Collision(
                f"Redis keeps data of others in /var/lib/redis/{name}, and would be switched off",
                "move what uses it to another host",
            )


def mail(host: Host) -> Iterator[Collision]:
    """Another mail server, or a Postfix that somebody has set up."""
    for package in host.installed(MAIL_PACKAGES):
        yield Collision(f"{package} is installed, and Postfix would replace it", f"apt-get purge {package}")
    settings = host.text("etc/postfix/main.cf")
    if OURS not in settings and (own := MAIL_SETTINGS.findall(settings)):
        names = dict.fromkeys(re.split(r"[ \t]*=", setting)[0] for setting in own)
        yield Collision(
            f"/etc/postfix/main.cf is set up for others ({', '.join(names)}) and would be replaced",
            "move its mail to another host",
        )


def firewall(host: Host) -> Iterator[Collision]:
    """Rules of another's."""
    rules = host.text("etc/nftables.conf")
    if OURS not in rules and not host.as_packaged("etc/nftables.conf"):
        yield Collision(
            "/etc/nftables.conf holds rules of others, which would be replaced",
            "put the rules that must stay into firewall_input_allow, and the file aside",
        )
    if re.search(r"^ENABLED=yes", host.text("etc/ufw/ufw.conf"), re.MULTILINE):
        yield Collision("ufw is on", "ufw disable; the rules that must stay go into firewall_input_allow")
    if host.starts("firewalld"):
        yield Collision("firewalld starts at boot", "systemctl disable --now firewalld")


def portal(host: Host, folder: Path) -> Iterator[Collision]:
    """Files of others in the portal's folder."""
    place = Path(str(folder).lstrip("/"))
    foreign = [name for name in host.entries(place) if name not in FOLDERS and not name.startswith(".")]
    if foreign:
        yield Collision(f"{folder} holds files of others: {', '.join(foreign[:5])}", "move them away")


def collisions(host: Host, parts: Sequence[str], folder: Path) -> Iterator[Collision]:
    """All that is in the way of the parts."""
    checks: dict[str, Callable[[Host], Iterator[Collision]]] = {
        "web": web,
        "php": php,
        "database": database,
        "cache": cache,
        "mail": mail,
        "firewall": firewall,
        "portal": lambda host: portal(host, folder),
    }
    for part, check in checks.items():
        if part in parts:
            yield from check(host)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "parts": {
                "type": "list",
                "elements": "str",
                "choices": ["portal", "web", "php", "database", "cache", "mail", "firewall"],
                "default": [],
            },
            "listeners": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "units": {"type": "list", "elements": "str", "required": True},
                    "ports": {"type": "list", "elements": "int", "required": True},
                },
            },
            "folder": {"type": "path", "default": "/srv/portal"},
            "own": {"type": "path", "default": "/etc/boxlift"},
            "refuse": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    params: dict[str, Any] = module.params

    def run(words: Sequence[str]) -> str:
        if module.get_bin_path(words[0]) is None:
            return ""
        # dpkg-query fails where one of several names is unknown, and still tells the others.
        _, out, _ = module.run_command([module.get_bin_path(words[0]), *words[1:]])
        return str(out)

    host = Host(Path("/"), run)
    _, sockets, _ = module.run_command(
        [module.get_bin_path("ss", required=True), "-H", "-l", "-n", "-t", "-p"], check_rc=True
    )
    found = list(
        taken_ports(
            listeners(sockets, lambda process: unit_in(host.text(f"proc/{process}/cgroup"))),
            params["listeners"],
        )
    )
    if not Path(params["own"]).is_dir():
        found += collisions(host, params["parts"], Path(params["folder"]))
    told = [asdict(collision) for collision in found]
    if found and params["refuse"]:
        lines = [f"{collision.found}; {collision.cure}" for collision in found]
        module.fail_json(
            msg="\n".join(
                ["this host already runs something that collides, and nothing was changed:", *lines]
            ),
            collisions=told,
            boxlift_exit=PREFLIGHT,
        )
    module.exit_json(changed=False, collisions=told)


if __name__ == "__main__":
    main()
