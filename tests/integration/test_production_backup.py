"""A backup of a server at work: pulled, restored as a test, compared; what is damaged is no backup."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from programs import needs

from boxlift_reader import source
from boxlift_reader.fault import DatabaseError, InterruptedPullError, PullError, RefusedError
from boxlift_reader.order import Method
from boxlift_reader.state import State
from roles.production_backup.files.boxlift_backup import __main__ as program
from roles.production_backup.files.boxlift_backup import database, retention, tree, trial
from roles.production_backup.files.boxlift_backup.order import Order
from tests.integration.source_server import ME, OLD, Server

pytestmark = [
    pytest.mark.slow,
    needs(
        *("mariadb-backup", "zstd", "mariadb-install-db", "rsync"),
        package="mariadb-server-core mariadb-backup zstd rsync",
    ),
]
NAME = "20261122100000"
ROLES = Path(__file__).parents[2] / "roles"
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": f"{ROLES / 'production_backup/files'}:{ROLES / 'portal_reader/files'}",
    "PYTHONDONTWRITEBYTECODE": "1",
}
DOCUMENT = Path(__file__).parents[2] / "docs" / "backup.md"
# What stands for the hosts of the document: one folder for both, a server without systemd.
PROGRAMS = {
    "ssh": 'while [[ $1 == -* ]]; do shift 2; done; shift; exec bash -c "$*"',
    "chown": 'echo "chown $*" >>"$LOG"',
    "systemctl": """
echo "$*" >>"$LOG"
case "$*" in
    "list-units "*)
        echo "portal-agents.timer loaded active waiting" ;;
    "stop mariadb")
        kill "$(cat "$SERVER/pid")"
        for _ in {1..300}; do [ -e "$SERVER/pid" ] || break; sleep 0.1; done ;;
    "start mariadb")
        mariadbd --no-defaults --user="$ME" --datadir="$SERVER/data" --socket="$SERVER/s.sock" \
            --pid-file="$SERVER/pid" --skip-networking </dev/null >/dev/null 2>&1 &
        for _ in {1..300}; do
            mariadb --defaults-file="$SERVER/client.cnf" -e 'SELECT 1' >/dev/null 2>&1 && break
            sleep 0.1
        done ;;
esac""",
}
FULL = """\
set -u
mount -t tmpfs -o size=14m,mode=0711 tmpfs "$1"
"$2" -m boxlift_backup "$3"
echo $?
mount -o remount,size=400m "$1"
"$2" -m boxlift_backup "$3"
echo $?
ls "$1"
"""


@pytest.fixture
def order(tmp_path: Path, reader: Path, production: Server, portal: Path, short: str) -> Order:
    """A backup into a folder of the test."""
    production.run("CREATE TABLE b_user (ID INT PRIMARY KEY); INSERT INTO b_user VALUES (1), (2)", OLD)
    bitrix = portal / "releases" / "final-1" / "bitrix"
    (bitrix / "cache").mkdir(parents=True)
    (bitrix / ".settings.php").write_text("<?php // secrets")
    (bitrix / "cache" / "page.php").write_text("made anew")
    folder = tmp_path / "backups"
    folder.mkdir()
    told = {
        "name": NAME,
        "method": "physical",
        "why": "the same version",
        "comparable": True,
        "ssh": str(reader),
        "address": "production",
        "release": "final-1",
        "database": OLD,
        "database_bytes": 1000,
        "files_bytes": 1000,
        "folder": str(folder),
        "account": ME,
        "sockets": short,
        "bandwidth_kb": 0,
        "memory_mb": 32,
        "upload": "upload",
        "keep": 3,
        "free_percent": 0,
        "resume_hours": 24.0,
    }
    (tmp_path / "order.json").write_text(json.dumps(told))
    return Order.read(tmp_path / "order.json")


@pytest.fixture
def restored(tmp_path: Path, order: Order) -> Iterator[Server]:
    """A server that begins with the data files of the backup, as the documentation restores them."""
    found = Server(tmp_path / "restored")
    found.folder.mkdir()
    found.options.write_text(f"[client]\nsocket={found.socket}\nuser=root\n")
    yield found
    found.kill()


def backed_up(order: Order) -> dict[str, Any]:
    with program._alone(order):
        assert program._back_up(order) == 0
    found: dict[str, Any] = json.loads((order.folder / order.name / "proof.json").read_text())
    return found


def named(order: Order, name: str) -> Order:
    return dataclasses.replace(order, name=name)


def fingerprint(production: Server, portal: Path) -> str:
    """All that must not change in production."""
    seen = hashlib.sha256(repr(sorted(production.sums(OLD).items())).encode())
    seen.update(repr(production.rows("SELECT User, Host FROM mysql.user ORDER BY 1, 2")).encode())
    seen.update(repr(production.rows("SHOW DATABASES")).encode())
    for path in sorted(portal.rglob("*")):
        seen.update(f"{path} {path.lstat().st_mtime_ns}".encode())
    return seen.hexdigest()


def test_a_backup_that_is_restored_serves_what_production_had(
    order: Order, production: Server, portal: Path, restored: Server, tmp_path: Path
) -> None:
    before = fingerprint(production, portal)
    proof = backed_up(order)
    assert fingerprint(production, portal) == before
    assert list((tmp_path / "work").iterdir()) == []
    assert (proof["release"], proof["method"], proof["users"]) == ("final-1", "physical", 2)
    assert proof["tables"] == proof["tables_equal"] == len(production.sums(OLD))
    assert (proof["compared"], proof["tables_changed_meanwhile"]) == ("checksums", [])
    assert (proof["rows_with_file"], proof["changed_meanwhile"]) == (5, 0)
    backup = order.folder / NAME
    assert sorted(path.name for path in order.folder.iterdir()) == [".lock", NAME, "last.json", "status.json"]
    assert sorted(path.name for path in backup.iterdir()) == [
        "boxlift.sql",
        "changed.txt",
        "database",
        "files",
        "proof.json",
    ]
    assert (backup / "files" / "bitrix" / ".settings.php").read_text() == "<?php // secrets"
    assert not (backup / "files" / "bitrix" / "cache").exists()
    assert (backup / "proof.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in order.sockets.iterdir()] == ["client.cnf"]
    # As the documentation does it.
    shutil.copytree(backup / "database", restored.folder / "data")
    restored.start()
    assert restored.sums(OLD) == production.sums(OLD)
    assert ("portal", "localhost") in restored.rows("SELECT User, Host FROM mysql.user")
    restored.run((backup / "boxlift.sql").read_text())
    assert restored.rows("SELECT COUNT(*) FROM boxlift.environment") == [(0,)]
    restored.run("INSERT INTO b_text (BODY) VALUES ('written afterwards')", OLD)


@pytest.mark.parametrize(("method", "not_meant"), [("physical", "$sql"), ("logical", "stop mariadb")])
def test_the_document_s_commands_restore_production(
    order: Order, production: Server, portal: Path, tmp_path: Path, method: str, not_meant: str
) -> None:
    production.run("INSERT INTO boxlift.environment VALUES (7)")
    backed_up(dataclasses.replace(order, method=Method(method)))
    before, root = production.sums(OLD), portal / "releases" / "final-1"
    production.run("DELETE FROM b_user; DROP TABLE b_text; INSERT INTO boxlift.environment VALUES (8)", OLD)
    (root / "bitrix" / ".settings.php").unlink()
    (root / "upload" / "later.txt").write_text("written afterwards")
    (portal / "current").unlink()
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(0o700)
    blocks = re.findall(r"^```sh\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    (other,) = [block for block in blocks if not_meant in block]
    blocks.remove(other)
    script = "".join(blocks)
    for old, new in {
        "/var/backups/boxlift/20261122220000": str(order.folder / NAME),
        "/var/lib/mysql": str(production.folder / "data"),
        "/etc/boxlift/database.cnf": str(production.options),
        "/srv/portal": str(portal),
        "/root/proof.json": str(tmp_path / "proof.json"),
    }.items():
        assert old in script + other
        script = script.replace(old, new)
    folders = {"SERVER": str(production.folder), "LOG": str(tmp_path / "log"), "ME": ME}
    done = subprocess.run(
        ["bash", "-c", f"set -eo pipefail\n{script}"],
        env={**os.environ, **folders, "PATH": f"{programs}:/usr/sbin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        assert done.returncode == 0, done.stderr
        assert production.sums(OLD) == before
        assert production.rows("SELECT ID FROM boxlift.environment") == [(7,)]
        assert (portal / "current" / "bitrix" / ".settings.php").read_text() == "<?php // secrets"
        assert not (root / "upload" / "later.txt").exists()
        # Nothing writes while it is put back, and everything that was stopped runs again.
        said = (tmp_path / "log").read_text().splitlines()
        stopped = next(line for line in said if line.startswith("stop portal-agents")).split()[1:]
        started = " ".join(line for line in said if line.startswith("start ")).split()
        assert {"portal-agents.timer", "nginx"} <= set(stopped)
        assert {name for name in stopped if "*" not in name} <= set(started)
        assert not (tmp_path / "proof.json").exists()
    finally:
        subprocess.run(["pkill", "--pidfile", str(production.folder / "pid")], check=False)


def test_statements_are_restored_and_compared_too(order: Order, production: Server) -> None:
    proof = backed_up(dataclasses.replace(order, method=Method.LOGICAL, comparable=False))
    assert (proof["method"], proof["compared"]) == ("logical", "numbers of rows")
    assert proof["tables_equal"] == proof["tables"] == len(production.sums(OLD))
    assert (order.folder / NAME / "database.sql.zst").is_file()
    assert not (order.folder / NAME / "trial").exists()
    again = named(dataclasses.replace(order, method=Method.LOGICAL), "20261122110000")
    assert backed_up(again)["compared"] == "checksums"


@pytest.mark.parametrize("method", list(Method))
def test_a_table_in_memory_hinders_no_backup(order: Order, production: Server, method: Method) -> None:
    production.run("CREATE TABLE b_online (ID INT) ENGINE=MEMORY; INSERT INTO b_online VALUES (1)", OLD)
    # Made before the backup begins, by the clock's seconds: no table that changed meanwhile.
    time.sleep(1.1)
    proof = backed_up(dataclasses.replace(order, method=method))
    assert proof["tables_changed_meanwhile"] == ["b_online"]
    assert proof["tables_equal"] == proof["tables"] - 1


def test_what_production_writes_meanwhile_is_told(
    order: Order, production: Server, portal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = database._files

    def busy(*given: Any) -> Any:
        moved = pull(*given)
        production.run("INSERT INTO b_text (BODY) VALUES ('later'); CREATE TABLE b_new (ID INT)", OLD)
        production.run("DROP TABLE b_child", OLD)
        return moved

    seen = tree.pull

    def later(*given: Any) -> None:
        seen(*given)
        (portal / "releases" / "final-1" / "upload" / "disk" / "1.pdf").write_text("another text")

    monkeypatch.setattr(database, "_files", busy)
    monkeypatch.setattr(tree, "pull", later)
    proof = backed_up(order)
    assert proof["tables_changed_meanwhile"] == ["b_child", "b_new", "b_text"]
    assert (proof["changed_meanwhile"], proof["damaged_meanwhile"]) == (1, 0)
    folder = order.folder / NAME
    assert (folder / "changed.txt").read_text().endswith(" upload/disk/1.pdf\n")
    assert (folder / "files" / "upload" / "disk" / "1.pdf").read_text() == "another text"


def test_a_table_that_differs_though_nobody_wrote_to_it_is_no_backup(
    order: Order, production: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = source.ask

    def wrong(way: source.Way, word: str, told: str = "", *, seconds: float | None = 600) -> str:
        said = ask(way, word, told, seconds=seconds)
        return said.replace("b_parent\t", "b_parent\t9", 1) if word == "sums" else said

    time.sleep(1.1)
    monkeypatch.setattr(source, "ask", wrong)
    with (
        program._alone(order),
        pytest.raises(DatabaseError, match=r"1 tables .* b_parent \(differs\)"),
    ):
        program._back_up(order)
    assert retention.backups(order.folder) == []
    assert json.loads((order.folder / "status.json").read_text())["exit"] == 7
    monkeypatch.setattr(source, "ask", ask)
    # The database is pulled anew, the files are not.
    assert backed_up(order)["transfer"]["files"] == 0


def test_a_database_that_does_not_come_up_is_no_backup(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    pull = tree.pull

    def broken(*given: Any) -> None:
        pull(*given)
        path = order.data / OLD / "b_parent.ibd"
        path.write_bytes(path.read_bytes()[: 3 * 16384] + os.urandom(path.stat().st_size - 3 * 16384))

    monkeypatch.setattr(tree, "pull", broken)
    with program._alone(order), pytest.raises(DatabaseError):
        program._back_up(order)
    assert retention.backups(order.folder) == []
    monkeypatch.setattr(tree, "pull", pull)
    assert backed_up(order)["tables_changed_meanwhile"] == []


def test_data_files_that_no_server_takes_say_why(order: Order) -> None:
    order.data.mkdir(parents=True)
    (order.data / "ibdata1").write_bytes(b"no pages")
    with pytest.raises(DatabaseError, match=r"does not start: InnoDB.*ib_logfile0"), trial.files(order):
        pass


def test_unchanged_uploads_are_shared_and_nothing_else_is(order: Order, portal: Path) -> None:
    backed_up(order)
    disk = portal / "releases" / "final-1" / "upload" / "disk"
    (disk / "2.pdf").write_text("changed since")
    proof = backed_up(named(order, "20261122110000"))
    assert proof["transfer"]["files"] == 1
    old, new = (order.folder / name / "files" for name in (NAME, "20261122110000"))
    assert (old / "upload/disk/1.pdf").samefile(new / "upload/disk/1.pdf")
    assert (old / "upload/disk/2.pdf").read_text() == "file 2"
    assert (new / "upload/disk/2.pdf").read_text() == "changed since"
    assert not (old / "bitrix/.settings.php").samefile(new / "bitrix/.settings.php")


def test_a_file_that_rotted_in_the_former_backup_is_pulled_again(order: Order) -> None:
    backed_up(order)
    rotten = order.folder / NAME / "files/upload/disk/3.pdf"
    moment = rotten.stat()
    rotten.write_text("filE 3")
    os.utime(rotten, ns=(moment.st_atime_ns, moment.st_mtime_ns))
    proof = backed_up(named(order, "20261122110000"))
    assert (proof["changed_meanwhile"], proof["damaged_meanwhile"]) == (1, 1)
    assert (order.folder / "20261122110000/files/upload/disk/3.pdf").read_text() == "file 3"


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("stage", ["database", "said", "files"])
def test_killed_at_any_stage_the_next_run_goes_on(
    order: Order, production: Server, method: Method, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = dataclasses.replace(order, method=method)
    with monkeypatch.context() as patched:
        for name in ("mark", "measure"):
            real = getattr(State, name)

            def die(self: State, done: str, *rest: Any, real: Any = real) -> None:
                if done == stage:
                    raise KeyboardInterrupt
                real(self, done, *rest)

            patched.setattr(State, name, die)
        with program._alone(asked), pytest.raises(KeyboardInterrupt):
            program._back_up(asked)
    assert retention.backups(order.folder) == []
    pulled: list[str] = []
    command = source.command

    def noted(way: source.Way, word: str) -> list[str]:
        pulled.append(word)
        return command(way, word)

    monkeypatch.setattr(source, "command", noted)
    proof = backed_up(named(asked, "20261122120000"))
    assert proof["tables_equal"] == len(production.sums(OLD))
    assert ("moment" in pulled) == (stage == "database")
    assert [path.name for path in retention.backups(order.folder)] == ["20261122120000"]
    assert not order.work.exists()


def test_killed_in_the_middle_nothing_runs_on(order: Order, tmp_path: Path, reader: Path) -> None:
    # The stream is slow, so that the kill meets it.
    reader.write_text(
        reader.read_text().replace("exec bash", "bash").rstrip() + " | { head -c 9000; sleep 60; }\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "boxlift_backup", str(tmp_path / "order.json")],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
    )
    for _ in range(300):
        if order.data.is_dir():
            break
        time.sleep(0.1)
    with pytest.raises(RefusedError, match="another backup is being made"), program._alone(order):
        pass
    process.terminate()
    process.communicate(timeout=60)
    status = json.loads((order.folder / "status.json").read_text())
    assert (status["state"], status["exit"]) == ("failed", 4)
    assert retention.backups(order.folder) == []


def test_a_stream_that_was_cut(order: Order, production: Server, reader: Path) -> None:
    real = reader.read_text()
    reader.write_text(f"{real.rstrip()} | head -c 100000; exit 255\n".replace("exec bash", "bash"))
    with program._alone(order), pytest.raises(InterruptedPullError, match="the line to production broke"):
        program._back_up(order)
    reader.write_text(real)
    assert backed_up(order)["tables_equal"] == len(production.sums(OLD))


def test_a_database_of_yesterday_is_pulled_again(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise InterruptedPullError("away")

    pull = tree.pull
    monkeypatch.setattr(tree, "pull", away)
    with program._alone(order), pytest.raises(InterruptedPullError, match="away"):
        program._back_up(order)
    monkeypatch.setattr(tree, "pull", pull)
    first = State(order.work).done("database")
    assert first is not None
    proof = backed_up(dataclasses.replace(order, resume_hours=0.0))
    assert proof["database_as_of"] > first


def test_another_release_became_active(order: Order, portal: Path) -> None:
    (portal / "current").unlink()
    (portal / "current").symlink_to("releases/final-2")
    with program._alone(order), pytest.raises(PullError, match="serves release final-2 now"):
        program._back_up(order)


def test_the_same_name_twice(order: Order) -> None:
    backed_up(order)
    with program._alone(order), pytest.raises(RefusedError, match="already"):
        program._back_up(order)


def test_no_more_than_are_kept(order: Order) -> None:
    for hour in range(10, 14):
        backed_up(dataclasses.replace(order, name=f"202611221{hour % 10}0000", keep=2))
    assert [path.name for path in retention.backups(order.folder)] == ["20261122120000", "20261122130000"]


def test_writers_go_on_while_it_is_backed_up(order: Order, production: Server) -> None:
    stop, written = threading.Event(), [0]

    def write() -> None:
        with production.connect(OLD) as connection, connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute("INSERT INTO b_text (BODY) VALUES ('meanwhile')")
                written[0] += 1
                time.sleep(0.005)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        proof = backed_up(order)
    finally:
        stop.set()
        writer.join()
    assert proof["tables_changed_meanwhile"] == ["b_text"]
    assert written[0] > 0


def test_what_was_under_way_and_never_committed_is_in_no_backup(order: Order, production: Server) -> None:
    time.sleep(1.1)
    with production.connect(OLD) as connection, connection.cursor() as cursor:
        connection.begin()
        cursor.execute("INSERT INTO b_text (BODY) SELECT REPEAT('x', 1000) FROM seq_1_to_2000")
        proof = backed_up(order)
        connection.rollback()
    assert proof["tables_changed_meanwhile"] == []


def test_a_portal_without_users_is_none(order: Order, production: Server) -> None:
    production.run("DELETE FROM b_user", OLD)
    with program._alone(order), pytest.raises(DatabaseError, match="no users"):
        program._back_up(order)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_disk_that_fills_up(order: Order, tmp_path: Path, production: Server) -> None:
    words = [str(order.folder), sys.executable, str(tmp_path / "order.json")]
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", FULL, "bash", *words],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["4", "0", NAME, "last.json", "status.json"], done.stderr
    assert "is full" in done.stderr
    assert "make room" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to another account and takes them back")
def test_the_test_runs_under_an_account_of_its_own(order: Order, short: str) -> None:
    with tempfile.TemporaryDirectory(prefix="b-") as name:
        for folder in (name, short):
            Path(folder).chmod(0o711)
        asked = dataclasses.replace(order, folder=Path(name), account="daemon")
        assert backed_up(asked)["tables_changed_meanwhile"] == []
        assert {path.owner() for path in Path(name).rglob("*")} == {"root"}
        closed = ["runuser", "-u", "daemon", "--", "ls"]
        for path in (name, f"{name}/{NAME}", f"{name}/{NAME}/database", f"{name}/{NAME}/files/upload"):
            assert subprocess.run([*closed, path], capture_output=True, check=False).returncode != 0
        backed_up(dataclasses.replace(asked, name="20261122110000", method=Method.LOGICAL))


def test_a_small_disk(order: Order, production: Server, tmp_path: Path) -> None:
    with (
        program._alone(order),
        pytest.raises(InterruptedPullError, match=r"lacks [\d.]+ GB of room"),
    ):
        program._back_up(dataclasses.replace(order, database_bytes=1 << 50))
    assert retention.backups(order.folder) == []


def test_what_the_source_says_of_its_tables(order: Order, production: Server) -> None:
    assert source.ask(order, "moment").strip().isdigit()
    assert "CREATE TABLE `environment`" in source.ask(order, "register")
    figures, times, rest = source.ask(order, "counts").split("\n\n")
    assert "b_user\t2" in figures.splitlines()
    assert "b_with-dash\t0" in figures.splitlines()
    assert {line.split("\t")[0] for line in times.splitlines()} == set(production.sums(OLD))
    assert rest == ""
