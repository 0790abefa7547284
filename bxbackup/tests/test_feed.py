"""Dumps that are loaded while they arrive: equal to those loaded at once, whatever happens on the way."""

from __future__ import annotations

import errno
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pymysql
import pytest
from backup_samples import M1
from database_server import DatabaseServer
from loading import FINISHED, STARTED, Loading, write_dump

import bxbackup.catalogue
import bxbackup.crew
from bxbackup.catalogue import Table
from bxbackup.crew import Crew, LoadProgress
from bxbackup.dump import find_dump
from bxbackup.errors import AbsentError, BackupError, DamagedError, RefusedError, UsageError
from bxbackup.feed import Feed, Piece
from bxbackup.load import LoadResult, load_feed
from bxbackup.server import Session

AFTER = "portal_after_connect.sql"


def table(name: str, *keys: str) -> bytes:
    lines = ["`ID` int(11) NOT NULL", "`A` varchar(200) DEFAULT NULL", "PRIMARY KEY (`ID`)", *keys]
    body = ",\n  ".join(lines)
    return f"CREATE TABLE `{name}` (\n  {body}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4".encode()


def insert(name: str, first: int, count: int = 20) -> bytes:
    rows = ",\n".join(f"({number},'{'x' * 90};\\n{number}')" for number in range(first, first + count))
    return f"INSERT INTO `{name}` VALUES\n{rows}".encode()


def text(*statements: bytes) -> bytes:
    return STARTED + b"".join(statement + b";\n" for statement in statements) + FINISHED


class Writer:
    """Stands for the unpacking: writes a dump's files step by step and tells the feed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.feed = Feed(folder)
        self._pieces: dict[str, Piece] = {}

    def write(self, name: str, data: bytes, *, whole: bool = False, tell: bool = True) -> None:
        """Append to a file; nobody may read it before it is told."""
        path = self.feed.folder / name
        with path.open("ab") as file:
            file.write(data)
        self._pieces[name] = Piece(name, path.stat().st_size, whole)
        if tell:
            self.tell()

    def tell(self, *, passed: bool = False) -> None:
        """A part was unpacked."""
        self.feed.grown(list(self._pieces.values()), passed=passed)


class Growing:
    """A load in a thread, of a dump that a test writes meanwhile."""

    def __init__(self, loading: Loading, folder: Path) -> None:
        self.loading = loading
        self.writer = Writer(folder)
        self.result: LoadResult | None = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._load, daemon=True)
        self._thread.start()

    def _load(self) -> None:
        try:
            self.result = load_feed(self.writer.feed, self.loading.options())
        except BackupError as error:
            self.error = error

    def until(self, reached: Callable[[LoadProgress], bool]) -> None:
        """Wait until the load has come so far."""
        deadline = time.monotonic() + 60
        while not (self.loading.said and reached(self.loading.said[-1])):
            assert time.monotonic() < deadline, (self.loading.said[-1:], self.error)
            assert self._thread.is_alive(), self.error
            time.sleep(0.02)

    def end(self, *, whole: bool = True) -> LoadResult | None:
        """No more will come; what the load gives."""
        self.writer.feed.end(whole=whole)
        self._thread.join(60)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error
        return self.result


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every statement a transaction, a few a lot, each told at once."""
    monkeypatch.setattr(bxbackup.crew, "REPORT_EVERY", 0.0)
    monkeypatch.setattr(bxbackup.catalogue, "TRANSACTION", 1)
    monkeypatch.setattr(bxbackup.catalogue, "LOT", 5000)


@pytest.fixture
def growing(loading: Loading, tmp_path: Path) -> Growing:
    """A load that waits for the first bytes of its dump."""
    return Growing(loading, tmp_path / "dump")


def count(loading: Loading, name: str) -> object:
    return loading.rows(f"SELECT COUNT(*) FROM `{name}`")[0][0]


def test_tables_are_loaded_while_the_dump_arrives(growing: Growing) -> None:
    dump = text(
        table("a", "KEY `k` (`A`)"),
        *[insert("a", first) for first in range(0, 200, 20)],
        table("b"),
        insert("b", 1),
        b"CREATE VIEW `v` AS select `a`.`ID` AS `ID` from `a`",
    )
    half = dump.index(b"(100,")
    growing.writer.write("portal.sql", dump[:half])
    growing.until(lambda at: at.rows == 100)
    assert growing.loading.said[-1].known is False
    growing.writer.write("portal.sql", dump[half:], whole=True)
    growing.until(lambda at: at.loaded == 2)
    result = growing.end()
    assert result is not None
    assert (result.tables, result.views, result.rows, result.resumed) == (2, 1, 220, False)
    assert growing.loading.tables == {"a", "b", "v"}
    assert growing.loading.rows("SELECT COUNT(*), SUM(ID) FROM a") == [(200, 19900)]
    assert [row[2] for row in growing.loading.rows("SHOW INDEX FROM a")] == ["PRIMARY", "k"]
    assert growing.loading.said[-1].known is True


def test_a_dump_that_arrives_byte_by_byte_and_in_several_files(growing: Growing) -> None:
    statements = [
        table("a"),
        *[insert("a", first) for first in range(0, 100, 20)],
        table("b"),
        insert("b", 1),
    ]
    dump = text(*statements)
    cuts = sorted(random.Random(3).sample(range(1, len(dump)), 40))
    cut = dump.index(insert("a", 60))
    for first, last in zip([0, *cuts], [*cuts, len(dump)], strict=True):
        for name, start, end in (("portal.sql", 0, cut), ("portal.sql.1", cut, len(dump))):
            piece = dump[max(first, start) : min(last, end)] if first < end and last > start else b""
            if piece:
                growing.writer.write(name, piece, whole=last >= end)
    growing.writer.tell(passed=True)
    result = growing.end()
    assert result is not None
    assert (result.tables, result.rows) == (2, 120)
    assert growing.loading.rows("SELECT COUNT(*), SUM(ID) FROM a") == [(100, 4950)]


def test_a_sample_loaded_while_it_arrives_equals_its_manifest(
    growing: Growing, sample_dumps: dict[str, Path]
) -> None:
    dump = find_dump(sample_dumps["M1"])
    assert dump.after_connect is not None
    for path in dump.files:
        data = path.read_bytes()
        for start in range(0, len(data), 50_000):
            growing.writer.write(path.name, data[start : start + 50_000])
        growing.writer.write(path.name, b"", whole=True)
    growing.writer.write(dump.after_connect.name, dump.after_connect.read_bytes(), whole=True)
    growing.writer.tell(passed=True)
    result = growing.end()
    assert result is not None
    assert (result.tables, result.rows) == (58, 4301)
    assert growing.loading.server.wrong_tables(growing.loading.database, M1.manifest) == {}


@pytest.mark.parametrize("passed", [True, False])
def test_a_dump_cut_before_its_last_line_keeps_its_tables_and_is_never_done(
    passed: bool, growing: Growing
) -> None:
    dump = text(table("a"), insert("a", 1), table("b"), insert("b", 1))
    growing.writer.write("portal.sql", dump[: -len(FINISHED)], whole=True, tell=False)
    growing.writer.tell(passed=passed)
    with pytest.raises(DamagedError, match="cut short") as stopped:
        growing.end()
    assert "stay" in str(stopped.value.kept)
    assert growing.loading.tables == {"a", "b", "bxbackup_load"}
    assert growing.loading.said[-1].loaded == 1


def test_an_archive_that_stops_in_its_middle_is_gone_on_with(
    growing: Growing, loading: Loading, tmp_path: Path
) -> None:
    dump = text(table("a"), *[insert("a", first) for first in range(0, 100, 20)], table("b"), insert("b", 1))
    half = dump.index(b"(50,")
    growing.writer.write("portal.sql", dump[:half])
    assert growing.end(whole=False) is None
    assert count(loading, "a") == 40
    again = Growing(loading, tmp_path / "dump")
    (tmp_path / "dump" / "portal.sql").write_bytes(b"")
    again.writer.write("portal.sql", dump, whole=True)
    result = again.end()
    assert result is not None
    assert (result.rows, result.resumed) == (120, True)
    assert loading.rows("SELECT COUNT(*), SUM(ID) FROM a") == [(100, 4950)]


def test_another_dump_in_its_place_does_not_go_on(growing: Growing, loading: Loading, tmp_path: Path) -> None:
    dump = text(table("a"), insert("a", 1), table("b"), insert("b", 1))
    growing.writer.write("portal.sql", dump[: dump.index(b"CREATE TABLE `b`")])
    growing.until(lambda at: at.rows >= 0)
    assert growing.end(whole=False) is None
    again = Growing(loading, tmp_path / "other")
    again.writer.write("portal.sql", dump.replace(b"utf8mb4", b"UTF8MB4"), whole=True)
    with pytest.raises(RefusedError, match="not the one"):
        again.end()
    # as the error advises
    loading.server.rows(f"DROP DATABASE `{loading.database}`")
    anew = Growing(loading, tmp_path / "anew")
    anew.writer.write("portal.sql", dump.replace(b"utf8mb4", b"UTF8MB4"), whole=True)
    assert anew.end() is not None
    assert loading.rows("SELECT COUNT(*) FROM b") == [(20,)]


def test_the_same_table_twice_leaves_the_last_one(growing: Growing) -> None:
    first = text(table("a"), insert("a", 1), insert("a", 100))[: -len(FINISHED)]
    growing.writer.write("portal.sql", first)
    growing.until(lambda at: at.rows == 40)
    rest = b";\n".join([b"DROP TABLE IF EXISTS `a`", table("a", "KEY `k` (`A`)"), insert("a", 5), FINISHED])
    growing.writer.write("portal.sql", rest, whole=True)
    result = growing.end()
    assert result is not None
    assert (result.tables, result.rows) == (1, 20)
    assert growing.loading.rows("SELECT MIN(ID), MAX(ID) FROM a") == [(5, 24)]


def test_rows_that_come_back_to_a_table_are_loaded_all_the_same(growing: Growing) -> None:
    growing.writer.write("portal.sql", STARTED + b";\n".join([table("a"), insert("a", 1), table("b"), b""]))
    growing.until(lambda at: at.loaded >= 1)
    rest = b";\n".join([insert("b", 1), insert("a", 100), FINISHED])
    growing.writer.write("portal.sql", rest, whole=True)
    result = growing.end()
    assert result is not None
    assert (count(growing.loading, "a"), count(growing.loading, "b"), result.rows) == (40, 20, 60)


def test_a_table_that_stood_for_a_view_gives_way_to_it(growing: Growing) -> None:
    growing.writer.write("portal.sql", STARTED + table("v") + b";\n" + table("a") + b";\n")
    growing.until(lambda at: at.loaded == 1)
    rest = [b"DROP TABLE IF EXISTS `v`", b"CREATE VIEW `v` AS select `a`.`ID` AS `ID` from `a`", FINISHED]
    growing.writer.write("portal.sql", b";\n".join(rest), whole=True)
    result = growing.end()
    assert result is not None
    assert (result.tables, result.views) == (1, 1)


def test_a_trigger_ends_the_load_where_it_is_met(growing: Growing) -> None:
    trigger = b"CREATE TRIGGER `x` BEFORE INSERT ON `a` FOR EACH ROW SET @a = 1"
    growing.writer.write("portal.sql", text(table("a"), insert("a", 1), trigger), whole=True)
    with pytest.raises(RefusedError) as stopped:
        growing.end()
    assert "CREATE TRIGGER" in str(stopped.value.cause)


def test_without_a_charset_of_its_own_a_dump_waits_for_after_connect(growing: Growing) -> None:
    dump = b"-- Started: 2012-01-02 03:04:05\n" + b"CREATE TABLE `t` (\n  `A` varchar(9)\n) CHARSET=cp1251"
    dump += ";\nINSERT INTO `t` VALUES\n('Привет')".encode("cp1251") + b";\n"
    growing.writer.write("portal.sql", dump)
    time.sleep(0.3)
    assert growing.loading.said == []
    growing.writer.write(AFTER, b"SET NAMES cp1251 COLLATE cp1251_general_ci;\n", whole=True)
    growing.until(lambda at: at.rows == 1)
    growing.writer.write("portal.sql", b"-- Finished: 2012-01-02 03:04:06", whole=True)
    assert growing.end() is not None
    assert growing.loading.rows("SELECT A FROM t") == [("Привет",)]
    assert growing.loading.rows("SELECT @@collation_database") == [("cp1251_general_ci",)]


def test_two_dumps_are_a_question(growing: Growing) -> None:
    growing.writer.write("portal.sql", text(table("a")), whole=True)
    growing.writer.write("other.sql", text(table("a")), whole=True)
    with pytest.raises(UsageError, match="more than one dump"):
        growing.end()


def test_a_file_of_the_dump_that_comes_again_is_damage(tmp_path: Path) -> None:
    feed = Feed(tmp_path)
    feed.grown([Piece("a.sql", 10, whole=False)], passed=False)
    with pytest.raises(DamagedError, match="more than once") as stopped:
        feed.grown([Piece("a.sql", 20, whole=True, opened=2)], passed=True)
    assert "`bxbackup load` of that into a new database" in str(stopped.value.advice)


def test_the_zone_that_a_dump_names_wins(tmp_path: Path, loading: Loading) -> None:
    folder = write_dump(
        tmp_path / "dump",
        b"/*!40103 SET TIME_ZONE='+00:00' */",
        b"CREATE TABLE `t` (\n  `A` timestamp NULL DEFAULT NULL\n) ENGINE=InnoDB",
        b"INSERT INTO `t` VALUES\n('2026-11-22 12:00:00')",
        b"/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */",
    )
    result = loading.load(folder, time_zone="+03:00")
    assert result.time_zone == "+00:00"
    assert any("+00:00" in remark for remark in result.remarks())
    assert loading.rows("SELECT HOUR(CONVERT_TZ(A, @@session.time_zone, '+00:00')) FROM t") == [(12,)]


def test_the_last_large_table_is_shared(loading: Loading, tmp_path: Path) -> None:
    folder = write_dump(tmp_path / "dump", table("a"), *[insert("a", n) for n in range(0, 2000, 20)])
    loading.load(folder, sessions=4)
    assert loading.rows("SELECT COUNT(*), SUM(ID) FROM a") == [(2000, 1999000)]
    (measure,) = loading.measured
    assert (measure.name, measure.rows) == ("a", 2000)


@pytest.mark.parametrize("flush", [1, 0], ids=["killed", "killed and lost its last commits"])
def test_a_server_that_is_killed_while_the_dump_arrives(flush: int, tmp_path: Path) -> None:
    server = DatabaseServer(tmp_path / "server")
    server.start()
    try:
        server.rows(f"SET GLOBAL innodb_flush_log_at_trx_commit = {flush}")
        growing = Growing(Loading(server, "portal_box", tmp_path / "state"), tmp_path / "dump")
        dump = text(
            *(table("a", "KEY `k` (`A`)"), insert("a", 1), table("e"), table("b")),
            *[insert("b", first) for first in range(0, 2000, 20)],
        )
        half = dump.index(b"(1000,")
        growing.writer.write("portal.sql", dump[:half])
        growing.until(lambda at: at.rows >= 500)
        server.end(signal.SIGKILL)
        server.start()
        growing.writer.write("portal.sql", dump[half:], whole=True)
        result = growing.end()
        assert result is not None
        assert (result.tables, result.rows, result.duplicates) == (3, 2020, 0)
        assert growing.loading.rows("SELECT COUNT(*), SUM(ID) FROM b") == [(2000, 1999000)]
        assert count(growing.loading, "a") == 20
    finally:
        server.end(signal.SIGKILL)


def test_a_table_that_the_server_has_lost_is_made_by_one_session(
    growing: Growing, loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, made, at_once = Crew._create, threading.Semaphore(1), []

    def slow(self: Crew, session: Session, table: Table, statement: str) -> None:
        alone = made.acquire(blocking=False)
        at_once.append(alone)
        time.sleep(0.5)  # all sessions that were lost come back meanwhile
        create(self, session, table, statement)
        if alone:
            made.release()

    rows = [insert("b", first) for first in range(0, 20_000, 20)]
    dump = text(table("b"), *rows)
    growing.writer.write("portal.sql", dump[: dump.index(b"(19000,")])
    growing.until(lambda at: at.rows >= 500)
    monkeypatch.setattr(Crew, "_create", slow)
    # As after a crash that took the last commits along: what is noted of the table, and its rows.
    connection = pymysql.connect(
        read_default_file=str(loading.server.defaults_file), database=loading.database, autocommit=True
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLES b WRITE, bxbackup_load WRITE")
        cursor.execute("DELETE FROM bxbackup_load")
        cursor.execute("DELETE FROM b")
        cursor.execute(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()"
        )
        for (number,) in cursor.fetchall():
            cursor.execute("KILL %s", (number,))
    growing.writer.write("portal.sql", dump[dump.index(b"(19000,") :], whole=True)
    result = growing.end()
    assert all(at_once)
    assert result is not None
    assert (result.rows, count(loading, "b")) == (20_000, 20_000)


def test_a_full_disk_below_the_state_is_gone_on_from(
    growing: Growing, loading: Loading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = text(table("a"), *[insert("a", first) for first in range(0, 100, 20)])
    half = dump.index(b"(50,")
    growing.writer.write("portal.sql", dump[:half])
    growing.until(lambda at: at.rows == 40)
    with monkeypatch.context() as patch:
        patch.setattr("bxbackup.durable.os.fsync", full_disk)
        growing.writer.write("portal.sql", dump[half:], whole=True)
        with pytest.raises(AbsentError, match="is full"):
            growing.end()
    assert count(loading, "a") == 40
    again = Growing(loading, tmp_path / "dump")
    (tmp_path / "dump" / "portal.sql").unlink()
    again.writer.write("portal.sql", dump, whole=True)
    result = again.end()
    assert result is not None
    assert (result.rows, result.resumed) == (100, True)


def full_disk(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
