"""A database server for the time of a proof: a process of this run, with a socket and no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql

from boxlift_reader import hot, source, sql
from boxlift_reader.fault import DatabaseError, InterruptedPullError, disk_full
from boxlift_reader.stream import flow

from .order import Order

_START_SECONDS = 900.0
_STOP_SECONDS = 300.0
_LAST_WORDS = 2000
# Nothing of the backup's runs in it by itself, and nobody but root reaches it.
_SETTINGS = (
    "--skip-networking",
    "--skip-grant-tables",
    "--event-scheduler=DISABLED",
    "--skip-slave-start",
    "--skip-log-bin",
    "--performance-schema=OFF",
    "--max-allowed-packet=1G",
    "--character-set-server=utf8mb4",
)


@contextmanager
def files(order: Order) -> Iterator[Path]:
    """Serve the backup's own data files, as a restored server does; the option file of a client.

    What was under way in production is rolled back; read-only, InnoDB shows rows that nobody committed.

    :raises DatabaseError: they cannot be served.
    """
    _open(order)
    try:
        _give(order.data, order.account)
        own = [f"--{line}" for line in hot.layout(order.data)]
        with _server(order, order.data, own) as options:
            yield options
    finally:
        close(order)


@contextmanager
def statements(order: Order) -> Iterator[Path]:
    """Load the dump into a server that was made for it; the option file of a client.

    :raises DatabaseError: it cannot be loaded.
    """
    data = order.work / "trial"
    shutil.rmtree(data, ignore_errors=True)
    _open(order)
    try:
        words = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", f"--user={order.account}"]
        source.run([*words, "--skip-test-db"], str(data))
        # What the trial holds is dropped at its end: it need not outlive a crash.
        quick = ["--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"]
        with _server(order, data, quick) as options:
            connection = sql.connect(options)
            sql.execute(connection, f"CREATE DATABASE `{order.database}` CHARACTER SET utf8mb4")
            connection.close()
            _load(order, options)
            yield options
    finally:
        shutil.rmtree(data, ignore_errors=True)
        close(order)


def close(order: Order) -> None:
    """Nobody but root reads what is there, whatever modes production's files brought; also after a kill."""
    order.work.chmod(0o700)
    if os.geteuid() == 0:
        shutil.chown(order.work, "root", "root")
        if order.data.exists():
            _give(order.data, "root")


def _open(order: Order) -> None:
    """The account of the trial's server passes through to what is its own for that time, and nobody else."""
    shutil.chown(order.work, group=order.account)
    order.work.chmod(0o710)


@contextmanager
def _server(order: Order, data: Path, settings: Sequence[str]) -> Iterator[Path]:
    own = order.sockets / "trial"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(mode=0o700)
    shutil.chown(own, order.account, order.account)
    options = order.sockets / "client.cnf"
    options.write_text(
        f"[client]\nsocket = {own / 'server.sock'}\nuser = root\nmax-allowed-packet = 1G\n", encoding="utf-8"
    )
    words = [
        shutil.which("mariadbd", path="/usr/sbin:/usr/bin:/sbin:/bin") or "mariadbd",
        "--no-defaults",
        f"--user={order.account}",
        f"--datadir={data}",
        f"--socket={own / 'server.sock'}",
        f"--pid-file={own / 'server.pid'}",
        f"--tmpdir={own}",
        f"--innodb-buffer-pool-size={order.memory_mb}M",
        *_SETTINGS,
        *settings,
    ]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _wait(process, options, log)
            yield options
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            shutil.rmtree(own, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], options: Path, log: Any) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            sql.connect(options).close()
        except pymysql.MySQLError as error:
            if process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.2)
                continue
            log.seek(max(0, log.seek(0, 2) - _LAST_WORDS))
            said = log.read().decode(errors="replace")
            if disk_full(said):
                raise InterruptedPullError(
                    "the disk is full: the trial's database server did not start",
                    "make room, then start again",
                ) from error
            raise DatabaseError(f"the backup's database does not start: {_cause(said) or error}") from error
        else:
            return


def _cause(said: str) -> str:
    """What a server's log says first of its end; its last words are only that it ends."""
    errors = [line for line in said.splitlines() if "[ERROR]" in line]
    return errors[0].partition("[ERROR]")[2].strip() if errors else source.last_line(said)


def _load(order: Order, options: Path) -> None:
    moved = flow(
        [
            ["zstd", "--decompress", "--stdout", "--quiet", str(order.statements)],
            [
                "mariadb",
                f"--defaults-file={options}",
                "--init-command=SET SESSION sql_mode='', foreign_key_checks=0, unique_checks=0",
                order.database,
            ],
        ]
    )
    if moved.broken is not None:
        failure = source.here(moved.broken, str(order.work))
        if isinstance(failure, InterruptedPullError):
            raise failure
        raise DatabaseError(f"the dump does not load: {failure}")


def _give(folder: Path, account: str) -> None:
    source.run(["chown", "--recursive", f"{account}:{account}", str(folder)], str(folder))
