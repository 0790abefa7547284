"""A MariaDB server for the bench alone: private data, a socket, settings that are the same for both sides."""

from __future__ import annotations

import getpass
import subprocess
import time
from pathlib import Path
from types import TracebackType

import pymysql

from bench.program import BenchError, program, settle, stop

DATABASE = "bench"
SETTINGS = (
    "--innodb-buffer-pool-size=1G",
    "--innodb-log-file-size=512M",
    "--innodb-flush-log-at-trx-commit=1",
    "--max-allowed-packet=64M",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_unicode_ci",
    "--skip-log-bin",
)
"""All else is as the server has it by itself: doublewrite on, every commit on the disk."""
_START_SECONDS = 60.0
_QUIET_SECONDS = 10.0


class Database:
    """The server. To be used as a context; its data are gone after it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "tmp").mkdir()
        self._folder = folder
        self._socket = folder / "server.sock"
        self.defaults_file = folder / "client.cnf"
        data = folder / "data"
        installed = subprocess.run(
            [
                program("mariadb-install-db"),
                "--no-defaults",
                f"--user={getpass.getuser()}",
                f"--datadir={data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if installed.returncode:
            raise BenchError(f"mariadb-install-db: {installed.stderr.strip() or installed.stdout[-500:]}")
        self.defaults_file.write_text(f"[client]\nuser = root\nsocket = {self._socket}\n")
        self.defaults_file.chmod(0o600)
        with (folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program("mariadbd"),
                    "--no-defaults",
                    f"--user={getpass.getuser()}",
                    f"--datadir={data}",
                    f"--socket={self._socket}",
                    f"--pid-file={folder / 'server.pid'}",
                    f"--tmpdir={folder / 'tmp'}",
                    "--skip-networking",
                    *SETTINGS,
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Database:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.value("SELECT VERSION()")
            except pymysql.MySQLError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = (self._folder / "server.log").read_text(errors="replace")
                    stop(self._process)
                    raise BenchError(f"mariadbd does not start: {log[-1000:]}") from error
                time.sleep(0.1)
            else:
                return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop(self._process)

    def value(self, sql: str, *values: str) -> str:
        """The last column of the first row of an answer; empty if there is none."""
        connection = pymysql.connect(user="root", unix_socket=str(self._socket), autocommit=True)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, values or None)
                row = cursor.fetchone()
                return str(row[-1]) if row else ""
        finally:
            connection.close()

    def fresh(self, *, made: bool) -> None:
        """Remove what an earlier run has loaded and let the server come to rest.

        :param made: leave an empty database, for those who cannot make it.
        """
        self.value(f"DROP DATABASE IF EXISTS {DATABASE}")
        if made:
            self.value(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        deadline = time.monotonic() + _QUIET_SECONDS
        while time.monotonic() < deadline and int(
            self.value("SHOW STATUS LIKE 'Innodb_history_list_length'")
        ):
            time.sleep(0.1)
        settle(self._folder)

    def tables(self) -> int:
        """How many tables the database holds."""
        count = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s"
        return int(self.value(count, DATABASE))
