"""What an external MySQL 8 would be sent; a stand-in answers. A real one: test_mysql_server.py."""

from __future__ import annotations

import threading
from pathlib import Path

import pymysql
import pytest
from loading import write_dump
from pymysql.constants import ER

import bxbackup.catalogue
from bxbackup import crew, load
from bxbackup.load import LoadOptions, load_dump

COLLATIONS = ("utf8mb4_0900_ai_ci", "utf8mb4_0900_as_cs", "utf8mb4_unicode_ci", "utf8mb3_general_ci")
TABLE = (
    "CREATE TABLE `b_option` (\n  `NAME` varchar(50) COLLATE utf8mb4_0900_as_cs NOT NULL,\n"
    "  `VALUE` longtext,\n  PRIMARY KEY (`NAME`),\n  FULLTEXT KEY `ft` (`VALUE`)\n"
    ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci"
)
ROWS = "INSERT INTO `b_option` VALUES\n('a','COLLATE utf8mb4_0900_ai_ci;\\n')"


class MySql8:
    """Answers as MySQL 8 would an account without administrative privileges; keeps what it was sent."""

    number = 7

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.marks: dict[tuple[object, ...], tuple[object, ...]] = {}
        self._lock = threading.Lock()

    def run(self, sql: str | bytes) -> int:
        text = sql.decode() if isinstance(sql, bytes) else sql
        with self._lock:
            self.sent.append(text)
        if "max_statement_time" in text or "character_set_collations" in text:
            raise pymysql.err.OperationalError(ER.UNKNOWN_SYSTEM_VARIABLE, "Unknown system variable")
        if "innodb_strict_mode" in text or "sql_require_primary_key" in text:
            raise pymysql.err.OperationalError(ER.SPECIFIC_ACCESS_DENIED_ERROR, "Access denied")
        return 1

    def rows(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        with self._lock:
            self.sent.append(sql)
        if sql.startswith("INSERT INTO bxbackup_load"):
            self.marks[values[:2]] = values
        if "FULL_COLLATION_NAME" in sql:
            raise AssertionError("only MariaDB has that column")
        fulltext = any("ADD FULLTEXT" in text for text in self.sent)
        answers: dict[str, list[tuple[object, ...]]] = {
            "SELECT item, lot, state FROM bxbackup_load": [self.marks[key] for key in sorted(self.marks)],
            "VERSION()": [("8.0.40", 64 << 20)],
            "GET_LOCK": [(1,)],
            "FROM information_schema.COLLATIONS": [(name,) for name in COLLATIONS],
            "CHARACTER_SETS": [("utf8mb4",), ("utf8mb3",), ("latin1",)],
            "SHOW INDEX": [("b_option", 1, "ft")] if fulltext else [],
        }
        return next((answer for words, answer in answers.items() if words in sql), [])

    def close(self) -> None:
        """Nothing to give back."""


@pytest.fixture
def mysql8(monkeypatch: pytest.MonkeyPatch) -> MySql8:
    """The stand-in, in place of every session."""
    server = MySql8()
    for module in (load, crew):
        monkeypatch.setattr(module, "patiently", lambda *_, **__: server)
    return server


def options(tmp_path: Path) -> LoadOptions:
    return LoadOptions("portal_box", None, None, "+00:00", tmp_path / "state", lambda _: None, sessions=1)


@pytest.mark.parametrize("late", [0, 1 << 20], ids=["late keys", "early keys"])
def test_a_dump_of_mysql_8_is_loaded_as_it_is(
    late: int, mysql8: MySql8, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bxbackup.catalogue, "LATE_KEYS_FROM", late)
    view = "CREATE DEFINER=`gone`@`%` VIEW `v` AS select `NAME` AS `NAME` from `b_option`"
    after = b"SET NAMES 'utf8mb4';\nALTER DATABASE `<DATABASE>` COLLATE utf8mb4_0900_ai_ci;\n"
    folder = write_dump(tmp_path / "dump", TABLE.encode(), ROWS.encode(), view.encode(), after_connect=after)
    result = load_dump(folder, options(tmp_path))
    assert result.collations == {}
    sent = mysql8.sent
    if late:
        assert TABLE in sent
    else:
        assert TABLE.replace(",\n  FULLTEXT KEY `ft` (`VALUE`)", "") in sent
        assert "ALTER TABLE `b_option` ADD FULLTEXT KEY `ft` (`VALUE`)" in sent
    assert ROWS in sent
    assert "ALTER DATABASE `portal_box` CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci" in sent
    assert "SET SESSION sql_require_primary_key = 0" in sent
    assert any("SQL SECURITY INVOKER VIEW `v`" in text and "gone" not in text for text in sent)
    order = [
        next(at for at, text in enumerate(sent) if text.startswith(start))
        for start in (
            "CREATE TABLE `b_option`",
            "INSERT INTO `b_option`",
            "CREATE OR REPLACE",
            "DROP TABLE IF EXISTS bxbackup_load",
        )
    ]
    assert order == sorted(order)
    assert not any("GLOBAL" in text for text in sent)
