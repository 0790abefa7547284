"""A fuzz target for each parser: whatever it is fed, it gives what was written or one of our own errors.

Inputs are what writers make, altered: bits flipped, pieces cut, doubled, moved, mixed with what is special to
the format. Some of each run with every test, always the same; `pytest -m long` gives each thousands more,
others each time.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from archive_builder import DUMP, Form, empty_member, entry, folder, small_site, volumes
from backup_samples import M1
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict
from test_ddl import CHARSETS, MARIADB
from test_ddl import TABLE as DEFINITION
from test_tarstream import read

from bxbackup import commands, phpvalue
from bxbackup.cipher import read_password
from bxbackup.collation import Translator
from bxbackup.ddl import parse_table, rewrite_view, tokens
from bxbackup.dump import Kind, Splitter, Surveyor, text_of
from bxbackup.errors import BackupError, DamagedError, RefusedError, UsageError
from bxbackup.measures import LineSlice, Measures
from bxbackup.pace import parse_rate, parse_window
from bxbackup.remote import retry_after, strong_etag
from bxbackup.rows import batches, take_apart
from bxbackup.server import read_account
from bxbackup.source import is_url, open_source, part_name, shown, split_name
from bxbackup.status import Status
from bxbackup.uploads import read_list, url_of
from bxbackup.volume import VolumeReader, peek_bytes, read_marks

Check = Callable[[Any], None]


@st.composite
def altered(draw: st.DrawFn, seeds: list[bytes], special: list[bytes]) -> bytes:
    """One of the seeds, or several, with up to eight alterations."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 8))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 600))
        match draw(st.integers(0, 6)):
            case 0 if at < len(data):
                data[at] ^= 1 << draw(st.integers(0, 7))
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length]
            case 3:
                data[at:at] = draw(st.sampled_from(special))
            case 4:
                data[at : at + length] = draw(st.binary(max_size=40))
            case 5:
                other = draw(st.sampled_from(seeds))
                data[at:] = other[draw(st.integers(0, len(other))) :]
            case _:
                del data[at:]
    return bytes(data)


def texts(seeds: list[str], special: list[str]) -> st.SearchStrategy[str]:
    """The same of texts."""
    found = altered([seed.encode() for seed in seeds], [word.encode() for word in special])
    return found.map(lambda data: data.decode("utf-8", "replace"))


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


SIZES = st.integers(1, 2000)

# archives

SITE = small_site(
    folder("a"), entry("a/" + "long/" * 40 + "name.bin", bytes(3000)), entry("б.txt", b"x" * 700)
)
VOLUMES = [
    *volumes(SITE, Form()),
    *volumes(SITE, Form(limit=1 << 20, members=5)),
    *volumes(SITE, Form(marks=False)),
    volumes(bytes(200_000), Form(limit=1 << 20, members=1))[0],
]


def check_volume(data: bytes) -> None:
    with contextlib.suppress(DamagedError):
        peek_bytes(data[:600], "part", 64)
    announced = read_marks(data).size
    reader = VolumeReader(io.BytesIO(data), "part")
    got = 0
    with contextlib.suppress(DamagedError):
        for block in reader.blocks():
            got += len(block)
        assert announced is None or not data.startswith(b"\x1f\x8b") or got == announced
    # what a member may hold beyond what is announced is one step of the decoder
    assert announced is None or got <= max(announced, len(data)) + (4 << 20)


def check_tar(given_: tuple[bytes, int]) -> None:
    data, size = given_
    found, whole = read(data)
    again, whole_again = read(*pieces(data, size))
    assert (found.files, found.folders, whole) == (again.files, again.folders, whole_again)
    # Files that swallowed others are looked for in whole blocks: volumes hand out nothing else.
    again, _ = read(*pieces(data, 512 * (1 + size % 20)))
    assert again == found
    assert sum(len(body) for _, body in found.files) <= len(data)


# dumps

STATEMENTS = [
    DUMP,
    DEFINITION.encode() + b";\n",
    b"INSERT INTO `b_user` VALUES\n(1, 'a\\'b;\\n', NULL, 0xdeadbeef),\n(2, '', -1.5e3, 'x''y');\n",
    b"/*!50001 CREATE ALGORITHM=MERGE */\n/*!50013 DEFINER=`u`@`%` SQL SECURITY INVOKER */\n"
    b"/*!50001 VIEW `v` AS select `d`.`b_user`.`ID` AS `ID` from `d`.`b_user` */;\n",
    b"CREATE DEFINER=`a`@`b` VIEW `v` AS select `b_user`.`ID` collate utf8mb4_0900_ai_ci from `b_user`;\n",
    b"SET NAMES 'utf8mb4';\nDROP TABLE IF EXISTS `b_user`;\nALTER DATABASE COLLATE utf8mb4_0900_ai_ci;\n",
]
WORDS = [
    *(
        b";\n",
        b"\n-- Finished: 2020-01-01 00:00:00\n",
        b"-- Started: 2020-01-01 00:00:00\n",
        b"'",
        b'"',
        b"`",
    ),
    *(b"\\", b"/*", b"*/", b"/*!50001 ", b"--", b"-- ", b"#", b"\0", b"\r\n", b"(", b")", b",", b"),\n("),
    *(b"CREATE TABLE ", b"CREATE VIEW ", b"VIEW", b"DEFINER=", b"COLLATE ", b"CHARACTER SET ", b"KEY ", b"="),
    *(b"INSERT INTO `t` VALUES\n", b"PRIMARY KEY (", b"GENERATED ALWAYS AS (", b"\xff", "ъ".encode()),
]


def check_dump(given_: tuple[bytes, int]) -> None:
    """Splitter, surveyor, definitions: cut as it may be, the same; each statement is taken or refused."""
    data, size = given_
    whole, parts = Splitter(), Splitter()
    found = list(whole.feed(data))
    assert found == [statement for piece in pieces(data, size) for statement in parts.feed(piece)]
    end = 0
    for statement in found:
        assert statement.start == end
        assert data[: statement.end].endswith(b";\n")
        end = statement.end
        with contextlib.suppress(BackupError):
            check_statement(statement.kind, statement.text)
    surveyor = Surveyor()
    with contextlib.suppress(BackupError):
        surveyor.feed(data)
        surveyor.finish()


def check_statement(kind: Kind, raw: bytes) -> None:
    """What the load does with a statement of this kind."""
    translator = Translator(MARIADB, CHARSETS, None)
    if kind is Kind.CREATE_TABLE:
        table = parse_table(translator.table(text_of(raw)))
        table.with_all_keys()
        table.without_late_keys()
    elif kind is Kind.CREATE_VIEW:
        translator.view(rewrite_view(text_of(raw), {"b_user", "v"}))
    elif kind is Kind.INSERT:
        check_rows(raw)


def check_rows(raw: bytes) -> None:
    with contextlib.suppress(DamagedError):
        insert = take_apart(raw)
        assert insert.rows
        again = take_apart(insert.head + b",".join(insert.rows))
        assert (again.head, again.rows) == (insert.head, insert.rows)
        assert tuple(row for batch in batches(insert, 100) for row in batch) == insert.rows


def check_definition(text: str) -> None:
    assert "".join(tokens(text)) == text
    Translator(MARIADB, CHARSETS, None).table(text)
    with contextlib.suppress(DamagedError):
        parse_table(parse_table(text).with_all_keys())


# names and places

URLS = [
    "https://host/a/portal.tar.gz?X-Sign=a%2Fb.1&t=2",
    "http://user:pw@host:80/p.enc.gz.12#x",
    "/srv/in/portal.tar.gz",
    "@list",
    "file:///etc/passwd",
    "ftp://user:pw@host/p.tar?sig=x",
]
URL_WORDS = [
    "http://",
    "https://[",
    "]",
    "@",
    ":",
    "?",
    "#",
    "/",
    "//",
    "..",
    "%00",
    "%2F",
    "\n",
    ".tar.gz",
    ".1",
]


def check_source(text: str) -> None:
    with contextlib.suppress(BackupError, OSError):
        source = open_source(text)
        assert (source.part(0).name, source.part(7).number) == (source.first, 7)
    with contextlib.suppress(BackupError):
        if is_url(text):
            assert not {"?", "#"} & set(shown(text))
    first, number = split_name(text)
    assert split_name(part_name(first, number))[1] == number


def on_file(check: Callable[[Path], object], *allowed: type[BackupError]) -> Callable[[bytes], None]:
    """A check of something that reads a file."""

    def run(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "file"
            path.write_bytes(data)
            with contextlib.suppress(*allowed):
                check(path)

    return run


def check_list_of_uploads(path: Path) -> None:
    for upload in read_list(path):
        assert upload.size >= 0
        assert ".." not in upload.path.split("/")
        assert not upload.path.startswith("/")
        assert url_of("https://cdn", upload.key).isascii()


def check_measures(path: Path) -> None:
    before = path.read_bytes()
    Measures(path).add(LineSlice("2026-11-20T10:00:00+00:00", 1.0, 5))
    assert path.read_bytes().startswith(before)
    assert json.loads(path.read_bytes().split(b"\n")[-2])["kind"] == "line"


def check_status(path: Path) -> None:
    state = path.parent / "state"
    state.mkdir()
    (state / "bxbackup.json").write_text("{}")
    path.rename(state / "status.json")
    with contextlib.redirect_stdout(io.StringIO()):
        commands.status(state, json=False)


def check_headers(text: str) -> None:
    headers = CIMultiDict({"Retry-After": text, "ETag": text, "Date": text[::-1]})
    seconds = retry_after(headers)
    assert seconds is None or seconds >= 0
    etag = strong_etag(headers)
    assert etag is None or '"' not in (etag[:1], etag[-1:])


def check_options(text: str) -> None:
    for parse in (parse_rate, parse_window):
        with contextlib.suppress(UsageError):
            parse(text)


def check_php(text: str) -> None:
    with contextlib.suppress(DamagedError):
        value = phpvalue.read(text, "settings")
        assert phpvalue.read(phpvalue.write(value), "settings") == value


STATUS = json.dumps(Status().as_json()).encode()
PHP = "<?php\nreturn array('connections' => array('value' => array('default' => ['a' => 1, 2 => null])));\n"


@dataclass(frozen=True)
class Target:
    """A parser under fuzz: what it is fed, and what must hold."""

    inputs: st.SearchStrategy[Any]
    check: Check


TARGETS = {
    "volume": Target(
        altered(VOLUMES, [b"\x1f\x8b\x08", empty_member(3, 4096), gzip.compress(b"x" * 512)]), check_volume
    ),
    "tar": Target(
        st.tuples(
            altered([SITE], [entry("b", b"2"), entry("c", b"3", size=9000), bytes(512), folder("d")]), SIZES
        ),
        check_tar,
    ),
    "dump": Target(st.tuples(altered(STATEMENTS, WORDS), SIZES), check_dump),
    "rows": Target(altered(STATEMENTS[2:3], WORDS), check_rows),
    "definition": Target(texts([DEFINITION], [word.decode("latin-1") for word in WORDS]), check_definition),
    "source": Target(texts(URLS, URL_WORDS), check_source),
    "list of parts": Target(
        altered(["\n".join(URLS[:2]).encode(), "\n".join(M1.names).encode()], [b"\n", b"#", b"http://h/"]),
        on_file(lambda path: open_source(f"@{path}"), UsageError, BackupError),
    ),
    "list of uploads": Target(
        altered(
            [b"<?php exit;?>\n2026-11-20 10:00:00      12345 b1/disk/a b.txt\n2026-01-01 00:00:00 0 b1/d\n"],
            [b"\n", b"../", b"/", b"\xff", b" 99999999999999999 ", b"tmp/"],
        ),
        on_file(check_list_of_uploads, DamagedError, RefusedError),
    ),
    "measures": Target(altered([b'{"kind":"line"}\n{"ki'], [b"\n", b"\0"]), on_file(check_measures)),
    "status": Target(
        altered([STATUS], [b"null", b"{", b"}", b"[", b'"', b"1e999", b"-1"]),
        on_file(check_status, BackupError),
    ),
    "headers": Target(
        texts(["7", "Fri, 20 Nov 2026 10:00:00 GMT", '"abc-3"', "W/x"], ["99999999999", "GMT", '"', "-"]),
        check_headers,
    ),
    "rate and window": Target(texts(["1.5MiB/s", "20:00-07:00"], ["9", "K", ":", "-", "١"]), check_options),
    "settings": Target(
        texts([PHP], ["array(", "[", "]", ")", "=>", "'", "\\", "?>", "${x}", ","]), check_php
    ),
    "option file": Target(
        altered(
            [b"[client]\nuser = root\npassword='a b'\nport=3306\nhost = db\n[mysql]\nsocket=/x\n"],
            [b"[client]", b"=", b"!include x\n", b"\xff", b"\n ", b"9" * 5000, b"%(x)s"],
        ),
        on_file(read_account, UsageError),
    ),
    "password file": Target(
        altered(["пароль\r\n".encode()], [b"\n", b"\0", b"\xff"]), on_file(read_password, UsageError)
    ),
}
QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large)


def fuzz(name: str, examples: int, *, same: bool) -> None:
    """Feed a target so many inputs, the same each time or others."""
    target = TARGETS[name]

    @settings(
        max_examples=examples, derandomize=same, deadline=None, suppress_health_check=QUIET, database=None
    )
    @given(target.inputs)
    def run(data: Any) -> None:
        target.check(data)

    run()


@pytest.mark.parametrize("name", TARGETS)
def test_short(name: str) -> None:
    fuzz(name, 150, same=True)


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
def test_long(name: str) -> None:
    fuzz(name, 5_000, same=False)
