"""A stand-in portal served on loopback, with its own database, mailbox and PHP."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pymysql
from programs import lacking, program

from lab.artifacts import build_portal

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SAMPLE = REPOSITORY / "bxbackup" / "tests" / "data" / "M1"
PASSWORD = "portal-of-the-tests"

# What nginx does for the product: files as they are, folders with their index, all else to urlrewrite.php.
ROUTER = """<?php
$path = $_SERVER['DOCUMENT_ROOT'] . rawurldecode(parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));
if (is_file($path)) { return false; }
if (is_file($path . '/index.php')) { require $path . '/index.php'; return true; }
require $_SERVER['DOCUMENT_ROOT'] . '/bitrix/urlrewrite.php';
"""

SENDMAIL = """#!/bin/sh
cat > "$(mktemp "$1/letter.XXXXXXXX")"
"""

AFTER_CONNECT = """<?php
$this->queryExecute("SET NAMES 'utf8mb4' COLLATE 'utf8mb4_uca1400_nopad_ai_ci'");
$this->queryExecute("SET SESSION sql_mode=''");
"""

BOOTSTRAP = """<?php
$_SERVER['DOCUMENT_ROOT'] = '@ROOT@';
define('NO_AGENT_CHECK', true);
require '@ROOT@/bitrix/modules/main/include/prolog_before.php';
"""


@dataclass(frozen=True)
class Answer:
    """One answer of the site."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def facts(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.text)
        return loaded


class Visitor:
    """A browser: keeps cookies, follows no redirect, asks for JSON."""

    def __init__(self, port: int, host: str = "portal.acme.example") -> None:
        self._port = port
        self._host = host
        self._cookies: SimpleCookie = SimpleCookie()

    def get(self, path: str, *, accept: str = "application/json", **query: str) -> Answer:
        target = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        return self._send("GET", target, accept, None, {})

    def post(self, path: str, *, accept: str = "application/json", **fields: str) -> Answer:
        body = urllib.parse.urlencode(fields).encode()
        return self._send("POST", path, accept, body, {"Content-Type": "application/x-www-form-urlencoded"})

    def upload(self, path: str, name: str, data: bytes, **fields: str) -> Answer:
        edge = "edge-of-a-part"
        parts = [
            f'--{edge}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in fields.items()
        ]
        head = f'--{edge}\r\nContent-Disposition: form-data; name="FILE"; filename="{name}"\r\n\r\n'
        body = b"".join([*parts, head.encode(), data, f"\r\n--{edge}--\r\n".encode()])
        kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
        return self._send("POST", path, "application/json", body, kind)

    def sign_in(self, login: str, password: str) -> Answer:
        return self.post("/auth/", AUTH_FORM="Y", TYPE="AUTH", USER_LOGIN=login, USER_PASSWORD=password)

    def _send(
        self, method: str, target: str, accept: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        cookie = "; ".join(f"{name}={item.value}" for name, item in self._cookies.items())
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            connection.request(
                method,
                target,
                body,
                {"Host": self._host, "Accept": accept, **({"Cookie": cookie} if cookie else {}), **headers},
            )
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            self._cookies.load(line)
        return Answer(answer.status, {key.lower(): value for key, value in answer.headers.items()}, text)


@dataclass
class Site:
    """Document root, database and mailbox of one portal."""

    home: Path
    database: str
    mariadb: Path
    port: int = 0
    ini: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.home / "root"

    def place(self, base: Path, release: str) -> None:
        """Move the document root to where a host keeps its releases; `root` leads there."""
        releases = base / "releases"
        releases.mkdir(parents=True, exist_ok=True)
        self.root.rename(releases / release)
        self.root.symlink_to(releases / release)

    def visitor(self, host: str = "portal.acme.example") -> Visitor:
        return Visitor(self.port, host)

    def letters(self) -> list[EmailMessage]:
        """What left through mail(), oldest first."""
        paths = sorted((self.home / "mail").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        found = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]
        return [letter for letter in found if isinstance(letter, EmailMessage)]

    def forget_letters(self) -> None:
        for path in (self.home / "mail").iterdir():
            path.unlink()

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement past the portal's own code."""
        connection = pymysql.connect(
            unix_socket=str(self.mariadb), user="root", database=self.database, autocommit=True
        )
        with connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION sql_mode=''")
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def php(self, code: str) -> str:
        """Run statements under the portal's bootstrap and return what they print."""
        script = BOOTSTRAP.replace("@ROOT@", str(self.root)) + code
        done = subprocess.run(
            [*self.command(), "-d", "display_errors=stderr"],
            input=script,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)
        return done.stdout

    def cron(self) -> None:
        """What cron does each minute."""
        path = self.root / "bitrix/modules/main/tools/cron_events.php"
        subprocess.run([*self.command(), "-f", str(path)], check=True, capture_output=True)

    def give_password(self, login: str, password: str) -> None:
        """Make user 1 a local account that can sign in."""
        fields = f"['EXTERNAL_AUTH_ID' => '', 'LOGIN' => '{login}', 'PASSWORD' => '{password}']"
        self.php(f"$u = new CUser; $u->Update(1, {fields});")

    def purge(self) -> None:
        """Empty the managed cache where it lies in files."""
        shutil.rmtree(self.root / "bitrix/managed_cache", ignore_errors=True)

    def option(self, module: str, name: str, value: str) -> None:
        self.php(f"\\Bitrix\\Main\\Config\\Option::set('{module}', '{name}', '{value}');")

    def settings(self, **extra: object) -> None:
        """Write .settings.php, and the given sections to .settings_extra.php."""
        connection = {
            "className": "\\Bitrix\\Main\\DB\\MysqliConnection",
            "host": f"localhost:{self.mariadb}",
            "database": self.database,
            "login": "portal",
            "password": PASSWORD,
            "options": 2,
        }
        sections = {
            "connections": {"value": {"default": connection}, "readonly": True},
            "crypto": {"value": {"crypto_key": "0" * 32}, "readonly": True},
        }
        self._array(".settings.php", sections)
        self._array(".settings_extra.php", {name: {"value": value} for name, value in extra.items()})

    def _array(self, name: str, value: object) -> None:
        text = json.dumps(value).replace("\\", "\\\\").replace("'", "\\'")
        (self.root / "bitrix" / name).write_text(f"<?php\nreturn json_decode('{text}', true);\n")

    def dbconn(self, *lines: str) -> None:
        folder = self.root / "bitrix/php_interface"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "dbconn.php").write_text("<?php\n" + "\n".join(lines) + "\n")

    def command(self) -> list[str]:
        values = {
            "date.timezone": "Europe/Riga",
            "short_open_tag": "1",
            # It would look at a changed file two seconds later.
            "opcache.enable": "0",
            "log_errors": "1",
            "error_log": str(self.home / "php.log"),
            "sendmail_path": f"{self.home / 'sendmail'} {self.home / 'mail'}",
            **self.ini,
        }
        return [php(), *(part for name, value in values.items() for part in ("-d", f"{name}={value}"))]

    @contextmanager
    def served(self) -> Iterator[Site]:
        """Serve the document root while the block runs."""
        self.port = free_port()
        process = subprocess.Popen(
            [
                *self.command(),
                "-S",
                f"127.0.0.1:{self.port}",
                "-t",
                str(self.root),
                str(self.home / "router.php"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PHP_CLI_SERVER_WORKERS": "2"},
            process_group=0,
        )
        try:
            wait_for_port(self.port)
            yield self
        finally:
            os.killpg(process.pid, 15)
            process.wait(10)


def php() -> str:
    """The PHP command, where the extensions are there that the product's installer asks for."""
    found = program("php", "php-cli php-mysql php-mbstring")
    loaded = subprocess.run([found, "-m"], check=True, capture_output=True, text=True).stdout.split()
    if missing := {"mysqli", "mbstring"} - set(loaded):
        lacking(f"php lacks {', '.join(sorted(missing))} (apt-get install php-mysql php-mbstring)")
    return found


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


def make_site(home: Path, mariadb: Path, database: str) -> Site:
    """An unpacked distribution with an empty database, configured for the wizard's short path."""
    php()
    site = Site(home, database, mariadb)
    (home / "mail").mkdir(parents=True)
    (home / "router.php").write_text(ROUTER)
    (home / "sendmail").write_text(SENDMAIL)
    (home / "sendmail").chmod(0o755)
    site.root.mkdir()
    unpack(build_portal(home / "portal.tar.gz").read_bytes(), "--gzip", site.root)
    connection = pymysql.connect(unix_socket=str(mariadb), user="root", autocommit=True)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {database}")
        cursor.execute(
            f"CREATE DATABASE {database} CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_ai_ci"
        )
        cursor.execute(f"CREATE USER IF NOT EXISTS portal@localhost IDENTIFIED BY '{PASSWORD}'")
        cursor.execute(f"GRANT ALL ON {database}.* TO portal@localhost")
        cursor.execute("SET GLOBAL innodb_strict_mode=OFF")
    site.settings()
    site.dbconn("define('SHORT_INSTALL', true);", "define('VM_INSTALL', true);")
    (site.root / "bitrix/php_interface/after_connect_d7.php").write_text(AFTER_CONNECT)
    return site


def unpack(archive: bytes, option: str, folder: Path) -> None:
    subprocess.run(
        ["tar", "--extract", "--file=-", option, f"--directory={folder}"], input=archive, check=True
    )


def restored_site(home: Path, mariadb: Path, database: str, *constants: str) -> Site:
    """A release filled from the sample; `constants`: PHP statements for its dbconn.php."""
    site = make_site(home, mariadb, database)
    restore_sample(site)
    site.dbconn(*constants)
    return site


def restore_sample(site: Site) -> None:
    """Put the sample backup's files over the site, as a restore does, and load its dump."""
    connect = site.root / "bitrix/php_interface/after_connect_d7.php"
    after_connect = connect.read_text()
    names = [part["name"] for part in json.loads((SAMPLE / "manifest.json").read_text())["parts"]]
    packed = b"".join(gzip.decompress((SAMPLE / name).read_bytes()) for name in names)
    unpack(packed, "--exclude=bitrix/.settings.php", site.root)
    backup = site.root / "bitrix/backup"
    dump = next(path for path in backup.glob("*.sql") if "_after_connect" not in path.name).read_bytes()
    shutil.rmtree(backup)
    connect.write_text(after_connect)
    prelude = b"SET sql_mode=''; SET FOREIGN_KEY_CHECKS=0; SET time_zone='+00:00';\n"
    subprocess.run(
        [
            "mariadb",
            f"--socket={site.mariadb}",
            "--user=root",
            "--default-character-set=utf8mb4",
            site.database,
        ],
        input=prelude + dump,
        check=True,
        capture_output=True,
    )
