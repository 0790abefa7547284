"""A MariaDB of the tests' own: private folder, private socket."""

from __future__ import annotations

import getpass
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql
from programs import program


def install(data: Path) -> None:
    """Make a server's folder; who runs the tests administers it as root."""
    user = getpass.getuser()
    subprocess.run(
        [
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={data}",
            f"--user={user}",
            "--auth-root-authentication-method=socket",
            f"--auth-root-socket-user={user}",
            "--skip-test-db",
        ],
        check=True,
        capture_output=True,
        # a server that starts removes the temporary tables of all others that share its folder
        env={**os.environ, "TMPDIR": str(data.parent)},
    )


@contextmanager
def running(home: Path, *options: str) -> Iterator[Path]:
    """Socket of a server that runs with these options; who runs the tests administers it as root."""
    server = program("mariadbd", "mariadb-server-core")
    data, socket = home / "data", home / "m.sock"
    install(data)
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                server,
                "--no-defaults",
                f"--datadir={data}",
                f"--socket={socket}",
                f"--user={getpass.getuser()}",
                "--innodb-buffer-pool-size=32M",
                f"--pid-file={home / 'pid'}",
                f"--tmpdir={home}",
                *options,
            ],
            stdout=log,
            stderr=log,
        )
    try:
        for _ in range(300):
            try:
                pymysql.connect(unix_socket=str(socket), user="root").close()
                break
            except pymysql.OperationalError:
                time.sleep(0.1)
        else:
            raise RuntimeError((home / "log").read_text())
        yield socket
    finally:
        process.terminate()
        process.wait(30)
