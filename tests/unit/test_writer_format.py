"""Our writer makes the vendor's bytes again: the samples taken apart and put together."""

import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from lab.writer.archive import Archive, ArchiveWriter
from lab.writer.cipher import BlockCipher, archive_key
from lab.writer.dump import VENDOR_FILE_LIMIT, DumpWriter, TableFacts
from lab.writer.rows import Row
from lab.writer.schema import read_tables
from lab.writer.tar import BLOCK, FILE, LONG_NAME, Entry
from lab.writer.volume import VolumeWriter, vendor_deflater

SAMPLES = Path(__file__).parents[2] / "bxbackup/tests/data"
NAMES = ("M1", "M2", "M3")
MARK_MEMBERS = 1
NO_LIMIT = 1 << 40


@dataclass(frozen=True)
class Sample:
    """A vendor-written backup: its uncompressed stream, and where its write sessions start in it."""

    manifest: dict[str, Any]
    stream: bytes
    sessions: list[int]


def read_sample(name: str) -> Sample:
    folder = SAMPLES / name
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    stream, sessions = b"", []
    for part in manifest["parts"]:
        rest = (folder / part["name"]).read_bytes()
        if not manifest["gzip"]:
            stream += rest
            continue
        members = 0
        while rest:
            if members > MARK_MEMBERS:
                sessions.append(len(stream))
            member = zlib.decompressobj(31)
            stream += member.decompress(rest) + member.flush()
            rest = member.unused_data
            members += 1
    return Sample(manifest, stream, sessions)


def cipher_name(manifest: dict[str, Any]) -> str:
    return "aes" if str(manifest["cipher"]).startswith("aes") else "blowfish"


def plain_stream(sample: Sample) -> bytes:
    password = sample.manifest["password"]
    if password is None:
        return sample.stream
    key = archive_key(str(password))
    algorithm = AES(key) if cipher_name(sample.manifest) == "aes" else Blowfish(key)
    return Cipher(algorithm, ECB()).decryptor().update(sample.stream[BLOCK:])


def octal(field: bytes) -> int:
    return int(field.rstrip(b"\0") or b"0", 8)


def entries(tar: bytes) -> Iterator[tuple[Entry, bytes]]:
    offset, long_name = 0, None
    while offset < len(tar):
        head = tar[offset : offset + BLOCK]
        size, kind = octal(head[124:136]), head[156:157]
        data = tar[offset + BLOCK : offset + BLOCK + size]
        offset += BLOCK + -(-size // BLOCK) * BLOCK
        if kind == LONG_NAME:
            long_name = data
            continue
        path = long_name or head[:100].rstrip(b"\0").rstrip(b"/")
        long_name = None
        yield (
            Entry(
                path,
                kind,
                size,
                mode=octal(head[100:108]),
                uid=octal(head[108:116]),
                gid=octal(head[116:124]),
                mtime=octal(head[136:148]),
            ),
            data,
        )


def rewrite(sample: Sample, folder: Path) -> Archive:
    manifest = sample.manifest
    limit = int(str(manifest["part_limit_bytes"] or NO_LIMIT))
    password = manifest["password"]
    parts: list[dict[str, Any]] = manifest["parts"]
    volumes = VolumeWriter(
        folder, str(parts[0]["name"]), limit, gzipped=bool(manifest["gzip"]), deflater=vendor_deflater
    )
    writer = ArchiveWriter(
        volumes,
        limit,
        cipher=BlockCipher(str(password), cipher_name(manifest)) if password else None,
        token=sample.stream[:32].decode() if password else "",
        sessions=sample.sessions,
    )
    for entry, data in entries(plain_stream(sample)):
        writer.add(entry, [data])
    return writer.close()


@pytest.mark.parametrize("name", NAMES)
def test_volumes_equal_the_vendors_byte_for_byte(name: str, tmp_path: Path) -> None:
    sample = read_sample(name)
    archive = rewrite(sample, tmp_path)
    assert [asdict(part) for part in archive.parts] == sample.manifest["parts"]
    for part in archive.parts:
        assert (tmp_path / part.name).read_bytes() == (SAMPLES / name / part.name).read_bytes()


def test_manifest_records_equal_the_samples(tmp_path: Path) -> None:
    sample = read_sample("M1")
    archive = rewrite(sample, tmp_path)
    listed = {str(fact["path"]): fact for fact in sample.manifest["files"]}
    for record in archive.records:
        fact = listed[record.path.decode()]
        assert (record.sha256, record.size) == (fact["sha256"], fact["size"])
        if record.kind == FILE:
            crossing = [record.first, record.last] if record.last > record.first else None
            assert crossing == fact.get("crosses_parts")


ESCAPED = {"0": "\0", "n": "\n", "r": "\r", "Z": "\x1a"}
VALUE = re.compile(r"'((?:[^'\\]|\\.)*)'|(NULL)|0x([0-9a-f]+)|([^,()']+)", re.S)
TABLE = re.compile(
    r"^-- Dumping table (\w+)\n-- -+\nDROP TABLE IF EXISTS `\w+`;\n(CREATE TABLE .*?);\n\n"
    r"|^-- Creating view (\w+)\n-- -+\nDROP VIEW IF EXISTS `\w+`;\n(CREATE .*?);\n\n",
    re.S | re.M,
)
MOMENT = re.compile(r"^-- (Started|Finished): ([\d: -]{19})(?:\n|\Z)", re.M)


def value(match: re.Match[str]) -> str | bytes | None:
    quoted, null, digits, number = match.groups()
    if null:
        return None
    if digits:
        return bytes.fromhex(digits)
    return number or re.sub(r"\\(.)", lambda m: ESCAPED.get(m[1], m[1]), quoted, flags=re.S)


def insert_rows(text: str, position: int) -> tuple[list[Row], int]:
    rows: list[Row] = []
    while True:
        row: list[str | bytes | None] = []
        separator = "("
        while separator != ")":
            match = VALUE.match(text, position + 1 if separator == "(" else position + 2)
            assert match
            row.append(value(match))
            position = match.end()
            separator = text[position]
        rows.append(tuple(row))
        ending = text[position + 1 : position + 3]
        position += 3
        if ending == ";\n":
            return rows, position


def rewrite_dump(source: bytes, folder: Path) -> tuple[bytes, dict[str, TableFacts]]:
    text = source.decode()
    moments = [datetime.fromisoformat(match[2]) for match in MOMENT.finditer(text)]
    written: list[bytes] = []
    writer = DumpWriter(
        folder, "x.sql", VENDOR_FILE_LIMIT, "utf8mb4", lambda path: written.append(path.read_bytes())
    )
    writer.start(moments[0])
    facts = {}
    for match in TABLE.finditer(text):
        if match[3]:
            writer.view(match[3], match[4])
            continue
        opening, position, rows = f"INSERT INTO `{match[1]}` VALUES\n", match.end(), []
        while text.startswith(opening, position):
            found, position = insert_rows(text, position + len(opening))
            rows += found
        table = read_tables(match[2])[match[1]]
        facts[table.name] = writer.table(table, match[2], None, rows)
    writer.finish(moments[-1])
    return written[0], facts


def joined_inserts(dump: bytes) -> bytes:
    """The vendor also ends a statement where a write session ended; put such statements together again."""
    return re.sub(rb";\nINSERT INTO `b_crm_timeline_bind` VALUES\n", b",\n", dump)


def test_dump_equals_the_vendors_byte_for_byte(tmp_path: Path) -> None:
    sample = read_sample("M1")
    source = next(data for entry, data in entries(sample.stream) if entry.path.endswith(b"df6.sql"))
    dump, facts = rewrite_dump(source, tmp_path)
    assert joined_inserts(dump) == joined_inserts(source)
    tables: dict[str, dict[str, dict[str, Any]]] = sample.manifest["tables"]
    for name, fact in facts.items():
        after = tables[name]["after_import"]
        assert (name, fact.rows, fact.tsv_md5) == (name, after["rows"], after["tsv_md5"])


def test_archive_key_is_the_passwords_md5_in_hex() -> None:
    expected = hashlib.md5("Кедр mini 26".encode(), usedforsecurity=False).hexdigest()
    assert archive_key("Кедр mini 26") == expected.encode()
