"""The journal as rows for other programs; docs/contracts/journal.schema.json tells their schema."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields

from boxlift.figures import iso
from boxlift.journal.store import Journal

EXPORT_SCHEMA = 1
_CONTRACT_NAMES = {"pass_name": "pass"}


@dataclass(frozen=True)
class Row:
    """One record. Its `kind`: attempt, task, segment, measure, verdict, or that of an incident.

    `at` and `ended` are seconds since 1970 UTC, `seconds` a duration (of an incident: what it cost), `rate`
    is in bytes per second. `began`: of a verdict, since when its step went on, where the person said so.
    """

    kind: str
    at: float
    pass_name: str
    step: str | None = None
    ended: float | None = None
    seconds: float | None = None
    release: str | None = None
    attempt: int | None = None
    trial: bool | None = None
    host: str | None = None
    task: str | None = None
    outcome: str | None = None
    exit: int | None = None
    changes: int | None = None
    bytes: int | None = None
    rate: float | None = None
    by: str | None = None
    text: str | None = None
    log: str | None = None
    began: float | None = None


def export(journal: Journal, *, details: bool) -> list[Row]:
    """All records by time; `details` adds each task on each host, each segment and measure of a restore."""
    return sorted(_rows(journal, details=details), key=lambda row: row.at)


def _rows(journal: Journal, *, details: bool) -> Iterator[Row]:
    for attempt in journal.attempts():
        yield Row(
            "attempt",
            attempt.started,
            attempt.pass_,
            attempt.step,
            ended=attempt.ended,
            seconds=attempt.seconds,
            release=attempt.release,
            attempt=attempt.number,
            trial=attempt.trial,
            outcome=attempt.outcome,
            exit=attempt.exit,
            changes=attempt.changes,
            bytes=attempt.bytes,
            text=attempt.cause,
            log=attempt.log,
        )
        if not details:
            continue
        for result in journal.results(attempt.id):
            yield Row(
                "task",
                result.started or attempt.started,
                attempt.pass_,
                attempt.step,
                ended=result.ended,
                seconds=result.seconds,
                attempt=attempt.number,
                host=result.host,
                task=f"{result.role} : {result.task}" if result.role else result.task,
                outcome=result.outcome,
                text=result.cause,
            )
        for segment in journal.segments(attempt.id):
            yield Row(
                "segment",
                segment.at,
                attempt.pass_,
                attempt.step,
                attempt=attempt.number,
                host=segment.host,
                outcome=segment.state,
                bytes=segment.bytes,
                rate=segment.rate,
            )
        for measure in journal.measures(attempt.id):
            yield Row(
                "measure",
                measure.started,
                attempt.pass_,
                attempt.step,
                ended=measure.started + measure.seconds,
                seconds=measure.seconds,
                attempt=attempt.number,
                host=measure.host,
                task=measure.name or None,
                outcome=measure.kind,
                bytes=measure.bytes,
                rate=measure.bytes / measure.seconds if measure.seconds > 0 else None,
            )
    for verdict in journal.verdicts():
        yield Row(
            "verdict",
            verdict.at,
            verdict.pass_,
            verdict.step,
            release=verdict.release,
            outcome=verdict.verdict,
            by=verdict.by,
            text=verdict.note,
            began=verdict.began,
        )
    for incident in journal.incidents():
        yield Row(
            incident.kind,
            incident.at,
            incident.pass_,
            incident.step,
            seconds=incident.cost,
            host=incident.host,
            text=incident.text,
        )


def as_dict(row: Row) -> dict[str, object]:
    """A row with its times in ISO 8601, UTC, under the names of the contract."""
    values = asdict(row) | {"at": iso(row.at), "ended": iso(row.ended), "began": iso(row.began)}
    return {_CONTRACT_NAMES.get(name, name): value for name, value in values.items()}


def json_lines(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        yield json.dumps({"schema": EXPORT_SCHEMA, **as_dict(row)}, ensure_ascii=False) + "\n"


def as_csv(rows: Sequence[Row]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(
        out, fieldnames=[_CONTRACT_NAMES.get(field.name, field.name) for field in fields(Row)]
    )
    writer.writeheader()
    writer.writerows(as_dict(row) for row in rows)
    return out.getvalue()
