"""Loads that are killed, or whose server is, or that must give up: the end is that of an undisturbed run."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pymysql
import pytest
from backup_samples import M1
from database_server import DatabaseServer
from faults import fault
from loading import Loading, write_dump

import bxbackup.catalogue
import bxbackup.crew
import bxbackup.load
from bxbackup.crew import LoadProgress
from bxbackup.ddl import Key, add_keys
from bxbackup.errors import DatabaseError, RefusedError
from bxbackup.server import Session

LOAD_AND_LEAVE = """
import sys, threading
from pathlib import Path
import bxbackup.load
dump, database, defaults, state = sys.argv[1:]
begun = threading.Event()

def load():
    options = bxbackup.load.LoadOptions(
        database, Path(defaults), None, "+00:00", Path(state), progress=lambda _: begun.set(), sessions=2
    )
    bxbackup.load.load_dump(Path(dump), options)

threading.Thread(target=load, daemon=True).start()
begun.wait()
"""

LOAD_UNTIL = """
import json, os, signal, sys
from pathlib import Path
import bxbackup.catalogue, bxbackup.crew, bxbackup.load
job = json.loads(sys.argv[1])
bxbackup.crew.REPORT_EVERY = 0.0
bxbackup.catalogue.LOT, bxbackup.catalogue.TRANSACTION = job["lot"], 1
bxbackup.catalogue.LATE_KEYS_FROM = job["late"]
steps = 0

def report(progress):
    global steps
    steps += 1
    if steps == job["steps"]:
        os.kill(os.getpid(), signal.SIGKILL)

options = bxbackup.load.LoadOptions(
    job["database"], Path(job["defaults"]), None, "+00:00", Path(job["state"]), progress=report, sessions=2
)
bxbackup.load.load_dump(Path(job["dump"]), options)
"""


def load_until_killed(loading: Loading, folder: Path, *, steps: int, late: int, lot: int = 100_000) -> int:
    """Load in a process that kills itself at its `steps`-th report; its return code."""
    job = {
        "dump": str(folder),
        "database": loading.database,
        "defaults": str(loading.server.defaults_file),
        "state": str(loading.state),
        "steps": steps,
        "late": late,
        "lot": lot,
    }
    return subprocess.run(
        [sys.executable, "-c", LOAD_UNTIL, json.dumps(job)],
        env={"PYTHONPATH": str(Path(bxbackup.load.__file__).parents[1])},
        check=False,
        timeout=120,
    ).returncode


@pytest.mark.parametrize("seed", range(6))
@fault("our process killed", "load", 0, "goes on at the statement where it stopped; equal rows")
def test_killed_at_any_moment_and_gone_on_with(
    seed: int, sample_dumps: dict[str, Path], loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    late = rng.choice([0, 1 << 20])
    monkeypatch.setattr(bxbackup.catalogue, "LATE_KEYS_FROM", late)
    for _ in range(rng.randint(1, 3)):
        code = load_until_killed(loading, sample_dumps["M1"], steps=rng.randint(1, 60), late=late)
        assert code in {0, -signal.SIGKILL}
    result = loading.load(sample_dumps["M1"])
    assert (result.tables, result.rows) == (58, 4301)
    assert loading.server.wrong_tables(loading.database, M1.manifest) == {}


def many_statements(folder: Path) -> Path:
    """A dump of tables with many statements each."""
    statements: list[bytes] = []
    for table in range(3):
        statements.append(
            b"CREATE TABLE `t%d` (\n  `ID` int(11) NOT NULL AUTO_INCREMENT,\n"
            b"  `A` varchar(200) DEFAULT NULL,\n  PRIMARY KEY (`ID`),\n  KEY `a` (`A`)\n)"
            b" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4" % table
        )
        for start in range(1, 4001, 100):
            rows = b",\n".join(b"(%d, '%s')" % (number, b"x" * 100) for number in range(start, start + 100))
            statements.append(b"INSERT INTO `t%d` VALUES\n" % table + rows)
    return write_dump(folder, *statements)


def test_a_killed_run_goes_on_inside_a_table(tmp_path: Path, loading: Loading) -> None:
    folder = many_statements(tmp_path / "dump")
    assert load_until_killed(loading, folder, steps=70, late=0) == -signal.SIGKILL
    assert "bxbackup_load" in loading.tables
    begun = loading.tables - {"bxbackup_load"}
    standing = sum(int(str(loading.rows(f"SELECT COUNT(*) FROM {name}")[0][0])) for name in begun)
    assert standing >= 6000
    result = loading.load(folder)
    assert loading.said[0].rows >= standing
    assert (result.rows, result.resumed) == (12000, True)
    assert loading.tables == {"t0", "t1", "t2"}
    for number in range(3):
        assert loading.rows(f"SELECT COUNT(*), SUM(ID) FROM t{number}") == [(4000, 8002000)]


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[DatabaseServer]:
    """A server that a test may kill."""
    server = DatabaseServer(tmp_path / "server")
    server.start()
    yield server
    server.end(signal.SIGKILL)


@pytest.mark.parametrize(
    ("number", "flush"),
    [
        pytest.param(
            *(signal.SIGKILL, 1),
            id="killed",
            marks=fault("database killed", "load", 0, "the load waits and goes on; equal rows"),
        ),
        pytest.param(
            *(signal.SIGKILL, 0),
            id="killed and lost its last commits",
            marks=fault("database killed", "load", 0, "what the server lost is loaded again; equal rows"),
        ),
        pytest.param(
            *(signal.SIGTERM, 1),
            id="stopped",
            marks=fault("database restarted", "load", 0, "the load waits and goes on; equal rows"),
        ),
    ],
)
def test_a_server_that_dies_and_comes_back_costs_nothing_but_time(
    number: signal.Signals,
    flush: int,
    tmp_path: Path,
    own_server: DatabaseServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bxbackup.crew, "REPORT_EVERY", 0.0)
    own_server.rows(f"SET GLOBAL innodb_flush_log_at_trx_commit = {flush}")
    loading = Loading(own_server, "portal_box", tmp_path / "state")
    folder = many_statements(tmp_path / "dump")
    restarts: list[threading.Thread] = []

    def restart() -> None:
        own_server.end(number)
        time.sleep(0.5)
        own_server.start()

    def report(progress: LoadProgress) -> None:
        if progress.rows >= 5000 and not restarts:
            restarts.append(threading.Thread(target=restart))
            restarts[0].start()

    result = loading.load(folder, progress=report)
    restarts[0].join()
    assert (result.tables, result.rows, result.duplicates) == (3, 12000, 0)
    for table in range(3):
        assert loading.rows(f"SELECT COUNT(*), SUM(ID) FROM t{table}") == [(4000, 8002000)]
    assert loading.tables == {"t0", "t1", "t2"}


def test_what_a_server_loses_behind_the_last_table_is_loaded_again(
    loading: Loading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = []

    def crash(session: Session, views: dict[str, str]) -> None:
        lost.append(views)
        session.run("DELETE FROM t1")
        session.run("DELETE FROM bxbackup_load WHERE item = '\"t1\"'")

    monkeypatch.setattr("bxbackup.load._make_views", crash)
    result = loading.load(many_statements(tmp_path / "dump"))
    assert lost == [{}]
    assert (result.tables, result.rows, result.duplicates) == (3, 12000, 0)
    for table in range(3):
        assert loading.rows(f"SELECT COUNT(*), SUM(ID) FROM t{table}") == [(4000, 8002000)]
    assert loading.tables == {"t0", "t1", "t2"}


def test_a_server_that_keeps_nothing_ends_the_load(
    loading: Loading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bxbackup.catalogue.Catalogue.all_in", lambda *_: False)
    folder = many_statements(tmp_path / "dump")
    with pytest.raises(DatabaseError, match="again and again"):
        loading.load(folder)
    monkeypatch.undo()
    result = loading.load(folder)
    assert (result.rows, result.resumed) == (12000, True)


@fault(
    "database stopped",
    "load",
    7,
    "after two minutes of waiting; what was loaded stays, the same command goes on",
    "cannot be reached … start it, then start the same command again",
)
def test_a_server_that_stays_away_is_told_and_the_same_command_goes_on(
    tmp_path: Path, own_server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bxbackup.crew, "REPORT_EVERY", 0.0)
    loading = Loading(own_server, "portal_box", tmp_path / "state")
    folder = many_statements(tmp_path / "dump")

    def report(progress: LoadProgress) -> None:
        if progress.rows >= 5000:
            own_server.end(signal.SIGKILL)

    with pytest.raises(DatabaseError, match="cannot be reached") as stopped:
        loading.load(folder, progress=report, patience=0.5)
    assert "start the same command again" in str(stopped.value.advice)
    own_server.start()
    result = loading.load(folder)
    assert (result.rows, result.resumed) == (12000, True)


def test_a_server_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "client.cnf"
    path.write_text(f"[client]\nsocket={tmp_path / 'none.sock'}\npassword=canary\n")
    with pytest.raises(DatabaseError, match="cannot be reached") as stopped:
        bxbackup.load.check_target("portal_box", path, tmp_path)
    assert "canary" not in "".join(stopped.value.lines())


@pytest.mark.parametrize("rows", [3, 30_000])
@pytest.mark.parametrize("right", ["ALL PRIVILEGES ON *.*", "ALL PRIVILEGES ON `test\\_%`.*"])
def test_a_table_without_a_log_is_written_out_before_it_counts_as_done(
    right: str, rows: int, tmp_path: Path, own_server: DatabaseServer
) -> None:
    own_server.rows("CREATE USER loader IDENTIFIED BY 'canary'")
    own_server.rows(f"GRANT {right} TO loader")
    account = tmp_path / "loader.cnf"
    account.write_text(f"[client]\nuser=loader\npassword=canary\nsocket={own_server.socket}\n")
    loading = Loading(own_server, "test_flush", tmp_path / "state", defaults_file=account)
    values = b",\n".join(b"(%d, '%s')" % (number, b"x" * 40) for number in range(rows))
    loading.load(
        write_dump(
            tmp_path / "dump",
            b"CREATE TABLE `m` (\n  `ID` int NOT NULL,\n  `A` varchar(50),\n  PRIMARY KEY (`ID`),\n"
            b"  KEY `a` (`A`)\n) ENGINE=MyISAM",
            b"INSERT INTO `m` VALUES\n" + values,
        )
    )
    own_server.end(signal.SIGKILL)
    own_server.start()
    assert [row[2:] for row in loading.rows("CHECK TABLE m FAST")] in (
        [("status", "OK")],
        [("status", "Table is already up to date")],
    )


def test_two_loads_of_one_database_at_a_time_are_refused(
    tmp_path: Path, loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bxbackup.target, "LOCK_WAIT", 0)
    folder = many_statements(tmp_path / "dump")
    refused: list[str] = []

    def report(_: LoadProgress) -> None:
        if not refused:
            other = replace(loading, state=tmp_path / "other")
            with pytest.raises(RefusedError, match="another load works") as stopped:
                other.load(folder)
            refused.append(stopped.value.what)
            assert "KILL " in str(stopped.value.advice)

    assert loading.load(folder, progress=report).rows == 12000
    assert refused


def test_an_error_in_one_session_ends_all_and_can_be_gone_on_from(
    tmp_path: Path, loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bxbackup.crew, "REPORT_EVERY", 0.0)
    folder = many_statements(tmp_path / "dump")

    class DisplayBrokeError(Exception):
        pass

    def report(progress: LoadProgress) -> None:
        if progress.rows >= 5000:
            raise DisplayBrokeError

    with pytest.raises(DisplayBrokeError):
        loading.load(folder, progress=report)
    assert loading.load(folder).rows == 12000


def test_a_mark_that_another_load_left_is_foreign(tmp_path: Path, loading: Loading) -> None:
    folder = many_statements(tmp_path / "dump")
    assert load_until_killed(loading, folder, steps=20, late=0) == -signal.SIGKILL
    before = loading.tables
    with pytest.raises(RefusedError):
        replace(loading, state=tmp_path / "other").load(folder)
    assert loading.tables == before


def test_killed_between_the_last_table_and_the_note_that_all_is_done(
    tmp_path: Path, loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = many_statements(tmp_path / "dump")

    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bxbackup.target, "remove_mark", power_cut)
        with pytest.raises(KeyboardInterrupt):
            loading.load(folder)
    assert "bxbackup_load" in loading.tables
    result = loading.load(folder)
    assert (result.rows, result.resumed) == (12000, True)
    assert loading.tables == {"t0", "t1", "t2"}


def test_a_key_that_a_killed_runs_statement_still_makes_is_waited_for(
    tmp_path: Path, loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bxbackup.catalogue, "LATE_KEYS_FROM", 0)
    folder = many_statements(tmp_path / "dump")
    shown = add_keys
    raced: list[str] = []

    def after_another_made_it(table: str, keys: list[Key]) -> Iterator[tuple[str, list[Key]]]:
        if table not in raced:
            raced.append(table)
            loading.rows(f"ALTER TABLE {table} ADD KEY `a` (`A`)")
        return shown(table, keys)

    monkeypatch.setattr(bxbackup.crew, "add_keys", after_another_made_it)
    assert loading.load(folder).rows == 12000
    assert sorted(raced) == ["t0", "t1", "t2"]


def test_rows_that_a_killed_run_is_just_committing_do_not_come_twice(
    tmp_path: Path, loading: Loading
) -> None:
    table = b"CREATE TABLE `t` (\n  `A` int(11) DEFAULT NULL\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
    folder = write_dump(tmp_path / "dump", table, *[b"INSERT INTO `t` VALUES\n(%d)" % n for n in range(4)])
    assert load_until_killed(loading, folder, steps=3, late=0) == -signal.SIGKILL
    orphan = pymysql.connect(
        user="root", unix_socket=str(loading.server.socket), database=loading.database, autocommit=False
    )
    with orphan.cursor() as cursor:
        cursor.execute("SELECT state FROM bxbackup_load WHERE lot = 0")
        ((state,),) = cursor.fetchall()
        statements, rows, clashed = json.loads(state)
        cursor.execute("INSERT INTO t VALUES (%s)", (statements,))
        cursor.execute(
            "UPDATE bxbackup_load SET state = %s WHERE lot = 0",
            (json.dumps([statements + 1, rows + 1, clashed]),),
        )
    committing = threading.Timer(1.0, orphan.commit)
    committing.start()
    try:
        assert loading.load(folder).rows == 4
    finally:
        committing.join()
        orphan.close()
    assert loading.rows("SELECT A FROM t ORDER BY A") == [(0,), (1,), (2,), (3,)]


def test_a_process_that_ends_does_not_wait_for_the_load(tmp_path: Path, loading: Loading) -> None:
    folder = many_statements(tmp_path / "dump")
    loading.server.rows(f"CREATE DATABASE {loading.database}")
    blocker = pymysql.connect(user="root", unix_socket=str(loading.server.socket), database=loading.database)
    code = load_until_killed(loading, folder, steps=20, late=0)
    assert code == -signal.SIGKILL
    begun = sorted(loading.tables & {"t0", "t1"})  # the second one need not have been
    with blocker.cursor() as cursor:  # from here on the load cannot end by itself
        cursor.execute(f"LOCK TABLES {', '.join(f'{table} READ' for table in begun)}")
    subprocess.run(
        [
            *(sys.executable, "-c", LOAD_AND_LEAVE),
            *(str(folder), loading.database, str(loading.server.defaults_file), str(loading.state)),
        ],
        env={"PYTHONPATH": str(Path(bxbackup.load.__file__).parents[1])},
        check=True,
        timeout=60,
    )
    blocker.close()
    assert loading.load(folder).rows == 12000
