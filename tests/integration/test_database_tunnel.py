"""The portal's sessions with a database of another host are encrypted, or they are not made."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pymysql
import pytest
from ansible.module_utils.boxlift_sql import Database, NoConnectionError

from bxbackup.errors import DatabaseError
from bxbackup.server import Session, SessionLostError, read_account
from tests.integration.tls_server import TlsServer, authority, free_port, tls_server

PROGRAM = Path(__file__).parents[2] / "roles/database_tunnel/files/tunnel.py"
Tunnel = Callable[..., int]
LARGE = 5 << 20
SECRET = "portal-secret"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    yield from tls_server(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tunnel() -> Iterator[Tunnel]:
    """Lay a tunnel and return the port of its near end."""
    running: list[subprocess.Popen[bytes]] = []

    def laid(port: int, ca: Path, host: str = "127.0.0.1") -> int:
        near = free_port()
        words = [
            "--listen",
            str(near),
            "--server",
            host,
            "--port",
            str(port),
            "--ca",
            str(ca),
            "--workers",
            "2",
        ]
        running.append(subprocess.Popen([sys.executable, str(PROGRAM), *words]))
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", near), 1).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        return near

    yield laid
    for process in running:
        process.terminate()
        assert process.wait(10) == 0


def portal(port: int, password: str = SECRET) -> pymysql.Connection[pymysql.cursors.Cursor]:
    """A session as PHP makes it: in clear, as far as it knows."""
    return pymysql.connect(
        host="127.0.0.1",
        port=port,
        user="portal",
        password=password,
        ssl_disabled=True,
        database="portal_box",
    )


def test_the_server_sees_a_session_under_tls(server: TlsServer, tunnel: Tunnel) -> None:
    port = tunnel(server.port, server.ca)
    with portal(port) as session, session.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        assert cursor.fetchall()[0][1].startswith(("TLS_", "ECDHE-"))
        for size in (1, LARGE):
            cursor.execute("SELECT REPEAT('x', %s), %s", (size, "y" * size))
            assert [len(value) for value in cursor.fetchall()[0]] == [size, size]


def test_without_the_tunnel_the_server_refuses(server: TlsServer) -> None:
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        portal(server.port)


def test_a_wrong_password_is_told_as_one(server: TlsServer, tunnel: Tunnel) -> None:
    port = tunnel(server.port, server.ca)
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        portal(port, "wrong")
    portal(port).close()


def test_a_server_of_another_authority_is_refused(server: TlsServer, tunnel: Tunnel, tmp_path: Path) -> None:
    port = tunnel(server.port, authority(tmp_path).certificate)
    with pytest.raises(pymysql.OperationalError, match="no TLS with the database server: certificate"):
        portal(port)


def test_a_certificate_of_another_address_is_refused(server: TlsServer, tunnel: Tunnel) -> None:
    port = tunnel(server.port, server.ca, "127.0.0.2")
    with pytest.raises(pymysql.OperationalError, match=r"not valid for '127\.0\.0\.2'"):
        portal(port)


def test_a_server_that_is_away_or_none_is_told(server: TlsServer, tunnel: Tunnel) -> None:
    with pytest.raises(pymysql.OperationalError, match="Connection refused"):
        portal(tunnel(free_port(), server.ca))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = tunnel(other.getsockname()[1], server.ca)
        other.settimeout(10)
        near = socket.create_connection(("127.0.0.1", port), 10)
        for _ in ("the look whether the tunnel is open", "this session"):
            far, _ = other.accept()
            far.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        assert b"is no database server" in near.recv(4096)


def test_both_ends_of_a_broken_session_end(server: TlsServer, tunnel: Tunnel) -> None:
    port = tunnel(server.port, server.ca)
    session = portal(port)
    with session.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        number = cursor.fetchall()[0][0]
    with portal(port) as other, other.cursor() as cursor:
        cursor.execute(f"KILL {number}")
    with pytest.raises(pymysql.OperationalError):
        session.ping(reconnect=False)


def module_session(options: Path) -> Database:
    return Database({"config_file": str(options)})


def restore_session(options: Path) -> Session:
    return Session(read_account(options))


@pytest.mark.parametrize("opened", [module_session, restore_session])
def test_modules_and_restores_speak_tls_themselves(
    opened: Callable[[Path], Database | Session], server: TlsServer, tmp_path: Path
) -> None:
    options = tmp_path / "database.cnf"

    def session(host: str, ca: Path) -> Database | Session:
        options.write_text(
            f"[client]\nhost={host}\nport={server.port}\nssl-ca={ca}\nssl-verify-server-cert=1\n"
            f'user=portal\npassword="{SECRET}"\n'
        )
        return opened(options)

    good = session("127.0.0.1", server.ca)
    assert good.rows("SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0][1]
    good.close()
    refused = (NoConnectionError, DatabaseError, SessionLostError)
    with pytest.raises(refused, match="certificate verify failed"):
        session("127.0.0.1", authority(tmp_path).certificate)
    with pytest.raises(refused, match="certificate verify failed"):
        session("127.0.0.2", server.ca)
