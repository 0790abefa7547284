"""Whatever the sizes, limits and sessions are: volumes read one after another are the stream."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lab.writer.archive import ArchiveWriter
from lab.writer.tar import BLOCK, FILE, Entry, headers, padding
from lab.writer.volume import MARK_MEMBER, VolumeWriter

NAME = "a_20261120_220000_full_0123456789abcdef.tar"
SIZES = st.lists(st.integers(0, 4 * BLOCK), max_size=12)
LIMITS = st.integers(1, 9 * BLOCK)
SESSIONS = st.lists(st.integers(0, 60 * BLOCK), max_size=5)


def entry(number: int, size: int) -> Entry:
    return Entry(f"upload/{'д' * (number * 9)}{number}".encode(), FILE, size, 0o644, 1_700_000_000)


@given(sizes=SIZES, limit=LIMITS, sessions=SESSIONS, gzipped=st.booleans())
def test_volumes_are_the_stream(sizes: list[int], limit: int, sessions: list[int], gzipped: bool) -> None:
    expected = b""
    with tempfile.TemporaryDirectory() as folder:
        name = NAME + (".gz" if gzipped else "")
        volumes = VolumeWriter(Path(folder), name, limit, gzipped=gzipped)
        writer = ArchiveWriter(volumes, limit, sessions=sessions)
        for number, size in enumerate(sizes):
            data = bytes([number + 1]) * size
            writer.add(entry(number, size), [data[: size // 3], data[size // 3 :]])
            expected += headers(entry(number, size)) + data + padding(size)
        archive = writer.close()
        contents = [(Path(folder) / part.name).read_bytes() for part in archive.parts]
    plain = [gzip.decompress(content) if gzipped else content for content in contents]
    assert b"".join(plain) == expected
    rounded = -(-limit // BLOCK) * BLOCK
    assert [len(part) for part in plain[:-1]] == [rounded] * (len(plain) - 1)
    assert len(plain[-1]) <= rounded
    assert [part.uncompressed for part in archive.parts] == [len(part) for part in plain]
    for record, size in zip(archive.records, sizes, strict=True):
        assert record.size == size
        assert 0 <= record.first <= record.last < len(plain)
    if gzipped:
        assert all(content[:10] == MARK_MEMBER[:10] for content in contents)
        assert archive.parts[0].ln == (len(plain) - 1 or None)
