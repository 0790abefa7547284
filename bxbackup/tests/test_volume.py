"""Gzip members, marks, names and evidence: properties that hold for any input."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import random
from datetime import datetime, time
from pathlib import Path

import pytest
from archive_builder import Form, empty_member, volumes
from backup_samples import M1
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bxbackup.errors import DamagedError, UsageError
from bxbackup.evidence import check, piece_sizes
from bxbackup.pace import Window, parse_rate, parse_window
from bxbackup.remote import pause
from bxbackup.report import amount, duration
from bxbackup.source import open_source, part_name, shown, split_name, url_of_part
from bxbackup.transfer import gaps, merged
from bxbackup.volume import Marks, VolumeReader, read_marks

BLOCKS = st.builds(
    lambda seed, count, alike: bytes(count * 512) if alike else random.Random(seed).randbytes(count * 512),
    *(st.integers(0, 2**32), st.integers(1, 40), st.booleans()),
)


def decode(data: bytes) -> tuple[bytes, VolumeReader]:
    reader = VolumeReader(io.BytesIO(data), "part")
    return b"".join(reader.blocks()), reader


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(BLOCKS, st.integers(1, 9), st.booleans())
def test_a_volume_gives_back_what_went_in(data: bytes, members: int, marks: bool) -> None:
    volume = volumes(data, Form(limit=len(data), members=members, marks=marks))[0]
    found, reader = decode(volume)
    assert found == data
    assert (reader.uncompressed, reader.compressed) == (len(data), len(volume))
    assert reader.marks == Marks(None, len(data) if marks else None)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(BLOCKS, st.integers(1, 4), st.data())
def test_any_cut_is_found_by_the_marks(data: bytes, members: int, drawn: st.DataObject) -> None:
    volume = volumes(data, Form(limit=len(data), members=members))[0]
    length = drawn.draw(st.integers(0, len(volume) - 1))
    with pytest.raises(DamagedError) as found:
        decode(volume[:length])
    assert found.value.part == "part"
    assert found.value.offset is not None
    assert found.value.offset <= length


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(BLOCKS, st.integers(1, 4), st.data())
def test_any_flipped_bit_is_found_or_harmless(data: bytes, members: int, drawn: st.DataObject) -> None:
    volume = bytearray(volumes(data, Form(limit=len(data), members=members))[0])
    at = drawn.draw(st.integers(37, len(volume) - 1))
    volume[at] ^= 1 << drawn.draw(st.integers(0, 7))
    try:
        found, _ = decode(bytes(volume))
    except DamagedError:
        return
    # Time stamps and the like in a member's header carry no data.
    assert found == data


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.binary(max_size=3000),
    st.sampled_from([b"", b"\x1f\x8b", empty_member(3, 4096), gzip.compress(b"x" * 512)]),
)
def test_no_bytes_whatsoever_stop_the_reader_but_with_its_own_error(data: bytes, start: bytes) -> None:
    with contextlib.suppress(DamagedError):
        decode(start + data)


def test_the_marks_are_read_as_the_writer_puts_them() -> None:
    assert read_marks(empty_member(21, 1_048_576)) == Marks(21, 1_048_576)
    assert read_marks(empty_member(0, 512)) == Marks(None, 512)
    unclosed = bytearray(empty_member(0, 0))
    unclosed[18:22] = b"0000"
    assert read_marks(bytes(unclosed)) == Marks(None, None)
    assert read_marks(gzip.compress(b"x")) == Marks(None, None)
    assert read_marks(b"short") == Marks(None, None)


BASES = st.text("abc._-0123456789", min_size=1, max_size=20).map(lambda text: text + ".x")
ENDINGS = st.sampled_from([".tar", ".tar.gz", ".enc", ".enc.gz"])


@given(BASES, ENDINGS, st.integers(0, 99999))
def test_part_names_go_there_and_back(base: str, ending: str, number: int) -> None:
    first = base + ending
    assert split_name(part_name(first, number)) == (first, number)


@given(BASES, ENDINGS, st.integers(1, 999))
def test_a_part_number_goes_before_the_query(base: str, ending: str, number: int) -> None:
    url = url_of_part(f"https://host/a/{base}{ending}?X-Sign=a%2Fb.1&t=2", number)
    assert url == f"https://host/a/{base}{ending}.{number}?X-Sign=a%2Fb.1&t=2"


def test_what_is_shown_of_a_url_is_no_secret() -> None:
    assert shown("https://me:canary@host:1/a.tar.gz?sig=canary#canary") == "https://host:1/a.tar.gz"
    assert "canary" not in repr(open_source("https://host/a.tar.gz?sig=canary"))
    assert "canary" not in repr(open_source("https://host/a.tar.gz?sig=canary").part(3))


SPANS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (min(pair), max(pair))), max_size=9
)


@given(SPANS)
def test_spans_and_gaps_cover_everything_once(spans: list[tuple[int, int]]) -> None:
    covered = {at for start, end in spans for at in range(start, end)}
    assert {at for start, end in merged(spans) for at in range(start, end)} == covered
    assert {at for start, end in gaps(spans, 60) for at in range(start, end)} == set(range(60)) - covered


@pytest.mark.parametrize("piece", [5 << 20, 8 << 20, 3_000_000])
def test_an_etag_of_an_upload_in_pieces_is_recognised(tmp_path: Path, piece: int) -> None:
    data = bytes(range(256)) * 4 * 16384
    path = tmp_path / "part"
    path.write_bytes(data)
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    md5s = [hashlib.md5(part, usedforsecurity=False).digest() for part in pieces]
    etag = f"{hashlib.md5(b''.join(md5s), usedforsecurity=False).hexdigest()}-{len(md5s)}"
    known = piece in piece_sizes(len(data), len(md5s))
    finding = check(path, "part", len(data), etag)
    assert finding.etag_equal is (True if known else None)
    assert finding.evidence == ("etag" if known else "structure")


def test_an_etag_that_only_looks_like_a_checksum_is_no_damage(tmp_path: Path) -> None:
    finding = check(M1.first, M1.names[0], M1.first.stat().st_size, "0" * 32)
    assert finding.error is None
    assert (finding.evidence, finding.etag_equal) == ("crc+bx", False)
    finding = check(M1.first, M1.names[0], 7, None)
    assert finding.error is not None


@pytest.mark.parametrize(
    ("text", "rate"), [("2M", 2e6), ("800K", 8e5), ("1.5MiB/s", 1.5 * 2**20), ("77", 77.0), ("1g", 1e9)]
)
def test_rates(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


def test_windows_reach_over_midnight() -> None:
    night = parse_window("20:00-07:00")
    assert night == Window(time(20), time(7))
    assert night.opens_in(datetime(2026, 11, 20, 23, 0)) == 0
    assert night.opens_in(datetime(2026, 11, 20, 6, 59)) == 0
    assert night.opens_in(datetime(2026, 11, 20, 7, 0)) == 13 * 3600
    assert parse_window("9:00-17:30").opens_in(datetime(2026, 11, 20, 18, 0)) == 15 * 3600
    with pytest.raises(UsageError):
        parse_window("20:00-20:00")


def test_figures_for_people() -> None:
    assert [amount(n) for n in (0, 999, 1500, 7_304_583, 3e10)] == [
        "0 B",
        "999 B",
        "1.5 KB",
        "7.3 MB",
        "30.0 GB",
    ]
    assert [duration(n) for n in (45, 200, 37_500)] == ["45 s", "3 min 20 s", "10 h 25 min"]


def test_pauses_grow_and_stay_bounded() -> None:
    assert all(pause(1) <= 0.5 for _ in range(20))
    assert all(15 <= pause(50) <= 30 for _ in range(20))
