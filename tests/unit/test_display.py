"""What people see while a run works."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from boxlift.cli import output
from boxlift.figures import count, duration, size
from boxlift.journal import Result, Segment
from boxlift.runner.display import (
    Amount,
    Display,
    Ended,
    LiveDisplay,
    PlainDisplay,
    display_for,
    progress_figures,
    restore_figures,
)
from boxlift.runner.events import Progress, Task
from boxlift.runner.outlook import Ahead, Outlook

SEGMENT = Segment(
    host="portal-1",
    at=0.0,
    state="running",
    bytes=12_400_000_000,
    bytes_total=30_000_000_000,
    rate=2_100_000.0,
    parts=9,
    parts_total=22,
    tables=12,
    tables_total=58,
    rows=104070,
)


def result(outcome: str) -> Result:
    return Result("p", "r", "Install", "portal-1", 1.0, 2.0, 1.0, outcome)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.4, "0 s"),
        (125, "2 min 5 s"),
        (1500, "25 min"),
        (11400, "3 h 10 min"),
        (187200, "2 d 4 h"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_sizes_and_counts() -> None:
    assert [size(amount) for amount in (999, 7_300_000, 3e13)] == ["999 B", "7.3 MB", "30.0 TB"]
    assert [count(1, "change"), count(0, "change")] == ["1 change", "0 changes"]


def test_a_restore_is_shown_with_rate_and_time_left() -> None:
    assert restore_figures(SEGMENT) == (
        "12.4 GB of 30.0 GB (41 %), 2.1 MB/s, 2 h 19 min left · part 9 of 22 · table 12 of 58 · 104 070 rows"
    )
    assert restore_figures(Segment(host="h", at=0.0, state="waiting")) == "waiting"


ADVANCE = Progress("portal-1", "index crm-lead (2 of 9)", 12_400, 30_000, 310.4)


def test_progress_is_shown_with_rate_and_time_left() -> None:
    assert progress_figures(ADVANCE) == ("index crm-lead (2 of 9): 12 400 of 30 000 (41 %), 310/s, 57 s left")
    unknown = Progress("portal-1", "index site (1 of 9)", 200, None, None)
    assert progress_figures(unknown) == "index site (1 of 9): 200"


def consoles() -> tuple[Console, Console]:
    return (
        Console(file=io.StringIO(), force_terminal=False, width=100),
        Console(file=io.StringIO(), force_terminal=False, width=100),
    )


def shown(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_plain_lines_tell_changes_and_failures_only() -> None:
    out, errors = consoles()
    display = PlainDisplay(out, errors)
    display.begin("restore-backup", "Restore [the] backup", 2, 50400.0)
    for outcome in ("ok", "skipped", "changed", "failed"):
        display.result(result(outcome))
    display.restore(SEGMENT)
    display.idle()
    display.lines(["✗ restore-backup on portal-1 · Wait [x]", "  broke"])
    lines = shown(out)
    assert lines[0] == "▶ restore-backup · Restore [the] backup (attempt 2, about 14 h)"
    assert [line.split(" · ")[-1] for line in lines[1:]] == ["Install: changed", "Install: failed"]
    assert shown(errors) == ["✗ restore-backup on portal-1 · Wait [x]", "  broke"]


def test_plain_lines_tell_from_time_to_time_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    out, errors = consoles()
    now = 1000.0
    monkeypatch.setattr("boxlift.runner.display.time.monotonic", lambda: now)
    display = PlainDisplay(out, errors)
    display.begin("restore-backup", "Restore", 1, None)
    display.task(Task("p", "r", "Wait for the restore"))
    now += 20
    display.restore(SEGMENT)
    display.restore(SEGMENT)
    now += 20
    display.idle()
    display.idle()
    assert len(shown(out)) == 3
    assert shown(out)[2].endswith("Wait for the restore: goes on")


def test_plain_lines_tell_what_was_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    out, errors = consoles()
    now = 1000.0
    monkeypatch.setattr("boxlift.runner.display.time.monotonic", lambda: now)
    display = PlainDisplay(out, errors)
    display.task(Task("p", "r", "Build"))
    now += 5
    display.progress(ADVANCE)
    assert shown(out) == []
    now += 20
    display.idle()
    display.task(Task("p", "r", "Next"))
    now += 20
    display.idle()
    reached, other = shown(out)
    assert reached.endswith("portal-1 · index crm-lead (2 of 9): 12 400 of 30 000 (41 %), 310/s, 57 s left")
    assert other.endswith("Next: goes on")


def test_the_live_view_shows_the_task_and_leaves_only_lines() -> None:
    out = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    with LiveDisplay(out, consoles()[1]) as display:
        display.begin("restore-backup", "Restore", 1, None)
        display.task(Task("p", "r", "Wait"))
        display.result(result("changed"))
        display.restore(SEGMENT)
        display.progress(ADVANCE)
        display.idle()
        display.end()
        display.line("✓ restore-backup")
        display.begin("activate-release", "Activate", 1, None)
    assert isinstance(out.file, io.StringIO)
    assert "✓ restore-backup" in out.file.getvalue()
    assert "activate-release · Activate" in out.file.getvalue()


def test_silence_but_for_failures() -> None:
    out, errors = consoles()
    display = Display(out, errors)
    display.begin("s", "t", 1, None)
    display.result(result("failed"))
    display.line("x")
    display.lines(["✗ s"])
    assert not shown(out)
    assert shown(errors) == ["✗ s"]


def test_the_display_fits_the_console() -> None:
    out, _ = consoles()
    assert type(display_for(out)) is PlainDisplay
    assert type(display_for(out, Amount.QUIET)) is Display
    assert type(display_for(Console(file=io.StringIO(), force_terminal=True))) is LiveDisplay


def test_verbose_tells_every_result_with_its_time() -> None:
    out, _ = consoles()
    display = display_for(out, Amount.VERBOSE)
    display.result(result("ok"))
    display.result(result("skipped"))
    assert [line.split(maxsplit=1)[1] for line in shown(out)] == [
        "portal-1 · Install: ok in 1.0 s",
        "portal-1 · Install: skipped in 1.0 s",
    ]


def test_a_diff_is_shown_line_by_line() -> None:
    out, _ = consoles()
    PlainDisplay(out).diff("--- before\n+[new]")
    assert shown(out) == ["    --- before", "    +[new]"]


OUTLOOK = Outlook(
    "final",
    "final-1",
    (
        Ahead("restore-backup", 3600.0, 30_000_000_000, False, "measured once", False, "a release"),
        Ahead("open-portal", None, None, False, "nothing is known of its time", True, "all"),
    ),
    "the client's start-box-sales",
    trial=False,
)


def test_what_a_run_will_do_is_said_with_bytes_seconds_and_confidence() -> None:
    out, _ = consoles()
    PlainDisplay(out).outlook(OUTLOOK)
    first, *rest = shown(out)
    assert first.startswith("final, release final-1: about 1 h, until 20")
    assert rest == [
        "  restore-backup  1 h, measured once · 30.0 GB to move if as much as last time",
        "  open-portal     –, nothing is known of its time · cannot be undone: asks first",
        "  then the client's start-box-sales",
    ]
    assert replace(OUTLOOK, steps=()).lines() == []
    assert replace(OUTLOOK, trial=True).lines()[0] == "final, release final-1: in check mode: changes nothing"


def test_json_lines_keep_the_published_schema() -> None:
    out, errors = consoles()
    with display_for(out, Amount.JSON) as display:
        display.outlook(OUTLOOK)
        display.begin("restore-backup", "Restore", 1, None)
        display.task(Task("p", "r", "t"))
        display.result(result("ok"))
        display.restore(SEGMENT)
        display.progress(ADVANCE)
        display.diff("+a")
        display.idle()
        display.line("! a\nb")
        display.done(Ended("restore-backup", 4, 1.5, 2, 3, "text"))
        display.end()
    told = [json.loads(line) for line in shown(out)]
    events = ["outlook", "begin", "result", "restore", "progress", "diff", "line", "done"]
    assert [line["event"] for line in told] == events
    path = Path(__file__).parents[2] / "docs" / "contracts" / "run.schema.json"
    schema = jsonschema.Draft202012Validator(
        json.loads(path.read_text()), format_checker=jsonschema.FormatChecker()
    )
    for line in told:
        schema.validate(line)
    assert not shown(errors)


def test_what_is_no_step_is_shown_on_a_terminal_only() -> None:
    out, _ = consoles()
    PlainDisplay(out).busy("reading")
    assert not shown(out)
    file = io.StringIO()
    with LiveDisplay(Console(file=file, force_terminal=True, width=80)) as display:
        display.busy("reading [all]")
        display.line("a sentence")
        display.end()
    assert "reading [all]" in file.getvalue()
    assert "a sentence" in file.getvalue()


def test_long_work_is_told_on_the_errors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "_PATIENCE", 0.01)
    with output.working("drawing [moves]"):
        time.sleep(0.3)
    assert capsys.readouterr().err == "… drawing [moves]\n"
    monkeypatch.setattr(output, "_PATIENCE", 60.0)
    with output.working("drawing"):
        pass
    assert capsys.readouterr().err == ""


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """rich reads it; nothing here may write colours past rich."""

    def lines() -> str:
        file = io.StringIO()
        console = Console(file=file, force_terminal=True, width=80)
        display = PlainDisplay(console, console)
        display.diff("+a\n-b")
        display.lines(["✗ s", "  cause"])
        return file.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[32m" in lines()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in lines()
