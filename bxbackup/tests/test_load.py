"""Dumps into a real server: equal rows, other names, refusals."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pymysql
import pytest
from backup_samples import ALL, M1, Run, Sample
from database_server import DatabaseServer
from faults import fault
from loading import FINISHED, Loading, write_dump

import bxbackup.catalogue
from bxbackup.errors import AbsentError, DamagedError, DatabaseError, RefusedError, UsageError
from bxbackup.load import check_target
from bxbackup.server import failure, read_account
from bxbackup.target import Target


@pytest.mark.parametrize("sample", ALL, ids=lambda sample: sample.name)
@pytest.mark.parametrize("collation", [None, "utf8mb4_uca1400_nopad_ai_ci"])
def test_every_table_of_a_sample_equals_its_manifest(
    sample: Sample, collation: str | None, sample_dumps: dict[str, Path], loading: Loading
) -> None:
    result = loading.load(sample_dumps[sample.name], collation=collation)
    assert loading.server.wrong_tables(loading.database, sample.manifest) == {}
    assert (result.tables, result.rows, result.duplicates, result.resumed) == (58, 4301, 0, False)
    last = loading.said[-1]
    assert (last.loaded, last.rows, last.bytes) == (58, 4301, last.total_bytes)
    assert "b_sample_types.F_BIT16" in result.damaged_columns
    assert "b_sample_types.F_DOUBLE" not in result.damaged_columns


LEADS = (
    b"DROP TABLE IF EXISTS `b_lead`",
    b"CREATE TABLE `b_lead` (\n  `ID` int(11) NOT NULL AUTO_INCREMENT,\n  `NAME` varchar(50) DEFAULT NULL,\n"
    b"  `PASSWORD` varchar(50) DEFAULT NULL,\n  `NOTE` text DEFAULT NULL,\n  PRIMARY KEY (`ID`),\n"
    b"  UNIQUE KEY `ux_name` (`NAME`),\n  KEY `ix_note` (`NOTE`(20)),\n  FULLTEXT KEY `ft_note` (`NOTE`)\n"
    b") ENGINE=InnoDB AUTO_INCREMENT=100 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci",
)
ROWS = b"INSERT INTO `b_lead` VALUES\n(1, 'Anna', 'canary-1', 'x'),\n(2, 'Boris', 'canary-2', NULL)"


def test_a_finished_load_is_not_done_again(tmp_path: Path, loading: Loading) -> None:
    folder = write_dump(tmp_path / "dump", *LEADS, ROWS)
    first = loading.load(folder)
    loading.rows("UPDATE b_lead SET NAME = 'changed by the portal' WHERE ID = 1")
    again = loading.load(folder)
    assert again == replace(first, resumed=True)
    assert loading.rows("SELECT NAME FROM b_lead WHERE ID = 1") == [("changed by the portal",)]
    assert loading.tables == {"b_lead"}


def test_what_a_person_should_know_is_told(tmp_path: Path, loading: Loading) -> None:
    result = loading.load(write_dump(tmp_path / "dump", *LEADS, ROWS, ROWS), collation="utf8mb4_bin")
    assert result.remarks() == [
        "utf8mb4_unicode_ci became utf8mb4_bin",
        "2 rows stood twice in the dump, identical, and were loaded once",
    ]


def test_a_database_dropped_by_its_owner_is_made_again(tmp_path: Path, loading: Loading) -> None:
    folder = write_dump(tmp_path / "dump", *LEADS, ROWS)
    loading.load(folder)
    loading.server.rows(f"DROP DATABASE {loading.database}")
    assert loading.load(folder).resumed is False
    assert loading.rows("SELECT COUNT(*) FROM b_lead") == [(2,)]


@pytest.mark.parametrize("cut", [1, 17, 40, 200])
def test_a_dump_cut_short_touches_nothing(cut: int, tmp_path: Path, loading: Loading) -> None:
    folder = write_dump(tmp_path / "dump", *LEADS, ROWS)
    dump = folder / "portal.sql"
    dump.write_bytes(dump.read_bytes()[: -len(FINISHED) - cut + 1])
    with pytest.raises(DamagedError, match="cut short") as stopped:
        loading.load(folder)
    assert stopped.value.exit_code == 3
    assert "portal.sql" in stopped.value.what
    assert loading.server.rows(f"SHOW DATABASES LIKE '{loading.database}'") == []


def test_a_dump_with_a_trigger_is_refused_whole(tmp_path: Path, loading: Loading) -> None:
    trigger = b"CREATE TRIGGER `x` BEFORE INSERT ON `b_lead` FOR EACH ROW SET @a = 1"
    with pytest.raises(RefusedError) as stopped:
        loading.load(write_dump(tmp_path / "dump", *LEADS, ROWS, trigger))
    assert "CREATE TRIGGER" in str(stopped.value.cause)
    assert loading.server.rows(f"SHOW DATABASES LIKE '{loading.database}'") == []


@pytest.mark.parametrize(
    "statements",
    [
        (*LEADS, b"INSERT INTO `b_lead` VALUES\n(1,(SELECT User FROM mysql.user LIMIT 1),'')"),
        (*LEADS, ROWS, b"INSERT INTO `b_lead` VALUES\n(3, LOAD_FILE('/etc/passwd'), '')"),
        (*LEADS, ROWS + b" ON DUPLICATE KEY UPDATE `ID`=7"),
        (*LEADS, b"CREATE TABLE `x` (`a` int) ENGINE=InnoDB DATA DIRECTORY='/srv/x'"),
        (b"CREATE TABLE `x` (`a` int) ENGINE=FEDERATED", b"INSERT INTO `x` VALUES\n(1)"),
        (b"CREATE TABLE `bxbackup_load` (`a` int)", b"INSERT INTO `bxbackup_load` VALUES\n(1)"),
        (b"SET NAMES 'gbk'", b"CREATE TABLE `x` (`a` int)"),
    ],
)
def test_a_dump_that_reaches_beyond_its_database_is_refused_whole(
    statements: tuple[bytes, ...], tmp_path: Path, loading: Loading
) -> None:
    folder = write_dump(tmp_path / "dump", *statements)
    dump = folder / "portal.sql"
    dump.write_bytes(dump.read_bytes().replace(b"SET NAMES 'utf8mb4';\n", b""))
    with pytest.raises(RefusedError):
        loading.load(folder)
    assert loading.server.rows(f"SHOW DATABASES LIKE '{loading.database}'") == []


def test_a_long_statement_with_more_than_values_is_not_sent(tmp_path: Path, loading: Loading) -> None:
    text = b"a" * (12 << 20)
    rows = b'INSERT INTO `b_lead` VALUES\n(1,"' + text + b'",(SELECT 1))'
    with pytest.raises(RefusedError, match="more than plain values"):
        loading.load(write_dump(tmp_path / "dump", *LEADS, rows))


def test_a_foreign_database_is_refused_and_untouched(tmp_path: Path, loading: Loading) -> None:
    loading.server.rows(f"CREATE DATABASE {loading.database} CHARACTER SET cp1251")
    loading.rows("CREATE TABLE b_lead (a INT) AS SELECT 5 AS a")
    for attempt in (
        lambda: check_target(loading.database, loading.server.defaults_file, loading.state),
        lambda: loading.load(write_dump(tmp_path / "dump", *LEADS, ROWS)),
    ):
        with pytest.raises(RefusedError) as stopped:
            attempt()
        assert stopped.value.exit_code == 6
    assert loading.tables == {"b_lead"}
    assert loading.rows("SELECT * FROM b_lead") == [(5,)]
    assert loading.rows("SELECT @@character_set_database") == [("cp1251",)]
    assert not loading.state.exists()


def test_a_database_of_another_state_folder_is_foreign(tmp_path: Path, loading: Loading) -> None:
    folder = write_dump(tmp_path / "dump", *LEADS, ROWS)
    loading.load(folder)
    other = replace(loading, state=tmp_path / "other-state")
    with pytest.raises(RefusedError, match="was not made by this state folder"):
        other.load(folder)


def test_a_finished_load_does_not_claim_what_another_one_fills(
    tmp_path: Path, loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_dump(tmp_path / "dump", *LEADS, ROWS)
    loading.load(folder)
    loading.server.rows(f"DROP DATABASE {loading.database}")
    with monkeypatch.context() as patch:
        patch.setattr(bxbackup.target, "remove_mark", lambda _: None)
        replace(loading, state=tmp_path / "other").load(folder)
    with pytest.raises(RefusedError):
        loading.load(folder)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"collation": "utf8mb4_bin"}, "collation None, not utf8mb4_bin"),
        ({"time_zone": "+03:00"}, r"time zone \+00:00, not \+03:00"),
    ],
)
def test_a_load_goes_on_as_it_was_begun(
    options: dict[str, str], said: str, tmp_path: Path, loading: Loading
) -> None:
    folder = write_dump(tmp_path / "dump", *LEADS, ROWS)
    loading.load(folder)
    with pytest.raises(RefusedError, match=said):
        loading.load(folder, collation=options.get("collation"), time_zone=options.get("time_zone", "+00:00"))


def test_another_dump_does_not_go_on_with_a_load(tmp_path: Path, loading: Loading) -> None:
    loading.load(write_dump(tmp_path / "dump", *LEADS, ROWS))
    with pytest.raises(RefusedError, match="another dump"):
        loading.load(write_dump(tmp_path / "other", *LEADS))


def test_targets_are_told_apart(tmp_path: Path, loading: Loading) -> None:
    def look() -> Target:
        return check_target(loading.database, loading.server.defaults_file, loading.state)

    assert look() is Target.ABSENT
    loading.server.rows(f"CREATE DATABASE {loading.database}")
    assert look() is Target.EMPTY
    loading.load(write_dump(tmp_path / "dump", *LEADS))
    assert look() is Target.OURS


@pytest.mark.parametrize("name", ["", "a/b", "a.b", " a", "x" * 65])
def test_impossible_names_are_a_usage_error(name: str, server: DatabaseServer, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        check_target(name, server.defaults_file, tmp_path)


def test_the_servers_own_databases_are_refused(server: DatabaseServer, tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        check_target("MySQL", server.defaults_file, tmp_path)


def test_late_keys_give_the_same_table(
    tmp_path: Path, loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    children = (
        b"CREATE TABLE `b_child` (\n  `A` int(11) NOT NULL,\n  `N` int(11) NOT NULL AUTO_INCREMENT,\n"
        b"  `LEAD` int(11) DEFAULT NULL,\n  `T` text DEFAULT NULL,\n  PRIMARY KEY (`A`),\n"
        b"  UNIQUE KEY `u` (`N`),\n  KEY `ix_lead` (`LEAD`),\n"
        b"  FULLTEXT KEY `f1` (`T`),\n  FULLTEXT KEY `f2` (`T`),\n"
        b"  CONSTRAINT `fk_lead` FOREIGN KEY (`LEAD`) REFERENCES `b_lead` (`ID`)\n"
        b") ENGINE=InnoDB AUTO_INCREMENT=9 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci",
        b"INSERT INTO `b_child` VALUES\n(1, 5, 1, 'x'),\n(2, 0, NULL, 'y')",
    )
    folder = write_dump(tmp_path / "dump", *children, *LEADS, ROWS)

    def load() -> list[object]:
        loading.load(folder)
        created = [loading.rows(f"SHOW CREATE TABLE {name}")[0][1] for name in ("b_lead", "b_child")]
        rows = [loading.rows(f"SELECT * FROM {name}") for name in ("b_lead", "b_child")]
        loading.server.rows(f"DROP DATABASE {loading.database}")
        return [*created, *rows]

    inline = load()
    monkeypatch.setattr(bxbackup.catalogue, "LATE_KEYS_FROM", 0)
    assert load() == inline
    assert "FULLTEXT KEY `ft_note`" in str(inline[0])
    assert "CONSTRAINT `fk_lead`" in str(inline[1])
    assert inline[3] == [(1, 5, 1, "x"), (2, 0, None, "y")]


def test_settings_of_the_server_neither_matter_nor_change(
    sample_dumps: dict[str, Path], loading: Loading
) -> None:
    server = loading.server
    before = server.globals()
    hard = (
        "STRICT_ALL_TABLES,ANSI_QUOTES,NO_BACKSLASH_ESCAPES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ONLY_FULL_GROUP_BY"
    )
    server.rows(f"SET GLOBAL sql_mode = '{hard}', GLOBAL time_zone = '-07:00', GLOBAL autocommit = 0")
    try:
        changed = server.globals()
        loading.load(sample_dumps["M1"])
        assert server.wrong_tables(loading.database, M1.manifest) == {}
        moving = {"gtid_binlog_pos", "gtid_current_pos", "innodb_buffer_pool_load_incremental"}
        after = server.globals()
        assert {name for name in after if after[name] != changed[name]} <= moving
    finally:
        for name in ("sql_mode", "time_zone", "autocommit"):
            server.rows(f"SET GLOBAL {name} = '{before[name]}'")


def test_rows_are_sent_in_pieces_where_the_server_takes_less(tmp_path: Path, loading: Loading) -> None:
    rows = b",\n".join(b"(%d, 'n%d', '', '%s')" % (number, number, b"),(" * 9000) for number in range(1, 60))
    folder = write_dump(tmp_path / "dump", *LEADS, b"INSERT INTO `b_lead` VALUES\n" + rows)
    with small_packets(loading.server):
        assert loading.load(folder).rows == 59
    assert loading.rows("SELECT COUNT(*), SUM(LENGTH(NOTE)) FROM b_lead") == [(59, 59 * 27000)]


def test_a_row_that_no_packet_holds_names_the_setting(tmp_path: Path, loading: Loading) -> None:
    wide = b"INSERT INTO `b_lead` VALUES\n(1, 'a', '', ''),\n(2, 'b', '', '" + b"x" * 1_200_000 + b"')"
    folder = write_dump(tmp_path / "dump", *LEADS, wide)
    with small_packets(loading.server):
        with pytest.raises(DatabaseError, match="b_lead") as stopped:
            loading.load(folder)
        assert stopped.value.exit_code == 7
        assert "max_allowed_packet to at least 2M" in str(stopped.value.advice)
        assert loading.server.rows(f"SHOW DATABASES LIKE '{loading.database}'") == []
    assert loading.load(folder).rows == 2


@contextlib.contextmanager
def small_packets(server: DatabaseServer) -> Iterator[None]:
    """1 MiB a packet."""
    ((before,),) = server.rows("SELECT @@GLOBAL.max_allowed_packet")
    server.rows("SET GLOBAL max_allowed_packet = 1048576")
    try:
        yield
    finally:
        server.rows(f"SET GLOBAL max_allowed_packet = {before}")


@pytest.fixture(params=[0, 1 << 20], ids=["late keys", "early keys"])
def keys(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys made after the rows, or before."""
    monkeypatch.setattr(bxbackup.catalogue, "LATE_KEYS_FROM", request.param)


TWICE = (
    b"INSERT INTO `b_lead` VALUES\n(2, 'Boris', 'canary-2', NULL),\n"
    b"(3, 'Vera', '', 'y'),\n(3, 'Vera', '', 'y')"
)


@pytest.mark.usefixtures("keys")
def test_identical_rows_are_loaded_once(tmp_path: Path, loading: Loading) -> None:
    result = loading.load(write_dump(tmp_path / "dump", *LEADS, ROWS, TWICE))
    assert (result.rows, result.duplicates) == (3, 2)
    assert loading.rows("SELECT ID, NAME, NOTE FROM b_lead ORDER BY ID") == [
        (1, "Anna", "x"),
        (2, "Boris", None),
        (3, "Vera", "y"),
    ]


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("row", "key"),
    [
        (b"(2, 'Boris', 'canary-2', 'z')", "PRIMARY"),
        (b"(2, 'Boris', 'canary-3', NULL)", "PRIMARY"),
        (b"(2, 'boris', 'canary-2', NULL)", "PRIMARY"),
        (b"(9, 'BORIS', 'canary-2', NULL)", "ux_name"),
    ],
)
def test_different_rows_with_one_key_end_the_load(
    row: bytes, key: str, tmp_path: Path, loading: Loading
) -> None:
    with pytest.raises(DatabaseError) as stopped:
        loading.load(write_dump(tmp_path / "dump", *LEADS, ROWS, b"INSERT INTO `b_lead` VALUES\n" + row))
    error = stopped.value
    assert error.exit_code == 7
    assert f"table b_lead: two different rows have the same key {key}" in error.what
    standing, new = str(error.cause).split("; ")
    assert standing.startswith("(ID=2" if key == "PRIMARY" else "(NAME=Boris, ID=2")
    assert new.startswith("(ID=2" if key == "PRIMARY" else "(NAME=BORIS, ID=9")
    assert ("NOTE=z" in new, "PASSWORD=***" in new, "NAME=boris" in new) == (
        b"'z'" in row,
        b"canary-3" in row,
        b"'boris'" in row,
    )
    assert "canary" not in "".join(error.lines())


@pytest.mark.usefixtures("keys")
def test_a_table_without_a_primary_key_tells_its_double_rows_by_its_unique_key(
    tmp_path: Path, loading: Loading
) -> None:
    table = (
        b"CREATE TABLE `b_pair` (\n  `A` int(11) NOT NULL,\n  `B` float DEFAULT NULL,\n"
        b"  `C` bit(8) DEFAULT NULL,\n  UNIQUE KEY `u` (`A`),\n  KEY `k` (`B`)\n)"
        b" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
        b"INSERT INTO `b_pair` VALUES\n(1, 0.1, '5'),\n(2, 1e10, NULL)",
        b"INSERT INTO `b_pair` VALUES\n(2, 1e10, NULL),\n(1, 0.1, '5'),\n(3, 0, '1')",
    )
    result = loading.load(write_dump(tmp_path / "dump", *table))
    assert (result.rows, result.duplicates) == (3, 2)


def test_views_of_another_database_name_and_in_any_order(tmp_path: Path, loading: Loading) -> None:
    views = (
        b"DROP VIEW IF EXISTS `v_top`",
        b"CREATE ALGORITHM=UNDEFINED DEFINER=`gone`@`%` SQL SECURITY DEFINER VIEW `v_top` AS select"
        b" `v_names`.`NAME` AS `NAME`,'a;\\nb' AS `TEXT` from `v_names`",
        b"CREATE ALGORITHM=UNDEFINED DEFINER=`gone`@`%` SQL SECURITY DEFINER VIEW `v_names` AS select"
        b" `smp_m`.`b_lead`.`NAME` AS `NAME` from `smp_m`.`b_lead` where `smp_m`.`b_lead`.`ID` > 1",
    )
    result = loading.load(write_dump(tmp_path / "dump", *LEADS, ROWS, *views))
    assert result.views == 2
    assert loading.rows("SELECT * FROM v_top") == [("Boris", "a;\nb")]
    definers = loading.rows(
        "SELECT SECURITY_TYPE FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()"
    )
    assert definers == [("INVOKER",), ("INVOKER",)]


def test_a_view_that_cannot_be_is_named(tmp_path: Path, loading: Loading) -> None:
    view = b"CREATE VIEW `v_bad` AS select `nowhere`.`a` AS `a` from `nowhere`"
    with pytest.raises(DatabaseError, match="v_bad"):
        loading.load(write_dump(tmp_path / "dump", *LEADS, view))


def test_a_dump_of_mysql_8_comes_to_mariadb(tmp_path: Path, loading: Loading) -> None:
    serialized = b'a:1:{s:9:"COLLATION";s:18:"utf8mb4_0900_ai_ci";}'
    folder = write_dump(
        tmp_path / "dump",
        b"CREATE TABLE `b_option` (\n  `NAME` varchar(50) COLLATE utf8mb4_0900_as_cs NOT NULL,\n"
        b"  `EMOJI` varchar(9) COLLATE utf8mb4_0900_ai_ci NOT NULL COMMENT 'COLLATE utf8mb4_0900_ai_ci',\n"
        b"  `VALUE` longtext COLLATE utf8mb4_0900_ai_ci,\n  PRIMARY KEY (`NAME`),\n"
        b"  UNIQUE KEY `u` (`EMOJI`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci",
        b"INSERT INTO `b_option` VALUES\n('a', '"
        + "🚀".encode()
        + b"', '"
        + serialized.replace(b'"', b'\\"')
        + b"'),"
        b"\n('A', '" + "🔥".encode() + b"', ''),\n('b', 'a', ''),\n('c', 'a ', '')",
        after_connect=b"SET NAMES 'utf8mb4';\nALTER DATABASE `<DATABASE>` COLLATE utf8mb4_0900_ai_ci;\n",
    )
    result = loading.load(folder)
    assert result.collations == {
        "utf8mb4_0900_ai_ci": "utf8mb4_uca1400_nopad_ai_ci",
        "utf8mb4_0900_as_cs": "utf8mb4_uca1400_nopad_as_cs",
    }
    assert loading.rows("SELECT NAME, EMOJI, VALUE FROM b_option WHERE NAME = 'a'") == [
        ("a", "🚀", serialized.decode())
    ]
    assert loading.rows("SELECT COUNT(*) FROM b_option") == [(4,)]
    assert loading.rows("SELECT @@collation_database") == [("utf8mb4_uca1400_nopad_ai_ci",)]
    ((_, created),) = loading.rows("SHOW CREATE TABLE b_option")
    assert "COMMENT 'COLLATE utf8mb4_0900_ai_ci'" in str(created)


@pytest.mark.parametrize("old", ["COMPACT", "REDUNDANT"])
def test_an_old_row_format_does_not_keep_a_table_out(tmp_path: Path, loading: Loading, old: str) -> None:
    """Its keys end at 767 bytes: 255 characters of three bytes fit, of four they do not."""
    folder = write_dump(
        tmp_path / "dump",
        b"CREATE TABLE `b_old` (\n  `NAME` varchar(255) NOT NULL COMMENT 'ROW_FORMAT=COMPACT',\n"
        b"  KEY `k` (`NAME`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8 ROW_FORMAT=" + old.encode(),
        b"INSERT INTO `b_old` VALUES\n('ROW_FORMAT=COMPACT')",
        b"CREATE TABLE `b_packed` (\n  `A` int\n) ENGINE=InnoDB ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8",
    )
    result = loading.load(folder, collation="utf8mb4_unicode_ci")
    assert result.collations.pop(f"ROW_FORMAT={old}") == "ROW_FORMAT=DYNAMIC"
    assert loading.rows(
        "SELECT table_name, row_format FROM information_schema.tables"
        " WHERE table_schema = DATABASE() ORDER BY table_name"
    ) == [("b_old", "Dynamic"), ("b_packed", "Compressed")]
    assert loading.rows("SELECT NAME FROM b_old") == [("ROW_FORMAT=COMPACT",)]
    ((_, created),) = loading.rows("SHOW CREATE TABLE b_old")
    assert "COMMENT 'ROW_FORMAT=COMPACT'" in str(created)


def test_rows_that_the_chosen_collation_makes_equal_are_told(tmp_path: Path, loading: Loading) -> None:
    folder = write_dump(
        tmp_path / "dump",
        b"CREATE TABLE `t` (\n  `A` varchar(9) NOT NULL,\n  PRIMARY KEY (`A`)\n) ENGINE=InnoDB"
        b" DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_nopad_ai_ci",
        b"INSERT INTO `t` VALUES\n('" + "🚀".encode() + b"'),\n('" + "🔥".encode() + b"')",
    )
    with pytest.raises(DatabaseError, match="key PRIMARY") as stopped:
        loading.load(folder, collation="utf8mb4_unicode_ci")
    assert "without --collation" in str(stopped.value.advice)


def test_a_dump_in_cp1251_keeps_its_charset(tmp_path: Path, loading: Loading) -> None:
    folder = tmp_path / "dump"
    folder.mkdir()
    (folder / "old.sql").write_bytes(
        "-- Started: 2012-01-02 03:04:05\nSET NAMES 'cp1251';\nCREATE TABLE `t` (\n"
        "  `A` varchar(50) DEFAULT NULL COMMENT 'комментарий'\n) ENGINE=InnoDB DEFAULT CHARSET=cp1251;\n\n"
        "INSERT INTO `t` VALUES\n('Привет');\n-- Finished: 2012-01-02 03:04:06".encode("cp1251")
    )
    loading.load(folder)
    assert loading.rows("SELECT A, HEX(A) FROM t") == [("Привет", "Привет".encode("cp1251").hex().upper())]
    ((_, created),) = loading.rows("SHOW CREATE TABLE t")
    assert "CHARSET=cp1251" in str(created)
    assert "COMMENT 'комментарий'" in str(created)


@pytest.mark.parametrize(("zone", "hour"), [("+00:00", 12), ("+03:00", 9), ("-05:30", 17)])
def test_timestamps_are_read_in_the_stated_zone(
    zone: str, hour: int, tmp_path: Path, loading: Loading
) -> None:
    folder = write_dump(
        tmp_path / "dump",
        b"CREATE TABLE `t` (\n  `A` timestamp NULL DEFAULT NULL\n) ENGINE=InnoDB",
        b"INSERT INTO `t` VALUES\n('2026-11-22 12:00:00')",
    )
    loading.load(folder, time_zone=zone)
    (answer,) = loading.rows("SELECT HOUR(CONVERT_TZ(A, @@session.time_zone, '+00:00')) FROM t")
    assert answer == (hour,)


def test_tables_without_transactions_are_counted_rightly(tmp_path: Path, loading: Loading) -> None:
    tables = [statement.replace(b"ENGINE=InnoDB", b"ENGINE=MyISAM") for statement in LEADS]
    result = loading.load(write_dump(tmp_path / "dump", *tables, ROWS, TWICE))
    assert (result.rows, result.duplicates) == (3, 2)
    assert loading.rows("SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()") == [
        ("MyISAM",)
    ]


def test_a_dump_by_mysqldump_is_read(tmp_path: Path, loading: Loading) -> None:
    loading.load(
        write_dump(tmp_path / "dump", *LEADS, ROWS, b"CREATE VIEW `v` AS select `ID` AS `ID` from `b_lead`")
    )
    folder = tmp_path / "again"
    folder.mkdir()
    with (folder / "mysql_dump_x.sql").open("wb") as file:
        subprocess.run(
            ["mariadb-dump", f"--defaults-file={loading.server.defaults_file}", loading.database],
            check=True,
            stdout=file,
        )
    before = loading.rows("SELECT * FROM b_lead")
    loading.server.rows(f"DROP DATABASE {loading.database}")
    other = replace(loading, state=tmp_path / "other")
    result = other.load(folder)
    assert (result.tables, result.views, result.rows, result.damaged_columns) == (1, 1, 2, ())
    assert loading.rows("SELECT * FROM b_lead") == before
    assert loading.rows("SELECT COUNT(*) FROM v") == [(2,)]


@pytest.mark.parametrize(
    "options",
    [{"collation": "utf8mb4_0900_ai_ci"}, {"collation": "utf8mb3_bin"}, {"time_zone": "Mars/Olympus"}],
)
def test_what_the_server_does_not_have_is_a_usage_error(
    options: dict[str, str], tmp_path: Path, loading: Loading
) -> None:
    with pytest.raises(UsageError) as stopped:
        loading.load(
            write_dump(tmp_path / "dump", *LEADS),
            collation=options.get("collation"),
            time_zone=options.get("time_zone", "+00:00"),
        )
    assert next(iter(options.values())) in stopped.value.what
    assert loading.server.rows(f"SHOW DATABASES LIKE '{loading.database}'") == []
    with pytest.raises(UsageError) as at_once:
        check_target(loading.database, loading.server.defaults_file, loading.state, **options)
    assert at_once.value.what == stopped.value.what
    assert loading.server.rows(f"SHOW DATABASES LIKE '{loading.database}'") == []


def test_the_option_file_may_say_all_that_servers_programs_understand(tmp_path: Path) -> None:
    path = tmp_path / "client.cnf"
    path.write_text(
        "# comment\n!includedir /nowhere\n[mysqld]\nuser=other\n[client]\nuser = anna\n"
        'password = "a=b\\\\c#d"\n'
        "host=db.example\nport=3307\nssl_ca=/ca.pem\nskip-whatever\n[client-mariadb]\nport=3308\n"
    )
    account = read_account(path)
    assert (account.user, account.password, account.host, account.port) == (
        "anna",
        "a=b\\c#d",
        "db.example",
        3308,
    )
    assert (account.socket, account.tls) == (None, {"ssl-ca": "/ca.pem"})


@pytest.mark.parametrize(
    "text", ["password=canary", "[client]\n canary\n=canary\n", "[client\npassword=canary"]
)
def test_a_broken_option_file_does_not_tell_its_password(text: str, tmp_path: Path) -> None:
    path = tmp_path / "client.cnf"
    path.write_text(text)
    with pytest.raises(UsageError) as stopped:
        read_account(path)
    trace = "".join(traceback.format_exception(stopped.value))
    assert "canary" not in trace


@pytest.mark.parametrize("port", ["0", "65536", "9" * 5000, "-1", "٣٣٠٦", ""])
def test_a_port_that_is_none_is_usage(port: str, tmp_path: Path) -> None:
    path = tmp_path / "client.cnf"
    path.write_text(f"[client]\nhost=db\nport={port}\n")
    with pytest.raises(UsageError, match="names no port"):
        read_account(path)


def test_an_indented_line_of_an_option_file_is_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "client.cnf"
    path.write_text("  [client]\nskip-ssl\n  user = some\n\t!include /etc/x\n  password=a b\n")
    assert (read_account(path).user, read_account(path).password) == ("some", "a b")


def test_a_refused_account_does_not_tell_its_password(loading: Loading, tmp_path: Path) -> None:
    path = tmp_path / "client.cnf"
    path.write_text(f"[client]\nuser=nobody\npassword=canary\nsocket={loading.server.socket}\n")
    with pytest.raises(DatabaseError) as stopped:
        check_target(loading.database, path, tmp_path)
    assert "canary" not in "".join(traceback.format_exception(stopped.value))


def test_an_account_with_rights_on_its_own_databases_is_enough(
    sample_dumps: dict[str, Path], loading: Loading, tmp_path: Path
) -> None:
    server = loading.server
    server.rows("CREATE OR REPLACE USER restore@localhost IDENTIFIED BY 'canary'")
    server.rows(r"GRANT ALL ON `test\_%`.* TO restore@localhost")
    options = tmp_path / "restore.cnf"
    options.write_text(f"[client]\nuser=restore\npassword=canary\nsocket={server.socket}\n")
    limited = replace(loading, defaults_file=options)
    limited.load(sample_dumps["M1"])
    assert server.wrong_tables(loading.database, M1.manifest) == {}

    elsewhere = replace(limited, database="elsewhere", state=tmp_path / "elsewhere")
    with pytest.raises(DatabaseError, match="refuses") as stopped:
        elsewhere.load(sample_dumps["M1"])
    assert "denied" in str(stopped.value.cause)
    assert "canary" not in "".join(traceback.format_exception(stopped.value))


@pytest.mark.parametrize(
    ("after_connect", "charset", "expected"),
    [
        (None, b"CHARSET=cp1251", "cp1251_general_ci"),
        (None, b"CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci", "utf8mb4_unicode_520_ci"),
        (b"SET NAMES utf8 COLLATE utf8_unicode_ci;\n", b"CHARSET=cp1251", "utf8mb3_unicode_ci"),
    ],
)
def test_the_databases_default_is_the_dumps(
    after_connect: bytes | None, charset: bytes, expected: str, tmp_path: Path, loading: Loading
) -> None:
    table = b"CREATE TABLE `t` (\n  `A` int(11) DEFAULT NULL\n) ENGINE=InnoDB DEFAULT " + charset
    loading.load(write_dump(tmp_path / "dump", table, after_connect=after_connect))
    assert loading.rows("SELECT @@collation_database") == [(expected,)]


def test_the_command_loads_and_says_what_it_has_done(
    sample_dumps: dict[str, Path], run: Run, loading: Loading, tmp_path: Path
) -> None:
    folder = shutil.copytree(sample_dumps["M1"], tmp_path / "site")
    options = ("--database", loading.database, "--defaults-file", loading.server.defaults_file)
    done = run("load", folder, *options)
    assert done.code == 0, done.err
    assert "58 tables, 4,301 rows" in done.out
    assert "b_sample_types.F_BIT16" in done.out.replace("\n", "")
    assert loading.server.wrong_tables(loading.database, M1.manifest) == {}


@fault(
    *("dump cut before its last line", "load", 3, "refused before the first statement"),
    *("is cut short: its end mark is missing … the database was not touched", "end line of the dump"),
)
def test_the_command_ends_with_the_contracts_codes(run: Run, loading: Loading, tmp_path: Path) -> None:
    server = loading.server
    cut = write_dump(tmp_path / "cut", *LEADS)
    (cut / "portal.sql").write_bytes((cut / "portal.sql").read_bytes()[:-40])
    two = write_dump(tmp_path / "two", *LEADS, ROWS, b"INSERT INTO `b_lead` VALUES\n(1, 'Other', '', '')")
    good = write_dump(tmp_path / "good", *LEADS)
    empty = tmp_path / "empty"
    empty.mkdir()
    database = loading.database
    codes = {
        "cut": run("load", cut, "--database", database, "--defaults-file", server.defaults_file).code,
        "two rows": run("load", two, "--database", database, "--defaults-file", server.defaults_file).code,
        "foreign": run("load", good, "--database", database, "--defaults-file", server.defaults_file).code,
        "no dump": run("load", empty, "--database", "x1", "--defaults-file", server.defaults_file).code,
        "no options": run("load", good, "--database", "x1", "--defaults-file", tmp_path / "none").code,
    }
    assert codes == {"cut": 3, "two rows": 7, "foreign": 6, "no dump": 4, "no options": 2}


def test_a_full_disk_of_the_server_can_be_gone_on_from(tmp_path: Path, loading: Loading) -> None:
    table = b"CREATE TABLE `t` (\n  `A` char(200) DEFAULT NULL\n) ENGINE=MEMORY DEFAULT CHARSET=latin1"
    rows = b"INSERT INTO `t` VALUES\n" + b",\n".join([b"('x')"] * 2000)
    folder = write_dump(tmp_path / "dump", table, rows)
    ((before,),) = loading.server.rows("SELECT @@GLOBAL.max_heap_table_size")
    loading.server.rows("SET GLOBAL max_heap_table_size = 16384")
    try:
        with pytest.raises(AbsentError, match="disk is full") as stopped:
            loading.load(folder)
        assert stopped.value.exit_code == 4
    finally:
        loading.server.rows(f"SET GLOBAL max_heap_table_size = {before}")
    assert loading.load(folder).rows == 2000


@pytest.mark.parametrize(
    ("code", "text", "exit_code"),
    [
        (1114, "The table 't' is full", 4),
        (1021, "Disk full (/tmp/#sql); waiting for someone to free some space... (errno: 28)", 4),
        (3, "Error writing file '/tmp/MLX' (Errcode: 28 \"No space left on device\")", 4),
        (1005, 'Can\'t create table `p`.`t` (errno: 135 "No more room in record file")', 4),
        (1005, 'Can\'t create table `p`.`t` (errno: 168 "Unknown (generic) error from engine")', 7),
        (1005, 'Can\'t create table `p`.`t` (errno: 150 "Foreign key constraint is incorrectly formed")', 7),
    ],
)
def test_a_full_disk_is_known_by_what_servers_say(code: int, text: str, exit_code: int) -> None:
    error = failure(pymysql.OperationalError(code, text), "the server refuses it")
    assert error.exit_code == exit_code
    assert ("full disk" in (error.advice or "")) is ("168" in text)


def test_generated_columns_are_generated(tmp_path: Path, loading: Loading) -> None:
    folder = write_dump(
        tmp_path / "dump",
        b"CREATE TABLE `t` (\n  `A` int(11) NOT NULL,\n  `B` int(11) GENERATED ALWAYS AS (`A` + 1) VIRTUAL,\n"
        b"  `C` int(11) GENERATED ALWAYS AS (`A` * 2) STORED,\n  PRIMARY KEY (`A`),\n"
        b"  KEY `b` (`B`)\n) ENGINE=InnoDB",
        b"INSERT INTO `t` VALUES\n(1, 2, 2),\n(5, 6, 10)",
        b"INSERT INTO `t` VALUES\n(5, 6, 10)",
    )
    result = loading.load(folder)
    assert (result.rows, result.duplicates) == (2, 1)
    assert loading.rows("SELECT * FROM t ORDER BY A") == [(1, 2, 2), (5, 6, 10)]
