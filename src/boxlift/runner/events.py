"""Turn ansible-runner's events into the journal's results, progress and the failure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from boxlift.errors import ExitCode
from boxlift.figures import moment
from boxlift.journal import Measure, Result, Segment
from boxlift.runner.failure import Failure, cause_of, code_of

_NO_HOST = "no host of the inventory is meant by this playbook: nothing was done"
_MEASURE = ("kind", "name", "started", "seconds", "bytes", "rows", "repairs")
"""Columns of a measure, as library/bxbackup_measures.py hands them over."""
_OUTCOMES = {
    "runner_on_ok": "ok",
    "runner_on_failed": "failed",
    "runner_on_async_failed": "failed",
    "runner_on_unreachable": "unreachable",
    "runner_on_skipped": "skipped",
}


@dataclass(frozen=True)
class Task:
    """A task begins."""

    play: str
    role: str
    name: str


@dataclass(frozen=True)
class Restore:
    """A look at a running restore, and what it repaired by itself so far."""

    segment: Segment
    repairs: tuple[tuple[float | None, str], ...]


@dataclass(frozen=True)
class Progress:
    """How far a long task is; `total` and `rate` (a second) are None where unknown."""

    host: str
    what: str
    done: int
    total: int | None
    rate: float | None


@dataclass(frozen=True)
class Line:
    """Text of ansible-playbook's own output."""

    text: str


@dataclass(frozen=True)
class Measures:
    """What bxbackup measured, handed over at the end of a restore."""

    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class Diff:
    """What check mode would change, as ansible-playbook shows it."""

    text: str


Told = Task | Result | Restore | Progress | Measures | Line | Diff


@dataclass
class Reader:
    """Collects what one ansible-playbook tells. Feed it every event, then ask for its `failure`."""

    changes: int = 0
    results: int = 0
    moved: int | None = None
    _failures: list[tuple[str, Mapping[str, Any], Result]] = field(default_factory=list)
    _tries: dict[tuple[str, str], int] = field(default_factory=dict)
    _errors: list[str] = field(default_factory=list)

    def read(self, event: Mapping[str, Any]) -> list[Told]:
        """What one event says."""
        kind = str(event.get("event"))
        data = event.get("event_data") or {}
        told: list[Told] = []
        if text := str(event.get("stdout") or ""):
            told.append(Line(text))
        if text and kind == "runner_on_file_diff":
            told.append(Diff(text))
        if kind in {"error", "verbose", "warning"} and "ERROR" in text:
            self._errors.append(text.strip())
        if kind in {"playbook_on_task_start", "playbook_on_handler_task_start"}:
            told.append(Task(*_names(data)))
        elif kind == "runner_retry":
            result = data.get("res") or {}
            self._tries[str(data.get("task_uuid")), str(data.get("host"))] = (
                int(result.get("attempts") or 1) + 1
            )
            told += self._restore(event, data)
            told += _progress(data)
        elif kind in _OUTCOMES:
            told += self._restore(event, data)
            if measures := tuple(_measures(data)):
                told.append(Measures(measures))
            told.append(self._result(kind, data))
        return told

    def _result(self, kind: str, data: Mapping[str, Any]) -> Result:
        res = data.get("res") or {}
        outcome = _OUTCOMES[kind]
        if outcome == "failed" and data.get("ignore_errors"):
            outcome = "ignored"
        elif outcome == "ok" and res.get("changed"):
            outcome = "changed"
            self.changes += 1
        self.results += 1
        play, role, task = _names(data)
        host = str(data.get("host") or "")
        bad = outcome in {"failed", "unreachable", "ignored"}
        result = Result(
            play=play,
            role=role,
            task=task,
            host=host,
            started=moment(data.get("start")),
            ended=moment(data.get("end")),
            seconds=data.get("duration"),
            outcome=outcome,
            tries=self._tries.get((str(data.get("task_uuid")), host), 1),
            cause=cause_of(res) if bad else None,
        )
        if outcome in {"failed", "unreachable"}:
            self._failures.append((str(data.get("play_uuid")), res, result))
        return result

    def _restore(self, event: Mapping[str, Any], data: Mapping[str, Any]) -> list[Told]:
        """bxbackup's status.json, where a result carries it as `bxbackup_status`."""
        status = (data.get("res") or {}).get("bxbackup_status")
        if not isinstance(status, Mapping) or not status.get("state"):
            return []
        moved, parts, tables = (_mapping(status.get(name)) for name in ("bytes", "parts", "tables"))
        segment = Segment(
            host=str(data.get("host") or ""),
            at=moment(event.get("created")) or 0.0,
            state=str(status.get("state") or ""),
            bytes=_integer(moved.get("fetched")),
            bytes_total=_integer(moved.get("total")),
            rate=_number(status.get("rate")),
            parts=_integer(parts.get("unpacked")),
            parts_total=_integer(parts.get("total")),
            files=_integer(status.get("files")),
            tables=_integer(tables.get("loaded")),
            tables_total=_integer(tables.get("total")),
            rows=_integer(status.get("rows")),
        )
        self.moved = segment.bytes if segment.bytes is not None else self.moved
        repairs = tuple(
            (
                moment(repair.get("at")),
                " ".join(str(repair[key]) for key in ("what", "part") if repair.get(key)),
            )
            for repair in status.get("repairs") or []
            if isinstance(repair, Mapping)
        )
        return [Restore(segment, repairs)]

    def failure(self, return_code: int) -> Failure | None:
        """Why ansible-playbook ended with this code; None where it did what it was asked."""
        if return_code == 0:
            return None if self.results else Failure(ExitCode.USAGE, "", "", _NO_HOST)
        if return_code < 0:
            return Failure(ExitCode.OUR_FAULT, "", "", "ansible-playbook was killed on the control node")
        if not self._failures:
            cause = self._errors[-1] if self._errors else f"ansible-playbook ended with code {return_code}"
            return Failure(ExitCode.OUR_FAULT, "", "", cause)
        play, res, last = self._failures[-1]
        code = code_of(res)
        if code is None and last.outcome == "unreachable":
            code = ExitCode.UNREACHABLE
        if code is None:
            # a rescue's closing message can't carry a code: the failure that it tells of does
            same = [
                earlier
                for its_play, earlier, result in self._failures
                if its_play == play and result.host == last.host
            ]
            code = next((found for earlier in reversed(same) if (found := code_of(earlier))), None)
        others = {
            result.host: f"also on {result.host}: {(result.cause or '').partition(chr(10))[0]}"
            for _, _, result in self._failures
            if result.task == last.task and result.host != last.host
        }
        cause = "\n".join([last.cause or "", *others.values()])
        role = f"{last.role} | " if last.role and not last.task.startswith(last.role) else ""
        return Failure(code or ExitCode.HOST_FAILED, last.host, f"{role}{last.task}", cause)


def _progress(data: Mapping[str, Any]) -> Iterator[Progress]:
    """What a result carries as `boxlift_progress`."""
    told = _mapping((data.get("res") or {}).get("boxlift_progress"))
    done = _integer(told.get("done"))
    if done is not None and told.get("what"):
        total, rate = _integer(told.get("total")), _number(told.get("rate"))
        yield Progress(str(data.get("host") or ""), str(told["what"]), done, total, rate)


def _measures(data: Mapping[str, Any]) -> Iterator[Measure]:
    """What a result carries as `bxbackup_measures`: a list of rows with the columns of _MEASURE."""
    handed = (data.get("res") or {}).get("bxbackup_measures")
    host = str(data.get("host") or "")
    for row in handed if isinstance(handed, list) else []:
        if not isinstance(row, list) or len(row) != len(_MEASURE):
            continue
        kind, name, *figures = row
        started, seconds = (_number(value) for value in figures[:2])
        moved = _integer(figures[2])
        if started is None or seconds is None or moved is None:
            continue
        yield Measure(
            host,
            str(kind),
            str(name or ""),
            started,
            seconds,
            moved,
            _integer(figures[3]),
            _integer(figures[4]),
        )


def _names(data: Mapping[str, Any]) -> tuple[str, str, str]:
    return (
        str(data.get("play") or ""),
        str(data.get("role") or ""),
        str(data.get("task") or data.get("name") or ""),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _integer(value: object) -> int | None:
    found = _number(value)
    return None if found is None else int(found)


def _number(value: object) -> float | None:
    """What JSON of Python calls NaN and Infinity is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < math.inf else None
