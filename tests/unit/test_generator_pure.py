"""Pure parts of the generator and of the writer."""

from __future__ import annotations

import tarfile
from datetime import datetime
from io import BytesIO
from pathlib import Path
from random import Random

import pytest

from lab.generator.clock import DAYS, lead_times, stamp, to_seconds
from lab.generator.content import Noise, Repeated, md5
from lab.generator.plan import Plan, Settings
from lab.generator.portal import Portal, read_schema
from lab.generator.settings import exported
from lab.generator.words import serialized
from lab.writer import damage
from lab.writer.dump import DumpWriter
from lab.writer.rows import render, sql_text
from lab.writer.schema import read_tables
from lab.writer.tar import FILE, FOLDER, Entry, PathTooLongError, headers, padding

END = datetime.fromisoformat("2026-11-20 22:00:00")
SETTINGS = Settings(3_000_000, 1, "acme.bitrix24.example", END, "utf8mb4_0900_ai_ci")
SHORT, LONG, LONGEST = b"a/b.txt", b"d" * 90 + "/имя файла.txt".encode(), b"x" * 512


@pytest.fixture(scope="module")
def portal() -> Portal:
    return Portal(SETTINGS)


@pytest.mark.parametrize("path", [SHORT, b"y" * 100, b"y" * 101, LONG, LONGEST[:511]])
@pytest.mark.parametrize("kind", [FILE, FOLDER])
def test_python_tarfile_reads_headers(path: bytes, kind: bytes) -> None:
    data = b"content" if kind == FILE else b""
    stream = headers(Entry(path, kind, len(data), 0o640, 1_700_000_000)) + data + padding(len(data))
    with tarfile.open(fileobj=BytesIO(stream)) as archive:
        member = archive.next()
    assert member is not None
    assert (member.name.encode(), member.size, member.mode, member.mtime) == (
        path,
        len(data),
        0o640,
        1_700_000_000,
    )
    assert member.isdir() == (kind == FOLDER)


def test_path_above_512_bytes_is_refused() -> None:
    with pytest.raises(PathTooLongError, match="513 bytes"):
        headers(Entry(LONGEST + b"x", FILE, 0, 0o644, 0))


def test_leads_follow_the_pattern() -> None:
    times = lead_times(Random(5), 40_000, END)
    assert len(times.per_day) == DAYS
    assert abs(len(times.moments) - 40_000) < 1_500
    assert list(times.moments) == sorted(times.moments)
    assert sum(map(sum, times.per_hour)) == sum(times.per_day.values()) == len(times.moments)
    weekday = [sum(hours) for hours in times.per_hour]
    assert min(weekday[:5]) > 4 * max(weekday[5:])
    assert sum(hours[10] for hours in times.per_hour) > 20 * sum(hours[3] for hours in times.per_hour)
    assert not [moment for moment in times.moments if times.outage.first <= moment <= times.outage.last]
    assert datetime.fromisoformat(stamp(times.outage.first)).weekday() < 5
    assert times.moments[-1] < to_seconds(END)


@pytest.mark.parametrize("size", [3_000_000, 200 << 20, 30 << 30])
def test_plan_splits_tables_and_files(size: int) -> None:
    plan = Plan.for_size(size)
    assert plan.sql_bytes + plan.file_bytes == size
    assert 0.29 < plan.sql_bytes / size < 0.31
    assert plan.leads >= 250


def test_too_small_a_portal_is_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        Plan.for_size(1_000)


def test_contents_repeat_and_differ() -> None:
    one = Noise("a", 3_000_000, b"\xff\xd8")
    content = b"".join(one.chunks())
    assert len(content) == 3_000_000
    assert content.startswith(b"\xff\xd8")
    assert md5(one) == md5(Noise("a", 3_000_000, b"\xff\xd8")) != md5(Noise("b", 3_000_000, b"\xff\xd8"))
    assert sum(map(len, Repeated("текст ".encode(), 2_500_001).chunks())) == 2_500_001


def test_serialized_counts_bytes() -> None:
    assert serialized({"ключ": ["я", 1, True, None]}) == (
        'a:1:{s:8:"ключ";a:4:{i:0;s:2:"я";i:1;i:1;i:2;b:1;i:3;N;}}'
    )


def test_exported_is_php() -> None:
    assert (
        exported({"a": {"b": "it's \\"}})
        == "array (\n  'a' => \n  array (\n    'b' => 'it\\'s \\\\',\n  ),\n)"
    )


def test_texts_are_escaped_as_mysqli_does() -> None:
    assert sql_text("\0\n\r\x1a'\"\\\t%") == "'\\0\\n\\r\\Z\\'\\\"\\\\\t%'"


def test_values_by_column_type() -> None:
    table = read_tables(
        "CREATE TABLE `t` (\n  `A` int(11) NOT NULL,\n  `B` varbinary(9) DEFAULT NULL,\n"
        "  `C` text DEFAULT NULL,\n  `D` bit(16) DEFAULT NULL,\n  PRIMARY KEY (`A`)\n) ENGINE=InnoDB;"
    )["t"]
    tuples, lines = render(table, [(1, b"\x00a", "x\ty\\", "53"), (2, b"", None, "300")])
    assert tuples == ["(1, 0x0061, 'x\ty\\\\', '53')", "(2, '', NULL, '300')"]
    expected = b"1\t\\0a\tx\\ty\\\\\t53\n2\t\tNULL\t" + b"\xff\xff\n"
    assert lines.encode("utf-8", "surrogateescape") == expected


def test_definitions_look_like_mysql_8() -> None:
    table = read_schema()["b_sample_types"]
    text = table.ddl(collation="utf8mb4_0900_ai_ci", auto_increment=15)
    assert "`F_TINY` tinyint DEFAULT NULL" in text
    assert "`F_YEAR` year DEFAULT NULL" in text
    assert "`F_JSON` json DEFAULT NULL" in text
    assert "`F_LONGBLOB` longblob,\n" in text
    assert text.endswith("ENGINE=InnoDB AUTO_INCREMENT=15 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci")
    assert table.ddl(collation="utf8mb4_unicode_ci", auto_increment=None).startswith(table.definition)
    other = read_schema()["b_im_legacy_word"].ddl(collation="utf8mb4_0900_ai_ci", auto_increment=None)
    assert "`WORD` varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL" in other
    assert other.endswith("ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci")


def test_every_table_of_the_schema_has_rows_that_fit(portal: Portal) -> None:
    for name, table in portal.tables.items():
        for row in portal.rows(name):
            assert len(row) == len(table.columns), name


def test_rows_come_in_the_order_of_their_key(portal: Portal) -> None:
    for name, table in portal.tables.items():
        positions = [[column.name for column in table.columns].index(term) for term in table.order_by]
        keys = [
            tuple(
                value.encode() if isinstance(value, str) else value for value in (row[i] for i in positions)
            )
            for row in portal.rows(name)
        ]
        assert keys == sorted(keys), name


def test_users_are_of_every_kind(portal: Portal) -> None:
    users = portal.staff.users
    assert {user.kind for user in users} == {
        "network",
        "fired",
        "local",
        "invited",
        "extranet",
        "bot",
        "email",
        "system",
    }
    assert len({(user.login, user.external) for user in users}) == len(users)
    assert [user.id for user in users] == list(range(1, len(users) + 1))


def test_nothing_points_outside_the_lab(portal: Portal) -> None:
    allowed = (".example", "example.test", ".invalid", "bitrix24.site")
    for name in portal.leftovers.tables:
        for row in portal.rows(name):
            for value in row:
                if isinstance(value, str) and "://" in value:
                    host = value.split("://", 1)[1].split("/", 1)[0].split('"', 1)[0].split(":", 1)[0]
                    assert host.endswith(allowed), (name, host)


def test_dump_is_cut_between_statements(tmp_path: Path) -> None:
    files: list[tuple[str, bytes]] = []
    writer = DumpWriter(
        tmp_path, "d.sql", 2_000, "utf8mb4", lambda path: files.append((path.name, path.read_bytes()))
    )
    writer.start(END)
    table = read_tables("CREATE TABLE `t` (\n  `A` int(11) NOT NULL,\n  PRIMARY KEY (`A`)\n) ENGINE=InnoDB;")[
        "t"
    ]
    for _ in range(8):
        writer.table(table, table.definition, None, [(number,) for number in range(100)])
    writer.finish(END)
    assert [name for name, _ in files] == [
        f"d.sql{end}" for end in ("", *(f".{n}" for n in range(1, len(files))))
    ]
    assert len(files) > 2
    for _, data in files[:-1]:
        assert data.endswith((b";\n", b";\n\n"))
        assert len(data) <= 2_000
    assert files[-1][1].endswith(b"-- Finished: 2026-11-20 22:00:00")


def test_damages(tmp_path: Path) -> None:
    parts = [
        tmp_path / "a.tar.gz",
        tmp_path / "a.tar.gz.1",
        tmp_path / "a.tar.gz.10",
        tmp_path / "a.tar.gz.2",
    ]
    for number, part in enumerate(parts):
        part.write_bytes(bytes([number]) * 40)
    (tmp_path / "manifest.json").write_text("{}")
    assert [path.name for path in damage.volumes(tmp_path)] == [
        "a.tar.gz",
        "a.tar.gz.1",
        "a.tar.gz.2",
        "a.tar.gz.10",
    ]
    damage.swap(parts[0], parts[1])
    assert parts[0].read_bytes() == b"\x01" * 40
    damage.duplicate(parts[0], parts[2])
    assert parts[2].read_bytes() == b"\x01" * 40
    damage.flip_bit(parts[2], 3, 1)
    assert parts[2].read_bytes()[3] == 3
    damage.cut(parts[3])
    assert parts[3].read_bytes() == b"\x03" * 20
    damage.error_body(parts[3])
    assert parts[3].read_bytes().startswith(b"<?xml")
    damage.empty(parts[3])
    damage.append(parts[3], b"x")
    assert parts[3].read_bytes() == b"x"
    damage.remove(parts[3])
    assert not parts[3].exists()
