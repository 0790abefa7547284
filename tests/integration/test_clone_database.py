"""A copy between two servers of the tests' own: hot backup, prepared, purged, named, and checked."""

from __future__ import annotations

import dataclasses
import getpass
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from ansible.module_utils.boxlift_sql import Database

from boxlift_reader.fault import InterruptedPullError, PullError
from boxlift_reader.state import State, Status
from library import portal_side
from roles.portal_clone.files.boxlift_clone import __main__ as program
from roles.portal_clone.files.boxlift_clone import logical, physical, rows, server
from roles.portal_clone.files.boxlift_clone.order import Order
from tests.templates.renderer import renderer_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(shutil.which, ("mariadb-backup", "zstd", "mariadb-install-db"))),
        reason="mariadb-backup or zstd is not installed (apt-get install mariadb-backup zstd)",
    ),
]
ME = getpass.getuser()
OLD, NEW = "portal_final_1", "portal_clone_20261122100000"
TABLES = """
CREATE TABLE b_file (ID INT PRIMARY KEY AUTO_INCREMENT, SUBDIR VARCHAR(255), FILE_NAME VARCHAR(255),
  FILE_SIZE BIGINT, HANDLER_ID VARCHAR(50));
CREATE TABLE b_text (ID INT PRIMARY KEY AUTO_INCREMENT, BODY LONGTEXT, FULLTEXT KEY BODY (BODY));
CREATE TABLE b_blob (ID INT PRIMARY KEY, BODY LONGBLOB) ROW_FORMAT=COMPRESSED;
CREATE TABLE b_old (ID INT PRIMARY KEY, WORD VARCHAR(50)) ENGINE=MyISAM;
CREATE TABLE b_parent (ID INT PRIMARY KEY) ENGINE=InnoDB;
CREATE TABLE b_child (ID INT PRIMARY KEY, PARENT INT,
  FOREIGN KEY (PARENT) REFERENCES b_parent (ID) ON DELETE CASCADE);
CREATE TABLE `b_with-dash` (ID INT PRIMARY KEY);
CREATE TRIGGER b_text_insert BEFORE INSERT ON b_text FOR EACH ROW SET NEW.BODY = TRIM(NEW.BODY);
CREATE VIEW b_view AS SELECT ID FROM b_text;
INSERT INTO b_text (BODY) VALUES ('привет 🙂'), ('second');
INSERT INTO b_blob VALUES (1, REPEAT(UNHEX('00FF27'), 10000));
INSERT INTO b_old VALUES (1, 'old');
INSERT INTO b_parent VALUES (1), (2);
INSERT INTO b_child VALUES (1, 1), (2, 2);
"""


class Server:
    """A MariaDB in a folder."""

    def __init__(self, folder: Path, settings: tuple[str, ...] = ()) -> None:
        self.folder, self.socket = folder, folder / "s.sock"
        self.options = folder / "client.cnf"
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        self.folder.mkdir()
        subprocess.run(
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={self.folder / 'data'}",
                f"--user={ME}",
                "--auth-root-authentication-method=socket",
                f"--auth-root-socket-user={ME}",
                "--skip-test-db",
            ],
            check=True,
            capture_output=True,
        )
        self.options.write_text(f"[client]\nsocket={self.socket}\nuser=root\n")

    def start(self, *words: str) -> None:
        own = words or (
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder / 'pid'}",
            "--skip-networking",
            "--innodb-buffer-pool-size=32M",
            *self._settings,
        )
        program = shutil.which("mariadbd", path="/usr/sbin:/usr/bin") or "mariadbd"
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, *own, f"--user={ME}", f"--tmpdir={self.folder}"], stdout=log, stderr=log
            )
        for _ in range(300):
            try:
                self.connect().close()
            except pymysql.MySQLError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError((self.folder / "log").read_text()[-3000:])

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)

    def connect(self, database: str | None = None) -> pymysql.Connection[Any]:
        return pymysql.connect(unix_socket=str(self.socket), user="root", database=database, autocommit=True)

    def run(self, statements: str, database: str | None = None) -> None:
        subprocess.run(
            [
                "mariadb",
                f"--defaults-file={self.options}",
                "--default-character-set=utf8mb4",
                *([database] if database else []),
            ],
            input=statements,
            text=True,
            check=True,
        )

    def rows(self, statement: str, database: str | None = None) -> list[tuple[Any, ...]]:
        with self.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def sums(self, database: str) -> dict[str, int]:
        tables = [
            name for name, kind in self.rows(f"SHOW FULL TABLES FROM {database}") if kind == "BASE TABLE"
        ]
        return {name: self.rows(f"CHECKSUM TABLE {database}.`{name}`")[0][1] for name in tables}


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


def copied(order: Order) -> Server:
    found = Server(order.folder)
    found.socket = order.socket
    return found


@pytest.fixture
def short() -> Iterator[str]:
    """A folder for sockets, whose paths have at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="c-") as name:
        yield name


@pytest.fixture
def order(
    tmp_path: Path,
    portal: Path,
    production: Server,
    short: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Order]:
    """A copy into folders of the test; the source's one command runs here instead of over SSH."""
    (tmp_path / "inventory").mkdir()
    example = renderer_of("example", tmp_path / "inventory")
    command = tmp_path / "command"
    command.write_text(
        example.text(
            "portal_reader",
            "source.sh.j2",
            portal_reader_base_path=str(portal),
            portal_reader_database_options_file=str(production.options),
            __portal_reader_release="final-1",
            __portal_reader_work=str(tmp_path),
        )
    )
    ssh = tmp_path / "ssh"
    ssh.write_text(
        "#!/bin/bash\nwhile [[ $1 == -* ]]; do shift; done\nshift\n"
        f'SSH_ORIGINAL_COMMAND="$*" exec bash {command}\n'
    )
    ssh.chmod(0o700)
    base, settings = tmp_path / "staging", tmp_path / "settings"
    (base / "releases").mkdir(parents=True)
    settings.mkdir()
    (settings / "70.cnf").write_text("[mysqld]\ninnodb_flush_method = fsync\n")
    told = {
        "release": "clone-20261122100000",
        "method": "physical",
        "ssh": str(ssh),
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
    physical.pull(order, state, status)
    production.run("DELETE FROM b_file WHERE ID = 3", OLD)
    (portal / "releases" / "final-1" / "upload" / "disk" / "3.pdf").unlink()
    program._fill(order, status)
    report = json.loads((order.folder / "report.json").read_text())
    assert report["lost"]["listed"] == ["2 disk/2.pdf"]
    assert report["deleted"]["listed"] == ["3 disk/3.pdf"]
    (order.root / "upload" / "disk" / "4.pdf").unlink()
    assert rows.check(order).late == ["4 disk/4.pdf"]


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
    try:
        path = tmp_path / "order.json"
        told = json.loads(path.read_text()) | {"method": "logical", "options_file": str(home.options)}
        path.write_text(json.dumps(told))
        asked = Order.read(path)
        asked.folder.mkdir(parents=True)
        logical.pull(asked, State(asked.folder), Status(asked.folder))
        assert home.sums(NEW) == production.sums(OLD)
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
    assert list(tmp_path.glob("boxlift-reader.*")) == []


def test_the_size_of_a_database_is_that_of_its_files(production: Server) -> None:
    database = Database({"config_file": str(production.options)})
    try:
        found = portal_side.size(database, OLD)
    finally:
        database.close()
    data = production.folder / "data"
    files = [*(data / OLD).glob("*.ibd"), data / "ibdata1"]
    assert found == pytest.approx(sum(path.stat().st_size for path in files), rel=0.3)
