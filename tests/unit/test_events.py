"""From ansible-runner's events to results, progress, failure and exit code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from boxlift.errors import ExitCode
from boxlift.journal import Measure, Result
from boxlift.runner.events import Diff, Line, Measures, Progress, Reader, Restore, Task
from boxlift.runner.failure import Failure, cause_of, code_of

START, END = "2026-11-20T18:00:00.000000", "2026-11-20T18:00:02.500000"


def event(kind: str, res: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    data = {
        "play": "Restore",
        "play_uuid": "p1",
        "role": "backup_restore",
        "task": "Wait for the restore",
        "task_uuid": "t1",
        "host": "portal-1",
        "start": START,
        "end": END,
        "duration": 2.5,
        "res": res or {},
    }
    return {"event": kind, "created": "2026-11-20T18:00:03+00:00", "stdout": "", "event_data": data | more}


def results(reader: Reader, *events: Mapping[str, Any]) -> list[Result]:
    return [told for one in events for told in reader.read(one) if isinstance(told, Result)]


def test_a_result_carries_host_task_times_and_outcome() -> None:
    reader = Reader()
    (result,) = results(reader, event("runner_on_ok", {"changed": True}))
    assert result == Result(
        play="Restore",
        role="backup_restore",
        task="Wait for the restore",
        host="portal-1",
        started=1795197600.0,
        ended=1795197602.5,
        seconds=2.5,
        outcome="changed",
    )
    assert reader.changes == 1


@pytest.mark.parametrize(
    ("kind", "more", "outcome"),
    [
        ("runner_on_ok", {}, "ok"),
        ("runner_on_skipped", {}, "skipped"),
        ("runner_on_failed", {}, "failed"),
        ("runner_on_failed", {"ignore_errors": True}, "ignored"),
        ("runner_on_unreachable", {}, "unreachable"),
    ],
)
def test_outcomes(kind: str, more: dict[str, Any], outcome: str) -> None:
    assert results(Reader(), event(kind, {"msg": "m"}, **more))[0].outcome == outcome


def test_tries_are_counted() -> None:
    (result,) = results(
        Reader(),
        event("runner_retry", {"attempts": 1}),
        event("runner_retry", {"attempts": 2}),
        event("runner_on_ok"),
    )
    assert result.tries == 3


def test_progress_of_a_long_task_is_told_at_each_try() -> None:
    told = {"what": "index site (1 of 9)", "done": 200, "total": None, "rate": 41.5}
    (progress,) = Reader().read(event("runner_retry", {"attempts": 1, "boxlift_progress": told}))
    assert progress == Progress("portal-1", "index site (1 of 9)", 200, None, 41.5)


@pytest.mark.parametrize("told", [{}, None, "much", {"what": "", "done": 1}, {"what": "x", "done": "many"}])
def test_progress_that_says_nothing_is_not_told(told: object) -> None:
    assert Reader().read(event("runner_retry", {"attempts": 1, "boxlift_progress": told})) == []


def test_what_check_mode_would_change_is_told() -> None:
    told = Reader().read({"event": "runner_on_file_diff", "stdout": "-a\n+b"})
    assert told == [Line("-a\n+b"), Diff("-a\n+b")]
    assert Reader().read({"event": "runner_on_file_diff", "stdout": ""}) == []


def test_tasks_and_output_are_told() -> None:
    told = Reader().read({"event": "playbook_on_task_start", "stdout": "TASK", "event_data": {"task": "T"}})
    assert told == [Line("TASK"), Task("", "", "T")]


STATUS = {
    "state": "running",
    "updated": "2026-11-20T18:00:03Z",
    "parts": {"total": 22, "fetched": 5, "verified": 4, "unpacked": 3},
    "bytes": {"total": 1000, "fetched": 250},
    "rate": 12.5,
    "files": 7,
    "tables": {"total": 58, "loaded": 2},
    "rows": 99,
    "repairs": [{"at": "2026-11-20T18:00:01Z", "what": "part fetched again", "part": "a.tar.gz.3"}],
}


@pytest.mark.parametrize("kind", ["runner_retry", "runner_on_ok"])
def test_progress_of_a_restore_is_read_from_its_status(kind: str) -> None:
    reader = Reader()
    (restore,) = [
        told for told in reader.read(event(kind, {"bxbackup_status": STATUS})) if isinstance(told, Restore)
    ]
    segment = restore.segment
    assert (segment.bytes, segment.bytes_total, segment.rate) == (250, 1000, 12.5)
    assert (segment.parts, segment.parts_total, segment.tables, segment.tables_total) == (3, 22, 2, 58)
    assert restore.repairs == ((1795197601.0, "part fetched again a.tar.gz.3"),)
    assert reader.moved == 250


def test_a_status_that_is_half_written_is_survived() -> None:
    reader = Reader()
    broken = {
        "bxbackup_status": {
            "state": "running",
            "bytes": "?",
            "parts": {"total": "x", "unpacked": float("nan")},
            "rate": float("inf"),
            "repairs": ["r"],
        }
    }
    (restore,) = [told for told in reader.read(event("runner_retry", broken)) if isinstance(told, Restore)]
    assert restore.segment.bytes is None


def test_a_restore_that_has_not_begun_is_no_progress() -> None:
    told = Reader().read(event("runner_retry", {"bxbackup_status": {}}))
    assert not told


def test_measures_are_read_and_torn_ones_left_out() -> None:
    handed = [
        ["line", "", 1795197600.5, 30.0, 24000000, None, None],
        ["part", "a.tar.gz.3", 1795197600, 40, 2, None, 1],
        ["table", "b_crm_lead", 1795197600.5, 4.5, 900, 1200, None],
        ["line", "", None, 30.0, 1, None, None],
        ["line", "", 1.0, "x", 1, None, None],
        ["line", "", 1.0, 30.0, float("inf"), None, None],
        ["line", "", float("nan"), float("nan"), 1, None, None],
        ["line", ""],
        "line",
    ]
    (told,) = [
        told
        for told in Reader().read(event("runner_on_ok", {"bxbackup_measures": handed}))
        if isinstance(told, Measures)
    ]
    assert told.measures == (
        Measure("portal-1", "line", "", 1795197600.5, 30.0, 24000000),
        Measure("portal-1", "part", "a.tar.gz.3", 1795197600.0, 40.0, 2, repairs=1),
        Measure("portal-1", "table", "b_crm_lead", 1795197600.5, 4.5, 900, rows=1200),
    )


@pytest.mark.parametrize("handed", [[], None, "text", {"line": 1}])
def test_a_result_without_measures_tells_none(handed: object) -> None:
    told = Reader().read(event("runner_on_ok", {"bxbackup_measures": handed}))
    assert [type(one) for one in told] == [Result]


def failed(*events: Mapping[str, Any], code: int = 2) -> Failure:
    reader = Reader()
    for one in events:
        reader.read(one)
    failure = reader.failure(code)
    assert failure is not None
    return failure


@pytest.mark.parametrize(
    ("res", "code"),
    [
        ({"msg": "broke"}, ExitCode.HOST_FAILED),
        ({"msg": "refused: it is open"}, ExitCode.REFUSED),
        ({"msg": ["refused: it is open", "since"]}, ExitCode.REFUSED),
        ({"msg": "it was refused: no"}, ExitCode.HOST_FAILED),
        ({"msg": "m", "boxlift_exit": 3}, ExitCode.PREFLIGHT),
        ({"msg": "m", "boxlift_exit": 7}, ExitCode.VERIFICATION_FAILED),
        ({"msg": "m", "boxlift_exit": 0}, ExitCode.HOST_FAILED),
        ({"msg": "m", "boxlift_exit": 77}, ExitCode.HOST_FAILED),
        ({"msg": "One or more items failed", "results": [{"failed": True, "msg": "refused: x"}]}, 6),
    ],
)
def test_exit_codes_of_a_failed_host(res: dict[str, Any], code: int) -> None:
    assert failed(event("runner_on_failed", res)).code == code


def test_an_unreachable_host_is_5() -> None:
    failure = failed(event("runner_on_unreachable", {"msg": "Failed to connect"}), code=4)
    assert (failure.code, failure.host, failure.cause) == (5, "portal-1", "Failed to connect")


def test_other_hosts_that_failed_with_it_are_named() -> None:
    failure = failed(
        event("runner_on_unreachable", {"msg": "no route\nmore"}, host="pbx-1"),
        event("runner_on_unreachable", {"msg": "refused"}),
    )
    assert (failure.host, failure.cause) == ("portal-1", "refused\nalso on pbx-1: no route")


def test_a_rescues_last_word_keeps_the_code_of_what_it_tells_of() -> None:
    first = event("runner_on_failed", {"msg": "m", "boxlift_exit": 6})
    last = event("runner_on_failed", {"msg": "What to do now: ..."}, task="Say what to do")
    failure = failed(first, last)
    assert (failure.code, failure.cause) == (6, "What to do now: ...")


def test_a_failure_of_an_earlier_play_lends_no_code() -> None:
    first = event("runner_on_failed", {"msg": "m", "boxlift_exit": 6}, play_uuid="p0")
    assert failed(first, event("runner_on_failed", {"msg": "m"})).code == 4


def test_without_a_hosts_failure_it_is_our_fault() -> None:
    failure = failed(
        {"event": "error", "stdout": "[ERROR]: the role 'x' was not found", "event_data": {}}, code=4
    )
    assert (failure.code, failure.cause) == (1, "[ERROR]: the role 'x' was not found")
    assert failed(code=250).cause == "ansible-playbook ended with code 250"


def test_a_playbook_that_meant_no_host_did_nothing() -> None:
    failure = failed({"event": "playbook_on_no_hosts_matched", "stdout": "skipping"}, code=0)
    assert (failure.code, failure.cause.split(":")[0]) == (
        2,
        "no host of the inventory is meant by this playbook",
    )


def test_a_killed_ansible_is_told() -> None:
    assert failed(event("runner_on_ok"), code=-9).cause == "ansible-playbook was killed on the control node"


def test_success_is_no_failure() -> None:
    reader = Reader()
    reader.read(event("runner_on_failed", {"msg": "rescued"}))
    assert reader.failure(0) is None


@pytest.mark.parametrize(
    ("res", "cause"),
    [
        ({"msg": "one\n\ntwo"}, "one\ntwo"),
        ({"msg": ["one", "two"]}, "one\ntwo"),
        ({"msg": "Task failed: no space"}, "no space"),
        ({"msg": "non-zero return code", "stderr": "a\nb\n"}, "non-zero return code\na\nb"),
        ({"msg": "MODULE FAILURE", "module_stderr": "Traceback\nboom"}, "MODULE FAILURE\nTraceback\nboom"),
        ({"censored": "x", "msg": "y"}, "the task keeps its output secret"),
        ({}, "no cause was told"),
        (
            {
                "msg": "One or more items failed",
                "results": [
                    {"failed": False, "msg": "good"},
                    {"failed": True, "item": "php", "msg": "no package"},
                    {"failed": True, "item": "x", "msg": "no package"},
                ],
            },
            "php: no package\nand 1 more items",
        ),
    ],
)
def test_causes(res: dict[str, Any], cause: str) -> None:
    assert cause_of(res) == cause


def test_no_code_where_none_is_asked_for() -> None:
    assert code_of({"msg": "m"}) is None


def test_the_last_lines_of_a_failure() -> None:
    failure = Failure(ExitCode.HOST_FAILED, "portal-1", "Wait", "part 7 is damaged\nnothing is lost")
    assert failure.lines(
        "restore-backup", ".boxlift/runs/0042/restore-backup.log", "boxlift run restore-backup"
    ) == [
        "✗ restore-backup on portal-1 · Wait",
        "  part 7 is damaged",
        "  nothing is lost",
        "  next: boxlift run restore-backup      log: .boxlift/runs/0042/restore-backup.log",
    ]
