"""A MariaDB server for the bench alone: private data, a socket, settings that are the same for both sides."""

from __future__ import annotations

import contextlib
import getpass
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pymysql

from bench.program import BenchError, measure, program, settle, stop

DATABASE = "bench"
SETTINGS = (
    "--innodb-buffer-pool-size=1G",
    "--innodb-log-file-size=256M",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=O_DIRECT",
    "--transaction-isolation=READ-COMMITTED",
    "--max-allowed-packet=64M",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_unicode_ci",
    "--skip-log-bin",
)
"""What the role `database` sets up on a portal's host, as far as a load depends on it."""
_START_SECONDS = 60.0
_STOP_SECONDS = 120.0
_QUIET_SECONDS = 10.0


class Database:
    """The server. To be used as a context; its data are gone after it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "tmp").mkdir()
        self._folder = folder
        # a socket's path has at most 107 bytes, whatever folder the bench works in
        self._short = tempfile.TemporaryDirectory(prefix="bench-")
        self._socket = Path(self._short.name) / "server.sock"
        self.defaults_file = folder / "client.cnf"
        measure(
            [
                program("mariadb-install-db"),
                "--no-defaults",
                f"--user={getpass.getuser()}",
                f"--datadir={folder / 'data'}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
            ]
        )
        self.defaults_file.write_text(f"[client]\nuser = root\nsocket = {self._socket}\n")
        self.defaults_file.chmod(0o600)

    def __enter__(self) -> Database:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop(self._process)
        self._short.cleanup()

    def restart(self) -> None:
        """Stop in order, which writes all changes to the data files, and start again."""
        self.value("SHUTDOWN")
        self._process.wait(_STOP_SECONDS)
        self._start()

    def _start(self) -> None:
        with (self._folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program("mariadbd"),
                    "--no-defaults",
                    f"--user={getpass.getuser()}",
                    f"--datadir={self._folder / 'data'}",
                    f"--socket={self._socket}",
                    f"--pid-file={self._folder / 'server.pid'}",
                    f"--tmpdir={self._folder / 'tmp'}",
                    "--skip-networking",
                    *SETTINGS,
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self._folder / "server.log").read_text(errors="replace")
                raise BenchError(f"mariadbd does not start: {said[-1000:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            self.value("SELECT 1")
        except pymysql.MySQLError:
            return False
        return True

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

    @contextlib.contextmanager
    def pinned(self, processor: int) -> Iterator[None]:
        """All threads that the server has, and those that they start, run on one processor meanwhile."""
        before = os.sched_getaffinity(self._process.pid)
        self._pin({processor})
        try:
            yield
        finally:
            self._pin(before)

    def _pin(self, processors: set[int]) -> None:
        for thread in Path(f"/proc/{self._process.pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), processors)

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
