"""A MariaDB of the tests' own: private folder, private socket, no network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.module_utils.boxlift_sql import Database

from tests.integration.mariadb import running


@pytest.fixture(scope="session")
def mariadb_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Socket of a running server; the account of the user who runs the tests administers it."""
    with running(tmp_path_factory.mktemp("mariadb"), "--skip-networking") as socket:
        yield socket


@pytest.fixture
def session(mariadb_socket: Path) -> Iterator[Database]:
    """The modules' own connection to that server, on which nothing of boxlift's is left from other tests."""
    options = mariadb_socket.with_name("client.cnf")
    options.write_text(f"[client]\nsocket={mariadb_socket}\nuser=root\n")
    database = Database({"config_file": str(options)})
    database.run("DROP DATABASE IF EXISTS boxlift")
    yield database
    database.close()
