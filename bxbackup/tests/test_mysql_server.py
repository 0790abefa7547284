"""Loads into a real MySQL server, as a host group `database` may name one.

Debian 12 and 13 package none that these tests could start. Name one in the environment variable
BXBACKUP_MYSQL: a client option file whose account may do all. CONTRIBUTING.md says how to get a server.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from backup_samples import ALL, M1, Sample
from database_server import StandingServer
from loading import write_dump

import bxbackup.catalogue
from bxbackup.crew import LoadProgress
from bxbackup.load import LoadOptions, load_dump
from bxbackup.server import read_account

NAMED = "BXBACKUP_MYSQL"

pytestmark = pytest.mark.long


class _StoppedError(Exception):
    """The run is stopped in the middle."""


@pytest.fixture
def mysql() -> StandingServer:
    if NAMED not in os.environ:
        pytest.skip(f"no MySQL server is named in {NAMED}")
    found = StandingServer(Path(os.environ[NAMED]))
    version = str(found.rows("SELECT VERSION()")[0][0])
    assert "MariaDB" not in version, "a MariaDB server is named"
    return found


@pytest.fixture
def database(mysql: StandingServer) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name
    mysql.rows(f"DROP DATABASE IF EXISTS `{name}`")


def options(server: StandingServer, database: str, state: Path) -> LoadOptions:
    return LoadOptions(database, server.defaults_file, None, "+00:00", state, lambda _: None)


@pytest.mark.parametrize("sample", ALL, ids=lambda sample: sample.name)
def test_a_sample_is_loaded_as_its_manifest_says(
    sample: Sample, sample_dumps: dict[str, Path], mysql: StandingServer, database: str, tmp_path: Path
) -> None:
    result = load_dump(sample_dumps[sample.name], options(mysql, database, tmp_path / "state"))
    assert result.collations == {}
    assert mysql.wrong_tables(database, sample.manifest) == {}


def test_a_dump_of_mysql_8_stays_as_it_is(
    mysql: StandingServer, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bxbackup.catalogue, "LATE_KEYS_FROM", 0)
    folder = write_dump(
        tmp_path / "dump",
        b"CREATE TABLE `b_option` (\n  `NAME` varchar(50) COLLATE utf8mb4_0900_as_cs NOT NULL,\n"
        b"  `VALUE` longtext,\n  PRIMARY KEY (`NAME`),\n  FULLTEXT KEY `ft` (`VALUE`),\n"
        b"  KEY `value` (`VALUE`(20) DESC)\n"
        b") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci",
        b"INSERT INTO `b_option` VALUES\n('a','COLLATE utf8mb4_0900_ai_ci;\\n'),('A','\xf0\x9f\x98\x80')",
        b"CREATE DEFINER=`gone`@`%` VIEW `v` AS select `NAME` AS `NAME` from `b_option`",
        after_connect=b"SET NAMES 'utf8mb4';\nALTER DATABASE `<DATABASE>` COLLATE utf8mb4_0900_ai_ci;\n",
    )
    load_dump(folder, options(mysql, database, tmp_path / "state"))
    ((_, text),) = mysql.rows("SHOW CREATE TABLE b_option", database)
    for kept in ("utf8mb4_0900_as_cs", "utf8mb4_0900_ai_ci", "FULLTEXT KEY `ft`", "(`VALUE`(20) DESC)"):
        assert kept in text
    assert mysql.rows("SELECT NAME FROM v ORDER BY NAME", database) == [("a",), ("A",)]
    assert mysql.rows("SELECT VALUE FROM b_option WHERE NAME = 'A'", database) == [("\U0001f600",)]
    assert mysql.rows("SELECT @@collation_database", database) == [("utf8mb4_0900_ai_ci",)]


def test_a_stopped_load_goes_on_with_an_account_of_its_own_databases(
    mysql: StandingServer, database: str, sample_dumps: dict[str, Path], tmp_path: Path
) -> None:
    owner = f"{database}_o"
    mysql.rows(f"CREATE USER {owner}@'%' IDENTIFIED BY 'canary'")
    try:
        mysql.rows(f"GRANT ALL ON `{database}`.* TO {owner}@'%'")
        account = read_account(mysql.defaults_file)
        limited = tmp_path / "owner.cnf"
        place = f"socket={account.socket}" if account.socket else f"host={account.host}\nport={account.port}"
        limited.write_text(f"[client]\nuser={owner}\npassword=canary\n{place}\n")

        def stop(progress: LoadProgress) -> None:
            if progress.loaded >= 10:
                raise _StoppedError

        begun = replace(options(mysql, database, tmp_path / "state"), defaults_file=limited)
        with pytest.raises(_StoppedError):
            load_dump(sample_dumps["M1"], replace(begun, progress=stop))
        assert load_dump(sample_dumps["M1"], begun).resumed
    finally:
        mysql.rows(f"DROP USER {owner}@'%'")
    assert mysql.wrong_tables(database, M1.manifest) == {}
