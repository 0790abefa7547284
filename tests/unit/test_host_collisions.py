"""What lives on a host already is told by file and program; what packages and our own roles leave is not."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from library.host_collisions import Host, collisions, listeners, taken_ports, unit_in

PARTS = ["portal", "web", "php", "database", "cache", "mail", "firewall"]
FOLDER = Path("/srv/portal")
POSTFIX = "smtpd_banner = $myhostname\nrelayhost = \nmydestination = $myhostname, localhost\n"
SOCKETS = """\
LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("apache2",pid=12,fd=4),("apache2",pid=11,fd=4))
LISTEN 0 511 [::]:80 [::]:* users:(("apache2",pid=11,fd=6))
LISTEN 0 511 *:443 *:* users:(("nginx",pid=20,fd=6))
LISTEN 0 128 127.0.0.1:3306 0.0.0.0:*
"""
UNITS = {11: "apache2.service", 12: "apache2.service", 20: "nginx.service"}


class Packages:
    """Answers for dpkg-query and mariadbd."""

    def __init__(self) -> None:
        self.conffiles: dict[str, str] = {}
        self.installed: list[str] = []
        self.defaults = "mariadbd would have been started with the following arguments:\n--port=3306"

    def __call__(self, words: Sequence[str]) -> str:
        if words[0] == "mariadbd":
            return self.defaults
        if "--search" in words:
            return f"some-package: {words[-1]}\n"
        if "${Conffiles}" in words:
            return "\n".join(f" {path} {digest}" for path, digest in self.conffiles.items())
        return "".join(f"installed {name}\n" for name in self.installed)


@pytest.fixture
def packages() -> Packages:
    return Packages()


@pytest.fixture
def host(tmp_path: Path, packages: Packages) -> Host:
    return Host(tmp_path, packages)


def put(host: Host, path: str, text: str, packages: Packages | None = None) -> None:
    file = host.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    if packages:
        packages.conffiles[f"/{path}"] = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def found(host: Host) -> list[str]:
    return [collision.found for collision in collisions(host, PARTS, FOLDER)]


def test_a_bare_host_is_free(host: Host) -> None:
    assert found(host) == []


def test_what_packages_leave_is_nobodys(host: Host, packages: Packages) -> None:
    """A run that was killed between a package and its configuration goes on."""
    put(host, "etc/nginx/sites-available/default", "server { root /var/www/html; }", packages)
    enabled = host.root / "etc/nginx/sites-enabled"
    enabled.mkdir()
    (enabled / "default").symlink_to("../sites-available/default")
    put(host, "etc/php/8.2/fpm/pool.d/www.conf", "[www]", packages)
    put(host, "etc/nftables.conf", "flush ruleset", packages)
    put(host, "etc/postfix/main.cf", POSTFIX)
    put(host, "var/lib/redis/dump.rdb", "REDIS0011")
    for name in ("mysql", "sys", "performance_schema", "boxlift", "portal_final_1", "#rocksdb"):
        (host.root / "var/lib/mysql" / name).mkdir(parents=True)
    assert found(host) == []


def test_what_the_roles_leave_is_ours(host: Host) -> None:
    put(host, "etc/nginx/conf.d/portal.conf", "server { root /srv/portal/current; }")
    put(host, "etc/nftables.conf", "# Ansible managed\n")
    put(host, "etc/postfix/main.cf", "# Ansible managed\nrelayhost = [mail.example.com]:25\n")
    (host.root / "srv/portal/releases").mkdir(parents=True)
    assert found(host) == []


def test_everything_in_the_way_is_told_at_once(host: Host, packages: Packages) -> None:
    put(host, "etc/nginx/conf.d/shop.conf", "server {\n  root /var/www/shop;\n}\n")
    put(host, "etc/nginx/sites-available/default", "server {\n  proxy_pass http://app;\n}\n")
    put(host, "etc/nginx/sites-enabled/default", "server {\n  proxy_pass http://app;\n}\n")
    put(host, "etc/php/8.2/fpm/pool.d/www.conf", "[shop]")
    put(host, "etc/nftables.conf", "table inet shop {}")
    put(host, "etc/ufw/ufw.conf", "ENABLED=yes\n")
    put(host, "etc/postfix/main.cf", POSTFIX + "virtual_alias_maps = hash:/etc/x\n")
    put(host, "var/lib/redis/dump.rdb", "x" * 1000)
    put(host, "srv/portal/index.html", "")
    put(host, "var/data/shop/t.ibd", "")
    wants = host.root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    for unit in ("apache2", "firewalld"):
        (wants / f"{unit}.service").symlink_to(f"/lib/systemd/system/{unit}.service")
    packages.installed = ["exim4-daemon-light"]
    packages.defaults += " --datadir=/var/data/"
    told = found(host)
    for words in (
        "/etc/nginx/conf.d/shop.conf, which serves /var/www/shop",
        "/etc/nginx/sites-enabled/default, which serves http://app",
        "apache2 starts at boot",
        "/etc/php/8.2/fpm/pool.d/www.conf was changed",
        "exim4-daemon-light is installed, and Postfix",
        "data in /var/data, not in /var/lib/mysql",
        "databases of others: shop",
        "/var/lib/redis/dump.rdb",
        "set up for others (virtual_alias_maps)",
        "/etc/nftables.conf holds rules of others",
        "ufw is on",
        "firewalld starts at boot",
        "/srv/portal holds files of others: index.html",
    ):
        assert sum(words in line for line in told) == 1, words


def test_only_the_parts_of_the_host_are_looked_at(host: Host) -> None:
    put(host, "etc/nginx/conf.d/shop.conf", "server {}")
    assert list(collisions(host, ["database", "firewall"], FOLDER)) == []


def test_ports_are_told_with_who_holds_them() -> None:
    wanted = [
        {"units": ["nginx.service"], "ports": [80, 443]},
        {"units": ["mariadb.service"], "ports": [3306]},
    ]
    told = taken_ports(listeners(SOCKETS, lambda process: UNITS[process]), wanted)
    assert [collision.found for collision in told] == [
        "port 80 is taken by apache2 (apache2.service)",
        "port 3306 is taken by a process of the kernel",
    ]


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/nginx.service\n", "nginx.service"),
        ("12:pids:/a.slice\n1:name=systemd:/a.slice/redis-server@a.service\n", "redis-server@a.service"),
        ("0::/user.slice/user-0.slice/session-3.scope\n", "session-3.scope"),
        ("0::/\n", ""),
    ],
)  # fmt: skip
def test_the_unit_of_a_process(text: str, unit: str) -> None:
    assert unit_in(text) == unit
