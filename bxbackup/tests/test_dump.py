"""Dumps: cutting into statements, completeness, files."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bxbackup.dump import (
    CHUNK,
    HEAD,
    DumpFiles,
    DumpReader,
    Kind,
    Splitter,
    Statement,
    Surveyor,
    find_dump,
)
from bxbackup.errors import AbsentError, DamagedError, UsageError

HEADER = b"-- Started: 2026-11-22 12:15:22\nSET NAMES 'utf8mb4';\n"
FOOTER = b"-- Finished: 2026-11-22 12:16:00"
TABLE = b"DROP TABLE IF EXISTS `t`;\nCREATE TABLE `t` (\n  `a` text\n) ENGINE=InnoDB;\n\n"


def split(data: bytes, cuts: list[int] | None = None) -> list[Statement]:
    """Statements of a text that arrives in the given pieces."""
    splitter = Splitter()
    found: list[Statement] = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts or []), len(data)]
    for first, last in itertools.pairwise(edges):
        found.extend(splitter.feed(data[first:last]))
    return found


def quoted(value: bytes) -> bytes:
    """A value as the writer quotes it: mysqli_real_escape_string (backup_format 5.5)."""
    for plain, escaped in (
        (b"\\", b"\\\\"),
        (b"\0", b"\\0"),
        (b"\n", b"\\n"),
        (b"\r", b"\\r"),
        (b"\x1a", b"\\Z"),
        (b"'", b"\\'"),
        (b'"', b'\\"'),
    ):
        value = value.replace(plain, escaped)
    return b"'" + value + b"'"


def raw(value: bytes) -> bytes:
    """A value quoted by doubling only: line feeds and all stay as they are."""
    return b"'" + value.replace(b"\\", b"\\\\").replace(b"'", b"''") + b"'"


NASTY = st.sampled_from(
    [
        b";\n",
        b"\n-- Finished: 2020-01-01 00:00:00\n",
        b"'),('",
        b"\\",
        b"\\'",
        b"'",
        b'"',
        b"`",
        b"--",
        b"-- ",
        b"#",
        b"/*",
        b"*/",
        b"/*!",
        b"\0",
        b"\x1a",
        b"\r\n",
        "эмодзи 🚀".encode(),
        b"INSERT INTO `b_x` VALUES\n(1);\n",
    ]
)
VALUES = st.lists(st.one_of(NASTY, st.binary(max_size=6)), max_size=8).map(b"".join)
LITERALS = st.one_of(
    VALUES.map(quoted),
    VALUES.map(raw),
    st.binary(min_size=1, max_size=8).map(lambda value: b"0x" + value.hex().encode()),
    st.sampled_from([b"NULL", b"-1", b"1e308", b"''", b"-0.25"]),
)
ROWS = st.lists(st.lists(LITERALS, min_size=1, max_size=3).map(b", ".join), min_size=1, max_size=4)
INSERTS = ROWS.map(lambda rows: b"INSERT INTO `t` VALUES\n(" + b"),\n(".join(rows) + b")")
COMMENTS = st.sampled_from(
    [b"", b'-- it\'s a "comment";\n', b"# can't;\n", b"/* don't ;\n */ ", b"--\n", b"\n\n"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(COMMENTS, INSERTS), max_size=5), st.lists(st.integers(0, 4000), max_size=6))
def test_statements_come_out_as_they_went_in_wherever_the_text_is_cut(
    parts: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    data = b"".join(comment + text + b";\n" for comment, text in parts)
    found = split(data, cuts)
    assert [statement.text for statement in found] == [text for _, text in parts]
    assert all(statement.kind is Kind.INSERT and statement.name == "t" for statement in found)
    assert [statement.end for statement in found][-1:] == ([len(data)] if parts else [])


@settings(max_examples=200, deadline=None)
@given(st.lists(INSERTS, min_size=1, max_size=3), st.integers(0, 4000))
def test_a_dump_cut_anywhere_is_not_complete(inserts: list[bytes], cut: int) -> None:
    data = HEADER + TABLE + b"".join(text + b";\n" for text in inserts) + FOOTER
    whole, part = Surveyor(), Surveyor()
    whole.feed(data)
    assert whole.finish().complete
    part.feed(data[: cut % (len(data) - len("2026-11-22 12:16:00"))])
    assert not part.finish().complete


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=5))
def test_any_bytes_split_alike_in_one_piece_and_in_many(data: bytes, cuts: list[int]) -> None:
    assert split(data) == split(data, cuts)


class CarefulSplitter(Splitter):
    """Takes no short cut."""

    def _rows_end(self) -> bool | None:
        return None


LOOSE = st.lists(
    st.one_of(NASTY, LITERALS, st.sampled_from([b"(", b"),\n(", b", ", b"\\\\", b";", b"- -", b"/"])),
    max_size=12,
).map(b"".join)


@settings(max_examples=500, deadline=None)
@given(st.lists(LOOSE, min_size=1, max_size=4), st.lists(st.integers(0, 400), max_size=4))
def test_the_short_cut_through_rows_ends_where_the_long_way_does(texts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(b"INSERT INTO `t` VALUES " + text + b";\n" for text in texts)
    careful = CarefulSplitter()
    expected = list(careful.feed(data))
    assert split(data, cuts) == expected
    assert split(data) == expected


def test_rows_longer_than_memory_are_not_kept() -> None:
    splitter = Splitter()
    row = b"INSERT INTO `t` VALUES\n('" + b"it\\'s; long\\n " * (CHUNK // 8) + b"')"
    found = [
        statement
        for start in range(0, len(row), 70_001)
        for statement in splitter.feed(row[start : start + 70_001])
    ]
    assert found == []
    (statement,) = splitter.feed(b";\n")
    assert (statement.kind, statement.name, statement.end) == (Kind.INSERT, "t", len(row) + 2)
    assert len(statement.text) <= HEAD


def test_a_definition_without_an_end_is_damage() -> None:
    splitter = Splitter()
    pieces = (b"CREATE TABLE `t` (" + b" " * CHUNK for _ in range(40))
    with pytest.raises(DamagedError, match="without an end"):
        list(itertools.chain.from_iterable(map(splitter.feed, pieces)))


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        (b"INSERT INTO `a``b` VALUES\n(1)", Kind.INSERT, "a`b"),
        (b"INSERT INTO `a` (`x`,`y`) VALUES (1,2)", Kind.INSERT, "a"),
        (b"CREATE TABLE IF NOT EXISTS `a` (", Kind.CREATE_TABLE, "a"),
        (
            b"CREATE ALGORITHM=UNDEFINED DEFINER=`u`@`%` SQL SECURITY DEFINER VIEW `v` AS",
            Kind.CREATE_VIEW,
            "v",
        ),
        (b"/*!50001 DROP VIEW IF EXISTS `v`*/", Kind.DROP_VIEW, "v"),
        (
            b"/*!50001 CREATE ALGORITHM=MERGE */\n/*!50013 DEFINER='u'@'h' SQL SECURITY INVOKER */\n"
            b"/*!50001 VIEW `v` AS select '*/' AS `x` */",
            Kind.CREATE_VIEW,
            "v",
        ),
        (b"/*!40101 SET @saved_cs_client     = @@character_set_client */", Kind.SESSION, ""),
        (b"/*!40000 ALTER TABLE `t` DISABLE KEYS */", Kind.SESSION, ""),
        (b"SET NAMES 'cp1251'", Kind.SET_NAMES, "cp1251"),
        (b"INSERT INTO `other`.`a` VALUES (1)", Kind.OTHER, ""),
        (b"DROP TABLE `other`.`a`", Kind.OTHER, ""),
        (b"DROP DATABASE `a`", Kind.OTHER, ""),
        (b"CREATE TRIGGER `a` BEFORE INSERT ON `t` FOR EACH ROW SET @x=1", Kind.OTHER, ""),
    ],
)
def test_statements_are_known_by_their_beginning(text: bytes, kind: Kind, name: str) -> None:
    (statement,) = split(text + b";\n")
    assert (statement.kind, statement.name) == (kind, name)


def test_a_false_end_mark_inside_a_string_does_not_end_a_dump() -> None:
    surveyor = Surveyor()
    surveyor.feed(HEADER + TABLE + b"INSERT INTO `t` VALUES\n('a;\n-- Finished: 2020-01-01 00:00:00")
    survey = surveyor.finish()
    assert not survey.complete
    assert survey.rest is not None
    assert survey.rest[1].startswith(b"INSERT INTO")


def test_mysqldump_says_that_it_is_complete_in_its_own_words() -> None:
    surveyor = Surveyor()
    surveyor.feed(b"-- MariaDB dump\n" + TABLE + b"-- Dump completed on 2026-11-22  1:02:03\n")
    assert surveyor.finish().complete


def write_dump(folder: Path, *parts: bytes) -> None:
    """A dump of several files."""
    for number, part in enumerate(parts):
        (folder / f"portal.sql{f'.{number}' if number else ''}").write_bytes(part)


def test_a_dump_of_several_files_reads_as_one(tmp_path: Path) -> None:
    text = HEADER + TABLE + b"".join(b"INSERT INTO `t` VALUES\n(%d);\n" % n for n in range(12)) + FOOTER
    random.seed(5)
    cuts = sorted(random.sample(range(1, len(text)), 11))
    write_dump(tmp_path, *(text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)))
    (tmp_path / "portal_after_connect.sql").write_bytes(b"SET NAMES 'utf8mb4';\n")
    dump = find_dump(tmp_path)
    survey = dump.survey()
    found = (survey.complete, len(dump.files), len(survey.tables), survey.statements)
    assert found == (True, 12, 1, 15)
    assert dump.after_connect == tmp_path / "portal_after_connect.sql"
    reader = DumpReader(dump.places())
    spans = survey.tables["t"].spans()
    assert [reader.statement(*span) for span in spans] == [
        b"INSERT INTO `t` VALUES\n(%d)" % n for n in range(12)
    ]
    reader.close()


def test_a_hole_between_the_files_is_named(tmp_path: Path) -> None:
    write_dump(tmp_path, HEADER, TABLE, FOOTER)
    (tmp_path / "portal.sql.1").unlink()
    with pytest.raises(AbsentError, match=r"portal\.sql\.1"):
        find_dump(tmp_path)


def test_two_dumps_are_a_question(tmp_path: Path) -> None:
    write_dump(tmp_path, HEADER + FOOTER)
    (tmp_path / "other.sql").write_bytes(HEADER + FOOTER)
    with pytest.raises(UsageError, match=r"other\.sql, portal\.sql"):
        find_dump(tmp_path)


def test_no_dump_is_absent(tmp_path: Path) -> None:
    with pytest.raises(AbsentError):
        find_dump(tmp_path)


def test_rows_before_their_table_are_damage(tmp_path: Path) -> None:
    write_dump(tmp_path, HEADER + b"INSERT INTO `t` VALUES\n(1);\n" + FOOTER)
    with pytest.raises(DamagedError, match="table t"):
        find_dump(tmp_path).survey()


def test_places_are_told_in_the_file_that_has_them(tmp_path: Path) -> None:
    write_dump(tmp_path, HEADER, TABLE)
    dump = DumpFiles((tmp_path / "portal.sql", tmp_path / "portal.sql.1"), None)
    assert dump.place(len(HEADER) + 3) == (tmp_path / "portal.sql.1", 3)


LOAD_FILE = b"(3, LOAD_FILE('/etc/passwd'))"


@pytest.mark.parametrize(
    "rows",
    [
        b"(1,(SELECT 'x'))",
        b"(1,(SELECT User FROM mysql.user LIMIT 1))",
        LOAD_FILE,
        b"(1,'a') ON DUPLICATE KEY UPDATE `ID`=2",
        b"(1,'a\\'') , (2, @@datadir)",
        b"(1,@x)",
        b"(1,`x`)",
        b'(1,"a", load_file("/etc/passwd"))',
        b"(1,-- '\n(SELECT 1)) -- '\n",
        b"(1,/*!50000 (SELECT 1)*/)",
        b"(1,# '\nSLEEP(9))# '\n",
        b"(1,'" + b"a" * CHUNK + b"\\'',(SELECT 1))",
        b"(1,NULL_(1))",
    ],
)
@pytest.mark.parametrize("columns", [b"", b" (`ID`,`NAME`)"])
def test_rows_that_ask_for_more_than_literals_are_no_rows(rows: bytes, columns: bytes) -> None:
    text = b"INSERT INTO `t`" + columns + b" VALUES\n" + rows + b";\n"
    for found in (split(text), list(CarefulSplitter().feed(text))):
        assert [statement.kind for statement in found] == [Kind.OTHER]


@pytest.mark.parametrize(
    "text",
    [
        b"INSERT INTO `t` (a -- ) VALUES (1),'\n) SELECT 1 -- '\n",
        b"INSERT INTO `t` (a /* ) VALUES */ ) SELECT 1",
        b"/*!50000 INSERT INTO `t` VALUES (1)*/",
        b"CREATE VIEW `v`/**/.`x` AS select 1",
    ],
)
def test_comments_do_not_hide_what_a_statement_is(text: bytes) -> None:
    assert [statement.kind for statement in split(text + b";\n")] == [Kind.OTHER]


@pytest.mark.parametrize(
    "rows",
    [
        b"(-1,1.5,1e308,-2.5E-10,NULL,null,'it''s',0x00ff,X'00',b'01',TRUE,false,DEFAULT,_binary 'x',N'y')",
        b'("a\\"b", +1), (_utf8mb4\'x\', 0xAB)',
        b"('SELECT LOAD_FILE(1) -- #', '\\\\')",
    ],
)
def test_literals_of_all_kinds_are_rows(rows: bytes) -> None:
    text = b"INSERT INTO `t` VALUES\n" + rows + b";\n"
    for found in (split(text), list(CarefulSplitter().feed(text))):
        assert [statement.kind for statement in found] == [Kind.INSERT]


@pytest.mark.parametrize("name", [b"bxbackup_load", b"BXBACKUP_load", b"bxbackup_twin"])
def test_a_table_with_a_name_of_our_own_is_told(name: bytes) -> None:
    surveyor = Surveyor()
    surveyor.feed(HEADER + TABLE.replace(b"`t`", b"`" + name + b"`"))
    surveyor.feed(b"INSERT INTO `" + name + b"` VALUES\n(1);\n" + FOOTER)
    unknown = surveyor.finish().unknown
    assert unknown is not None
    assert "bxbackup itself needs" in unknown[1]
