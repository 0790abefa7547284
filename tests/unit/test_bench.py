"""The bench's own arithmetic: what its figures rest on."""

from __future__ import annotations

import http.client
import struct
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from bench.__main__ import ROWS, main
from bench.backup import Shape, make
from bench.bucket import TokenBucket
from bench.document import document
from bench.figure import Figure, Outcome, ratios
from bench.program import BenchError, measure, started
from bench.result import Results
from bench.server import ROOT, Line, Server
from bench.wire import Direction
from bxbackup.source import local_parts
from bxbackup.verification import verify


def figure(*samples: float, limit: float = 1.0, fold: str = "median", sense: str = "at most") -> Figure:
    return Figure.from_json(
        {
            "name": "time",
            "samples": samples,
            "sense": sense,
            "limit": limit,
            "unit": "×",
            "fold": fold,
            "digits": 2,
        }
    )


def results(outcomes: list[Outcome], *, quick: bool = False) -> Results:
    machine = {"CPU": "a processor", "cores": "2"}
    return Results(datetime(2026, 11, 22, tzinfo=UTC), 60.0, quick, 5, machine, ("--a=1",), outcomes)


def test_a_bucket_lets_its_rate_through() -> None:
    bucket = TokenBucket(1000.0)
    assert bucket.take(500, 10.0) == pytest.approx(0.5)
    assert bucket.take(500, 10.0) == pytest.approx(1.0), "who comes second waits for the first"
    assert bucket.take(100, 20.0) == pytest.approx(0.1), "time that nobody used is not saved up"


def test_a_bucket_may_save_up_a_burst() -> None:
    bucket = TokenBucket(1000.0, burst=300.0)
    bucket.take(0, 0.0)
    assert bucket.take(300, 10.0) == 0.0
    assert bucket.take(200, 10.0) == pytest.approx(0.2)


def test_a_bucket_without_rate_never_waits() -> None:
    assert TokenBucket(None).take(10**12, 0.0) == 0.0


def test_a_wire_carries_both_ways_and_tells_the_end(tmp_path: Path) -> None:
    wire = [sys.executable, "-m", "bench.wire", str(tmp_path / "line"), "1e9"]
    told = bytes(range(250)) * 4000
    answer = subprocess.run(
        [*wire, "sh", "-c", "cat; exit 3"], input=told, capture_output=True, cwd=ROOT, check=False
    )
    assert (answer.returncode, answer.stdout) == (3, told)


def test_all_that_goes_over_a_wire_shares_its_rate(tmp_path: Path) -> None:
    began = time.monotonic()
    for _ in range(3):
        Direction(tmp_path / "line", 1, 1e6).wait(20_000)
    ends = struct.unpack("2d", (tmp_path / "line").read_bytes())
    assert ends[1] >= began + 0.06 - 0.01, "all but what a pause has saved up"
    assert ends[0] == 0.0, "the other direction is free"


def test_ratios_are_taken_pair_by_pair() -> None:
    assert ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize(("fold", "value"), [("median", 2.0), ("max", 9.0), ("min", 1.0)])
def test_a_figure_folds_its_samples(fold: str, value: float) -> None:
    assert figure(1.0, 9.0, 2.0, fold=fold).value == value


def test_a_figure_knows_the_side_of_its_limit() -> None:
    assert figure(0.9).reached
    assert figure(1.0).reached
    assert not figure(1.1).reached
    assert figure(3.0, limit=3.0, sense="at least").reached
    assert not figure(2.9, limit=3.0, sense="at least").reached


def test_a_figure_shows_value_and_span() -> None:
    assert figure(1.0, 2.0, 3.0).measured == "2.00× (1.00 to 3.00)"
    assert figure(1.5).measured == "1.50×"
    assert figure(1.5, limit=0.55).reach == "≤ 0.55×"


def test_an_outcome_is_reached_when_all_its_figures_are() -> None:
    assert Outcome("load", (figure(0.5), figure(1.0))).reached
    assert not Outcome("load", (figure(0.5), figure(1.5))).reached
    assert not Outcome("load", trouble="no server").reached


def test_results_come_back_from_their_file(tmp_path: Path) -> None:
    before = results(
        [Outcome("load", (figure(0.5, 0.75),), {"ours s": 1.25}), Outcome("kill", trouble="why")]
    )
    before.write(tmp_path / "deep" / "results.json")
    assert Results.read(tmp_path / "deep" / "results.json") == before
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(ValueError, match="no results"):
        Results.read(tmp_path / "other.json")


def test_a_row_measured_anew_takes_its_old_place() -> None:
    found = results([Outcome("tail"), Outcome("load", (figure(0.5),)), Outcome("kill")])
    found = found.entered(Outcome("load", (figure(2.0),)), 90.0).entered(Outcome("cap"), 99.0)
    assert [one.row for one in found.outcomes] == ["tail", "load", "kill", "cap"]
    assert found.outcomes[1].figures == (figure(2.0),)
    assert found.seconds == 99.0


def test_the_table_has_a_line_for_each_figure() -> None:
    found = results([Outcome("cap", (figure(0.5), figure(1.5))), Outcome("kill", trouble="no server")])
    lines = found.lines(ROWS)
    assert [(line[0], line[5]) for line in lines] == [("cap", "✓"), ("", "✗"), ("kill", "not measured")]
    assert lines[1][4] == "time: 1.50×"
    console = Console(record=True, width=150)
    console.print(found.table(ROWS))
    assert "no server" in console.export_text()


def test_the_document_tells_figures_and_reasons() -> None:
    outcomes = [Outcome(name, (figure(0.5 if name != "load" else 2.0),)) for name in ROWS]
    text = document(results(outcomes), ROWS)
    assert all(f"| {name} |" in text for name in ROWS)
    assert "## Not reached, and why" in text
    assert "**load.**" in text
    assert "a processor" in text


def test_no_document_from_small_data_or_a_part_of_the_rows() -> None:
    outcomes = [Outcome(name, (figure(0.5),)) for name in ROWS]
    with pytest.raises(ValueError, match="full run"):
        document(results(outcomes, quick=True), ROWS)
    with pytest.raises(ValueError, match="not measured: cap"):
        document(results([one for one in outcomes if one.row != "cap"]), ROWS)


def test_kept_results_are_shown_and_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results.json"
    results([Outcome("load", (figure(2.0),))]).write(path)
    assert main(["--from", str(path)]) == 0
    assert main(["--from", str(path), "--strict"]) == 1
    assert "load" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["no-such-row"])


def test_a_failed_command_says_what_it_said() -> None:
    with pytest.raises(BenchError, match="ended with 3: no luck"):
        measure(["sh", "-c", "echo no luck >&2; exit 3"])


def test_memory_of_children_counts() -> None:
    grow = "import time; data = bytearray(60_000_000); time.sleep(0.5)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grow!r}], check=True)"
    ballast = bytearray(200_000_000)
    alone = measure([sys.executable, "-c", grow], memory=True).memory
    assert 60_000_000 < alone < len(ballast), "what forks it does not count"
    assert measure([sys.executable, "-c", code], memory=True).memory > alone


def test_what_was_started_is_gone_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with started(["sh", "-c", f"sleep 1000 & echo $! > {note}; wait"]):
        while not note.exists() or not note.read_text().strip():
            time.sleep(0.01)
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", note.read_text().strip()], check=False, capture_output=True, text=True
    )
    assert state.stdout.strip()[:1] in {"", "Z"}


def test_a_backup_of_the_bench_is_sound_and_of_its_shape(tmp_path: Path) -> None:
    backup = make(tmp_path / "b", Shape(400_000, 900_000, 4, small_tables=5, file_size=50_000))
    verdict = verify(backup.first, local_parts(backup.first), None)
    assert verdict.sound, verdict.problems
    assert verdict.dump is not None
    assert verdict.dump.tables == backup.tables == 11
    assert verdict.files == backup.files + 2
    assert verdict.unpacked == pytest.approx(1_300_000, rel=0.2)
    again = make(tmp_path / "again", backup.shape)
    assert [path.read_bytes() for path in again.parts] == [path.read_bytes() for path in backup.parts]


def fetched(server: Server, name: str, span: str | None = None) -> tuple[int, bytes]:
    where = urlsplit(server.url(name))
    connection = http.client.HTTPConnection(where.netloc, timeout=10)
    try:
        connection.request("GET", where.path, headers={"Range": f"bytes={span}"} if span else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_server_serves_ranges_and_counts(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(bytes(range(200)) * 100)
    with Server(tmp_path, Line(total=10_000_000.0)) as server:
        assert fetched(server, "one", "5-9") == (206, bytes(range(5, 10)))
        assert fetched(server, "one") == (200, bytes(range(200)) * 100)
        assert server.stats()["sent"] == 20_005
        server.again()
        assert server.stats()["sent"] == 0


def test_the_server_damages_a_file_once(tmp_path: Path) -> None:
    content = bytes(30_000)
    (tmp_path / "one").write_bytes(content)
    with Server(tmp_path, Line(damaged=("one",))) as server:
        first = fetched(server, "one")[1]
        assert sum(byte != 0 for byte in first) == 1
        assert fetched(server, "one")[1] == content


def test_the_server_resets_connections(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(bytes(3_000_000))
    with (
        Server(tmp_path, Line(reset_every=1_000_000)) as server,
        pytest.raises((ConnectionResetError, http.client.IncompleteRead)),
    ):
        fetched(server, "one")
