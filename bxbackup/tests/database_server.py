"""Database servers: a MariaDB of the tests' own with private data and a socket, or one that stands."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import pymysql
from programs import program

from bxbackup.server import Session, read_account

Row = tuple[Any, ...]


class AskedServer(ABC):
    """A server that tests ask what it has.

    :param defaults_file: of an account that may do all.
    :param unused: what it shows as the next value of a counter that never counted.
    """

    defaults_file: Path
    unused: int | None = 1

    @abstractmethod
    def rows(self, sql: str, database: str | None = None) -> list[Row]:
        """Ask."""

    def globals(self) -> dict[str, str]:
        """The server's settings."""
        return {str(name): str(value) for name, value in self.rows("SHOW GLOBAL VARIABLES")}

    def tables(self, database: str) -> set[str]:
        """Names of the tables and views in a database."""
        return {
            str(name)
            for (name,) in self.rows(
                f"SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{database}'"
            )
        }

    def digest(self, database: str, table: str, order: str | None) -> str:
        """MD5 of a table's rows, in the way of the samples' manifests."""
        query = f"SET time_zone='+00:00'; SELECT * FROM `{table}`" + (f" ORDER BY {order}" if order else "")
        done = subprocess.run(
            [
                "mariadb",
                f"--defaults-file={self.defaults_file}",
                "--default-character-set=utf8mb4",
                "-N",
                "-B",
                database,
                "-e",
                query,
            ],
            check=True,
            capture_output=True,
        )
        return hashlib.md5(done.stdout, usedforsecurity=False).hexdigest()

    def wrong_tables(self, database: str, manifest: dict[str, Any]) -> dict[str, str]:
        """Tables that differ from a sample's manifest, and in what."""
        counters: dict[str, int | None] = dict(
            self.rows(
                "SELECT TABLE_NAME, AUTO_INCREMENT FROM information_schema.TABLES"
                f" WHERE TABLE_SCHEMA = '{database}'"
            )
        )
        wrong: dict[str, str] = {}
        for name, table in manifest["tables"].items():
            expected = table["after_import"]
            if name not in counters:
                wrong[name] = "missing"
            elif self.digest(database, name, expected["order_by"]) != expected["tsv_md5"]:
                wrong[name] = "rows"
            elif counters[name] != expected["auto_increment"] and (
                counters[name] != self.unused or expected["auto_increment"] != 1
            ):
                wrong[name] = f"AUTO_INCREMENT {counters[name]}"
        return wrong | dict.fromkeys(set(counters) - set(manifest["tables"]), "not in the manifest")


class StandingServer(AskedServer):
    """A MySQL server that somebody else has started."""

    unused = None

    def __init__(self, defaults_file: Path) -> None:
        self.defaults_file = defaults_file

    def rows(self, sql: str, database: str | None = None) -> list[Row]:
        """Ask with the account of the option file."""
        with contextlib.closing(Session(read_account(self.defaults_file), database=database)) as session:
            with contextlib.suppress(pymysql.MySQLError):  # MySQL 8 shows AUTO_INCREMENT as of yesterday
                session.run("SET SESSION information_schema_stats_expiry = 0")
            return session.rows(sql)


class DatabaseServer(AskedServer):
    """Starts, kills and asks a server whose data are in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "server.sock"
        self.defaults_file = folder / "client.cnf"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)
        (folder / "tmp").mkdir()
        self._program = program("mariadbd", "mariadb-server-core")
        subprocess.run(
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--user={getpass.getuser()}",
                f"--datadir={folder / 'data'}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
            ],
            check=True,
            capture_output=True,
            # a server that starts removes all temporary tables from its folder, other servers' too
            env={**os.environ, "TMPDIR": str(folder / "tmp")},
        )
        self.defaults_file.write_text(f"[client]\nuser = root\nsocket = {self.socket}\n")
        self.defaults_file.chmod(0o600)

    def start(self, *options: str) -> None:
        """Start and wait until it answers."""
        log = (self.folder / "server.log").open("ab")
        self._process = subprocess.Popen(
            [
                self._program,
                "--no-defaults",
                f"--user={getpass.getuser()}",
                f"--datadir={self.folder / 'data'}",
                f"--socket={self.socket}",
                f"--pid-file={self.folder / 'server.pid'}",
                f"--tmpdir={self.folder / 'tmp'}",
                "--skip-networking",
                "--innodb-buffer-pool-size=64M",
                "--innodb-log-file-size=32M",
                *options,
            ],
            stdout=log,
            stderr=log,
        )
        log.close()
        deadline = time.monotonic() + 60
        while True:
            try:
                self.rows("SELECT 1")
            except pymysql.MySQLError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "server.log").read_text()[-4000:]) from None
                time.sleep(0.05)
            else:
                return

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop it, or kill it with SIGKILL; returns when it is gone."""
        if self._process is not None:
            os.kill(self._process.pid, number)
            self._process.wait()
            self._process = None

    def rows(self, sql: str, database: str | None = None) -> list[Row]:
        """Ask as root."""
        connection = pymysql.connect(
            user="root", unix_socket=str(self.socket), database=database, charset="utf8mb4", autocommit=True
        )
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        finally:
            connection.close()
