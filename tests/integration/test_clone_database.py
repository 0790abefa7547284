"""A copy between two servers of the tests' own: hot backup, prepared, purged, named, and checked."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.boxlift_sql import Database
from programs import needs

from boxlift_reader.fault import InterruptedPullError, PullError
from boxlift_reader.state import State, Status
from library import portal_side
from roles.portal_clone.files.boxlift_clone import __main__ as program
from roles.portal_clone.files.boxlift_clone import logical, physical, rows, server, tree
from roles.portal_clone.files.boxlift_clone.order import Order
from tests.integration.source_server import ME, OLD, Server

pytestmark = [
    pytest.mark.slow,
    needs("mariadb-backup", "zstd", "mariadb-install-db", package="mariadb-server-core mariadb-backup zstd"),
]
NEW = "portal_clone_20261122100000"
ROLE = Path(__file__).parents[2] / "roles" / "portal_clone"
LEFT_OUT = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))["__portal_clone_left_out"]


def copied(order: Order) -> Server:
    found = Server(order.folder)
    found.socket = order.socket
    return found


@pytest.fixture
def order(
    tmp_path: Path,
    reader: Path,
    production: Server,
    short: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Order]:
    """A copy into folders of the test; the source's one command runs here instead of over SSH."""
    base, settings = tmp_path / "staging", tmp_path / "settings"
    (base / "releases").mkdir(parents=True)
    settings.mkdir()
    (settings / "70.cnf").write_text("[mysqld]\ninnodb_flush_method = fsync\n")
    told = {
        "release": "clone-20261122100000",
        "method": "physical",
        "ssh": str(reader),
        "address": "production",
        "source": "final-1",
        "database": OLD,
        "database_bytes": 1000,
        "base": str(base),
        "copies": str(tmp_path / "copies"),
        "owner": ME,
        "account": ME,
        "sockets": short,
        "bandwidth_kb": 0,
        "memory_mb": 32,
        "settings": str(settings),
        "options_file": str(production.options),
        "collation": "utf8mb4_unicode_ci",
        "upload": "upload",
        "left_out": LEFT_OUT,
        "attachments": True,
        "resume_hours": 24.0,
    }
    (tmp_path / "order.json").write_text(json.dumps(told))
    found = Order.read(tmp_path / "order.json")
    own = copied(found)
    found.socket.parent.mkdir()

    def start(order: Order) -> None:
        if own._process is None or own._process.poll() is not None:
            own.start(f"--defaults-file={order.folder / 'server.cnf'}")

    monkeypatch.setattr(server, "start", start)
    yield found
    own.kill()


def fingerprint(production: Server, portal: Path) -> str:
    """All that must not change in production."""
    seen = hashlib.sha256(repr(sorted(production.sums(OLD).items())).encode())
    seen.update(repr(production.rows("SELECT User, Host FROM mysql.user ORDER BY 1, 2")).encode())
    for path in sorted(portal.rglob("*")):
        seen.update(f"{path} {path.lstat().st_mtime_ns}".encode())
        seen.update(path.read_bytes() if path.is_file() else b"")
    return seen.hexdigest()


def test_a_whole_copy(order: Order, production: Server, portal: Path) -> None:
    before = fingerprint(production, portal)
    with program._alone(order):
        assert program._copy(order) == 0
    copy = copied(order)
    assert copy.sums(NEW) == production.sums(OLD)
    assert {name for (name,) in copy.rows("SHOW DATABASES")} == {"information_schema", "mysql", NEW}
    assert (
        copy.rows("SELECT NAME FROM information_schema.INNODB_SYS_TABLES WHERE NAME LIKE 'boxlift/%'") == []
    )
    accounts = {name for (name,) in copy.rows("SELECT User FROM mysql.user")}
    assert accounts == {"root", "mariadb.sys"}
    assert copy.rows("SELECT @@skip_networking") == [(1,)]
    assert copy.rows("SELECT BODY FROM b_text WHERE MATCH (BODY) AGAINST ('second')", NEW) == [("second",)]
    copy.run("INSERT INTO b_text (BODY) VALUES ('  trimmed  '); DELETE FROM b_parent WHERE ID = 1", NEW)
    assert copy.rows("SELECT BODY FROM b_text ORDER BY ID DESC LIMIT 1", NEW) == [("trimmed",)]
    assert copy.rows("SELECT COUNT(*) FROM b_child", NEW) == [(1,)]
    assert copy.rows("SELECT COUNT(*) FROM b_view", NEW) == [(3,)]
    copy.run("CREATE DATABASE boxlift; CREATE TABLE boxlift.environment (ID INT PRIMARY KEY)")
    report = json.loads((order.folder / "report.json").read_text())
    assert (report["rows_with_file"], report["deleted"]["files"], report["lost"]["files"]) == (5, 0, 0)
    assert (order.root / "upload" / "disk" / "5.pdf").read_text() == "file 5"
    assert fingerprint(production, portal) == before


def test_nothing_tells_of_production_s_other_databases_and_accounts(order: Order, production: Server) -> None:
    production.run(
        "INSERT INTO portal_rehearsal_1.environment VALUES (4711);"
        "CREATE TABLE boxlift.held (WORD VARCHAR(50));"
        "INSERT INTO boxlift.held VALUES ('canary-least'), ('z');"
        "SET use_stat_tables = 'preferably'; ANALYZE TABLE boxlift.held PERSISTENT FOR ALL;"
        f"ANALYZE TABLE {OLD}.b_text PERSISTENT FOR ALL;"
        "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'h', PASSWORD 'canary-server');"
        "CREATE EVENT boxlift.e ON SCHEDULE EVERY 1 DAY DO SELECT 'canary-event';"
        "CREATE PROCEDURE boxlift.p() SELECT 'canary-routine';"
        f"CREATE PROCEDURE {OLD}.p() SELECT 'kept';"
        "SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 1; SELECT 'canary-statement';"
        "SET GLOBAL general_log = 0; SET GLOBAL log_output = 'FILE'"
    )
    ((secret,),) = production.rows(
        "SELECT JSON_VALUE(Priv, '$.authentication_string') FROM mysql.global_priv WHERE User = 'portal'"
    )
    with program._alone(order):
        assert program._copy(order) == 0
    copy = copied(order)
    # With its own rights, as no other account is left to ask with.
    for table in ("column_stats", "table_stats", "index_stats", "event", "servers", "general_log"):
        assert copy.rows(f"SELECT COUNT(*) FROM mysql.{table}") == [(0,)], table
    routines = "SELECT ROUTINE_SCHEMA, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_NAME = 'p'"
    assert copy.rows(routines) == [(NEW, "p")]
    told = "SELECT DISTINCT database_name FROM mysql.innodb_table_stats"
    assert {name for (name,) in copy.rows(told)} <= {"mysql", NEW}
    copy.run("FLUSH TABLES")
    found = {
        word: {path.name for path in (order.data / "mysql").iterdir() if word.encode() in path.read_bytes()}
        for word in ("canary-", str(secret))
    }
    assert found == {"canary-": set(), str(secret): set()}


def test_the_settings_of_the_hosts_own_server_lead_to_no_file_of_it(order: Order, production: Server) -> None:
    theirs = order.settings.parent / "of-the-host"
    theirs.mkdir()
    names = (
        "innodb_data_home_dir",
        "innodb_log_group_home_dir",
        "innodb_undo_directory",
        "aria_log_dir_path",
    )
    (order.settings / "90-host.cnf").write_text(
        "[mysqld]\n"
        + "".join(f"{name} = {theirs}\n" for name in names)
        + f"log_error = {theirs}/error.log\nlog_bin = {theirs}/log\ngeneral_log = ON\n"
        f"general_log_file = {theirs}/general.log\ninit_file = {theirs}/init\ntmpdir = {theirs}/tmp\n"
        "event_scheduler = ON\nslow_query_log = ON\nbind_address = 0.0.0.0\n"
    )
    with program._alone(order):
        assert program._copy(order) == 0
    copy = copied(order)
    assert copy.sums(NEW) == production.sums(OLD)
    assert copy.rows("SELECT @@log_bin, @@general_log, @@event_scheduler, @@skip_networking") == [
        (0, 0, "OFF", 1)
    ]
    assert list(theirs.iterdir()) == []


def test_what_was_done_is_not_done_again(order: Order, production: Server) -> None:
    with program._alone(order):
        program._copy(order)
        began = (order.folder / "state.json").read_text()
        assert program._copy(order) == 0
    assert (
        json.loads(began)["stages"]["stream"]
        == json.loads((order.folder / "state.json").read_text())["stages"]["stream"]
    )


def test_files_that_vanish_and_rows_that_never_had_one(
    order: Order, production: Server, portal: Path
) -> None:
    order.folder.mkdir(parents=True)
    state, status = State(order.folder), Status(order.folder)
    state.bind(source="final-1", database=OLD, method="physical")
    (portal / "releases" / "final-1" / "upload" / "disk" / "2.pdf").unlink()
    physical.arrive(order, state, status)
    physical.serve(order, state, status)
    production.run("DELETE FROM b_file WHERE ID = 3", OLD)
    (portal / "releases" / "final-1" / "upload" / "disk" / "3.pdf").unlink()
    program._fill(order, status)
    report = json.loads((order.folder / "report.json").read_text())
    assert report["lost"]["listed"] == ["2 disk/2.pdf"]
    assert report["deleted"]["listed"] == ["3 disk/3.pdf"]
    (order.root / "upload" / "disk" / "4.pdf").unlink()
    assert rows.check(order).late == ["4 disk/4.pdf"]


def test_what_a_tester_wrote_into_a_shared_upload_is_in_no_further_copy(order: Order, portal: Path) -> None:
    file = "upload/disk/1.pdf"
    production = portal / "releases" / "final-1" / file
    os.utime(production, (1_000_000, 1_000_000))
    copies = [dataclasses.replace(order, release=f"clone-2026112210000{number}") for number in range(3)]
    for each in copies:
        each.folder.mkdir(parents=True)
        state = State(each.folder)
        state.bind(source="final-1", database=OLD, method="physical")
        status = Status(each.folder)
        tree.begin(each, state, status)
        tree.pull(each, state, status)
        assert (each.root / file).read_text() == production.read_text() == "file 1"
        link = each.base / "current"
        link.unlink(missing_ok=True)
        link.symlink_to(f"releases/{each.release}")
        # In place, as the product does not write uploads: what shares the file's blocks sees it.
        with (each.root / file).open("r+") as shared:
            shared.write("tester")
    untouched = "upload/disk/2.pdf"
    assert all((each.root / untouched).read_text() == "file 2" for each in copies)


def test_a_copy_without_attachments_has_rows_and_code_alone(order: Order) -> None:
    small = dataclasses.replace(order, attachments=False)
    with program._alone(small):
        assert program._copy(small) == 0
    assert list((small.root / "upload").rglob("*.pdf")) == []
    assert copied(small).rows("SELECT COUNT(*) FROM b_file", NEW) == [(5,)]
    report = json.loads((small.folder / "report.json").read_text())
    assert (report["attachments"], report["lost"]["files"], report["deleted"]["files"]) == (False, 0, 0)


def test_a_stream_that_was_cut_begins_again(
    order: Order, production: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path(order.ssh).read_text()
    Path(order.ssh).write_text(f"{real.rstrip()} | head -c 100000; exit 255\n".replace("exec bash", "bash"))
    with program._alone(order), pytest.raises(InterruptedPullError, match="the line to production broke"):
        program._copy(order)
    status = json.loads((order.folder / "status.json").read_text())
    assert (status["state"], status["exit"]) == ("failed", 4)
    Path(order.ssh).write_text(real)
    with program._alone(order):
        assert program._copy(order) == 0
    assert copied(order).sums(NEW) == production.sums(OLD)


@pytest.mark.parametrize("stage", ["prepared", "purged", "database", "files"])
def test_killed_after_any_stage_it_goes_on(
    order: Order, production: Server, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = State.mark

    def die(self: State, name: str) -> None:
        if name == stage:
            raise KeyboardInterrupt
        mark(self, name)

    monkeypatch.setattr(State, "mark", die)
    with program._alone(order), pytest.raises(KeyboardInterrupt):
        program._copy(order)
    monkeypatch.setattr(State, "mark", mark)
    with program._alone(order):
        assert program._copy(order) == 0
    assert copied(order).sums(NEW) == production.sums(OLD)


def test_two_copies_at_once(order: Order) -> None:
    with (
        program._alone(order),
        pytest.raises(PullError, match="another copy is being made"),
        program._alone(order),
    ):
        pass


def test_writers_go_on_while_it_is_copied(order: Order, production: Server) -> None:
    stop, longest, written = threading.Event(), [0.0], [0]

    def write() -> None:
        with production.connect(OLD) as connection, connection.cursor() as cursor:
            while not stop.is_set():
                began = time.monotonic()
                cursor.execute("INSERT INTO b_text (BODY) VALUES ('meanwhile')")
                longest[0] = max(longest[0], time.monotonic() - began)
                written[0] += 1
                time.sleep(0.005)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with program._alone(order):
            assert program._copy(order) == 0
    finally:
        stop.set()
        writer.join()
    ((count, newest),) = copied(order).rows("SELECT COUNT(*), MAX(ID) FROM b_text", NEW)
    assert production.rows(f"SELECT COUNT(*) FROM b_text WHERE ID <= {newest}", OLD) == [(count,)]
    assert written[0] > 0


def test_statements_bring_the_same(order: Order, production: Server, tmp_path: Path) -> None:
    home = Server(tmp_path / "home")
    home.make()
    home.start()
    # On a server of another host the administrator is an account with the portal's databases, and no more.
    home.run("CREATE USER boxlift@localhost IDENTIFIED BY 'x'")
    home.run("GRANT ALL ON `portal\\_%`.* TO boxlift@localhost")
    options = tmp_path / "boxlift.cnf"
    options.write_text(f"[client]\nsocket={home.socket}\nuser=boxlift\npassword=x\n")
    try:
        path = tmp_path / "order.json"
        told = json.loads(path.read_text()) | {"method": "logical", "options_file": str(options)}
        path.write_text(json.dumps(told))
        asked = Order.read(path)
        asked.folder.mkdir(parents=True)
        logical.pull(asked, State(asked.folder), Status(asked.folder))
        assert home.sums(NEW) == production.sums(OLD)
        # Whoever owned them in production is nobody here.
        owners = f"SELECT DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA = '{NEW}'"
        assert home.rows(owners) == [("boxlift@localhost",)]
        assert home.rows(f"SELECT COUNT(*) FROM {NEW}.b_view") == [(2,)]
        home.run("INSERT INTO b_text (BODY) VALUES ('  trimmed  ')", NEW)
        assert home.rows("SELECT BODY FROM b_text ORDER BY ID DESC LIMIT 1", NEW) == [("trimmed",)]
    finally:
        home.kill()


def test_a_backup_that_holds_up_production_is_given_up(
    order: Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, programs = tmp_path / "command", tmp_path / "programs"
    command.write_text(command.read_text().replace('"$held" -ge 30', '"$held" -ge 2'))
    programs.mkdir()
    # A backup whose line stands still while it holds locks does not end by itself.
    (programs / "mariadb-backup").write_text(
        "#!/bin/sh\necho 'Acquired locks for BACKUP STAGE BLOCK_DDL' >&2\nexec sleep 60\n"
    )
    (programs / "mariadb-backup").chmod(0o700)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    began = time.monotonic()
    with program._alone(order), pytest.raises(InterruptedPullError, match="held production's tables for 2 s"):
        program._copy(order)
    assert time.monotonic() - began < 50
    assert list((tmp_path / "work").iterdir()) == []


def test_the_size_of_a_database_is_that_of_its_files(production: Server) -> None:
    database = Database({"config_file": str(production.options)})
    try:
        found = portal_side.size(database, OLD)
    finally:
        database.close()
    data = production.folder / "data"
    files = [*(data / OLD).glob("*.ibd"), data / "ibdata1"]
    assert found == pytest.approx(sum(path.stat().st_size for path in files), rel=0.3)


@contextmanager
def small(folder: Path, size: str) -> Iterator[Callable[[], object]]:
    """A disk of its own on a folder; what is yielded makes it large enough."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        yield partial(subprocess.run, ["mount", "-o", "remount,size=1g", str(folder)], check=True)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_the_disk_of_the_copy_s_database_is_full_then_it_goes_on(order: Order, production: Server) -> None:
    with small(order.copies, "9m") as grow:
        with program._alone(order), pytest.raises(InterruptedPullError, match=r"the disk of .* is full"):
            program._copy(order)
        assert not any(order.data.rglob("*"))
        grow()
        with program._alone(order):
            assert program._copy(order) == 0
        copy = copied(order)
        assert copy.sums(NEW) == production.sums(OLD)


def test_the_disk_of_the_copy_s_files_is_full_then_it_goes_on(
    order: Order, production: Server, portal: Path
) -> None:
    upload = portal / "releases" / "final-1" / "upload" / "disk"
    (upload / "large.bin").write_bytes(os.urandom(3_000_000))
    with small(order.base / "releases", "2m") as grow:
        with program._alone(order), pytest.raises(InterruptedPullError, match=r"the disk of .* is full"):
            program._copy(order)
        streamed = json.loads((order.folder / "state.json").read_text())["stages"]["stream"]
        grow()
        with program._alone(order):
            assert program._copy(order) == 0
        assert json.loads((order.folder / "state.json").read_text())["stages"]["stream"] == streamed
        there = (order.root / "upload" / "disk" / "large.bin").read_bytes()
        assert there == (upload / "large.bin").read_bytes()


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_the_disk_of_production_is_full(
    order: Order, production: Server, portal: Path, tmp_path: Path, when: str
) -> None:
    work = tmp_path / "work"
    fill = f"head -c 100000000 /dev/zero >{work}/fill 2>/dev/null"
    programs = tmp_path / "programs"
    programs.mkdir()
    backup = programs / "mariadb-backup"
    backup.write_text(
        f'#!/bin/sh\n{fill if when == "meanwhile" else ":"}\nexec {shutil.which(backup.name)} "$@"\n'
    )
    backup.chmod(0o700)
    real = order.ssh.read_text()
    order.ssh.write_text(
        real.replace(
            "#!/bin/bash\n", f"#!/bin/bash\n{fill if when == 'before' else ':'}\nPATH={programs}:$PATH\n"
        )
    )
    before = fingerprint(production, portal)
    with small(work, "3m"):
        with (
            program._alone(order),
            pytest.raises(InterruptedPullError, match="production's disk is full") as told,
        ):
            program._copy(order)
        assert told.value.cure == "make room there, then start again"
        assert {path.name for path in work.iterdir()} == {"fill"}
    assert fingerprint(production, portal) == before
    order.ssh.write_text(real)
    with program._alone(order):
        assert program._copy(order) == 0
    assert copied(order).sums(NEW) == production.sums(OLD)
