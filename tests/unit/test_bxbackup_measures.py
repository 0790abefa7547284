"""The measures of a restore as they are handed over: bounded, without what is torn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bxbackup.measures import LineSlice, Measures, PartFetch, PartUnpack, TableLoad
from library.bxbackup_measures import bounded, read

LINE = {"kind": "line", "started": "2026-11-20T18:00:00.5Z", "seconds": 30.0, "bytes": 24000000}
PART = {
    "kind": "part",
    "name": "a.tar.gz.3",
    "bytes": 10,
    "fetched": 12,
    "started": "2026-11-20T18:00:00+00:00",
    "seconds": 4,
    "repairs": 1,
}
TABLE = {
    "kind": "table",
    "name": "b_crm_lead",
    "bytes": 900,
    "rows": 12,
    "started": "2026-11-20T18:00:00",
    "seconds": 4.5,
}


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def test_measures_become_rows(tmp_path: Path) -> None:
    assert read(written(tmp_path / "measures.jsonl", LINE, PART, TABLE)) == [
        ["line", "", 1795197600.5, 30.0, 24000000, None, None],
        ["part", "a.tar.gz.3", 1795197600.0, 4.0, 10, None, 1],
        ["table", "b_crm_lead", 1795197600.0, 4.5, 900, 12, None],
    ]


def test_what_bxbackup_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "measures.jsonl"
    measures, started = Measures(path), "2026-11-20T18:00:00+00:00"
    measures.add(LineSlice(started, 30.0, 24000000))
    measures.add(PartFetch("a.tar.gz", 10, 12, started, 4.0, 1))
    measures.add(PartUnpack("a.tar.gz", 20, started, 0.25))
    measures.add(TableLoad("b_crm_lead", 900, 12, started, 4.5))
    assert read(path) == [
        ["line", "", 1795197600.0, 30.0, 24000000, None, None],
        ["part", "a.tar.gz", 1795197600.0, 4.0, 10, None, 1],
        ["unpack", "a.tar.gz", 1795197600.0, 0.25, 20, None, None],
        ["table", "b_crm_lead", 1795197600.0, 4.5, 900, 12, None],
    ]


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert read(tmp_path / "measures.jsonl") == []
    assert read(tmp_path / "absent" / "measures.jsonl") == []


def test_a_torn_last_line_costs_that_line_only(tmp_path: Path) -> None:
    path = written(tmp_path / "measures.jsonl", LINE)
    with path.open("ab") as file:
        file.write(b'{"kind":"line","started":"2026-11-20T18:00')
    assert len(read(path)) == 1


@pytest.mark.parametrize(
    "line",
    [
        [1, 2],
        "text",
        {},
        LINE | {"kind": "unheard"},
        LINE | {"seconds": -1},
        LINE | {"seconds": None},
        LINE | {"bytes": "many"},
        LINE | {"bytes": float("nan")},
        LINE | {"bytes": True},
        LINE | {"started": "yesterday"},
        LINE | {"started": 5},
    ],
)
def test_what_is_no_measure_is_left_out(tmp_path: Path, line: Any) -> None:
    assert read(written(tmp_path / "measures.jsonl", line)) == []


def test_binary_rubbish_is_survived(tmp_path: Path) -> None:
    path = tmp_path / "measures.jsonl"
    path.write_bytes(bytes(range(256)) * 50 + b"\n" + json.dumps(LINE).encode() + b"\n")
    assert len(read(path)) == 1


def test_what_is_handed_over_is_bounded_and_stays_the_same_when_the_file_grows() -> None:
    lines = [["line", "", float(number), 30.0, 100, None, None] for number in range(2500)]
    tables = [["table", f"t{number}", 0.0, 1.0, 1, 1, None] for number in range(1200)]
    kept = bounded([*lines, *tables], most=1000)
    assert kept == [*lines[:1000], *tables[:1000]]
    assert bounded([*lines, *lines, *tables], most=1000) == kept
