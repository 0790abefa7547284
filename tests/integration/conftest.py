"""A MariaDB of the tests' own: private folder, private socket, no network."""

from __future__ import annotations

import getpass
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest
from ansible.module_utils.boxlift_sql import Database


@pytest.fixture(scope="session")
def mariadb_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Socket of a running server; the account of the user who runs the tests administers it."""
    server = shutil.which("mariadbd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if server is None:
        pytest.skip("mariadbd is not installed (apt-get install mariadb-server-core)")
    home = tmp_path_factory.mktemp("mariadb")
    data, socket = home / "data", home / "m.sock"
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
    )
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                server,
                "--no-defaults",
                f"--datadir={data}",
                f"--socket={socket}",
                f"--user={user}",
                "--skip-networking",
                "--innodb-buffer-pool-size=32M",
                f"--pid-file={home / 'pid'}",
                # a server that starts removes the temporary tables of all others that share its folder
                f"--tmpdir={home}",
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


@pytest.fixture
def session(mariadb_socket: Path) -> Iterator[Database]:
    """The modules' own connection to that server, on which nothing of boxlift's is left from other tests."""
    options = mariadb_socket.with_name("client.cnf")
    options.write_text(f"[client]\nsocket={mariadb_socket}\nuser=root\n")
    database = Database({"config_file": str(options)})
    database.run("DROP DATABASE IF EXISTS boxlift")
    yield database
    database.close()
