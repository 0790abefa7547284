"""A MariaDB of the tests' own: private folder, private socket, no network."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.module_utils.boxlift_sql import Database

from tests.integration.mariadb import running
from tests.integration.source_server import OLD, TABLES, Server
from tests.templates.renderer import renderer_of


@pytest.fixture(scope="session")
def mariadb_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Socket of a running server; the account of the user who runs the tests administers it."""
    with running(tmp_path_factory.mktemp("mariadb"), "--skip-networking") as socket:
        yield socket


@pytest.fixture(scope="session")
def client_options(mariadb_socket: Path) -> Path:
    """Options with which a client administers that server."""
    options = mariadb_socket.with_name("client.cnf")
    options.write_text(f"[client]\nsocket={mariadb_socket}\nuser=root\n")
    return options


@pytest.fixture
def session(client_options: Path) -> Iterator[Database]:
    """The modules' own connection to that server, on which nothing of boxlift's is left from other tests."""
    database = Database({"config_file": str(client_options)})
    database.run("DROP DATABASE IF EXISTS boxlift")
    yield database
    database.close()


@pytest.fixture
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server at work: the active portal, another release, accounts of its own."""
    found = Server(tmp_path_factory.mktemp("p", numbered=True) / "s")
    found.make()
    found.start()
    try:
        for name in (OLD, "portal_rehearsal_1", "boxlift", "`odd-name`"):
            found.run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
            found.run(f"CREATE TABLE {name}.environment (ID INT PRIMARY KEY)")
        found.run(
            "CREATE USER portal@localhost IDENTIFIED BY 'of production'; CREATE USER x@'%' IDENTIFIED BY 'x'"
        )
        found.run(f"DROP TABLE {OLD}.environment; USE {OLD}; {TABLES}")
        yield found
    finally:
        found.kill()


@pytest.fixture
def portal(tmp_path: Path, production: Server) -> Path:
    """The portal's folder in production, with uploads."""
    base = tmp_path / "production"
    upload = base / "releases" / "final-1" / "upload" / "disk"
    upload.mkdir(parents=True)
    (base / "current").symlink_to("releases/final-1")
    values = []
    for number in range(1, 6):
        (upload / f"{number}.pdf").write_text(f"file {number}")
        values.append(f"({number}, 'disk', '{number}.pdf', 6)")
    production.run(f"INSERT INTO b_file (ID, SUBDIR, FILE_NAME, FILE_SIZE) VALUES {', '.join(values)}", OLD)
    return base


@pytest.fixture
def short() -> Iterator[str]:
    """A folder for sockets, whose paths have at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="c-") as name:
        yield name


@pytest.fixture
def reader(tmp_path: Path, portal: Path, production: Server) -> Path:
    """The way into production: its one command runs here instead of over SSH."""
    (tmp_path / "inventory").mkdir()
    work = tmp_path / "work"
    work.mkdir()
    command = tmp_path / "command"
    command.write_text(
        renderer_of("example", tmp_path / "inventory").text(
            "portal_reader",
            "source.sh.j2",
            portal_reader_base_path=str(portal),
            portal_reader_database_options_file=str(production.options),
            __portal_reader_release="final-1",
            __portal_reader_work=str(work),
        )
    )
    ssh = tmp_path / "ssh"
    ssh.write_text(
        "#!/bin/bash\nwhile [[ $1 == -* ]]; do shift; done\nshift\n"
        f'SSH_ORIGINAL_COMMAND="$*" exec bash {command}\n'
    )
    ssh.chmod(0o700)
    return ssh
