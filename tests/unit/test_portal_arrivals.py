"""Arrivals by hour of week, as the module counts them and as the forecast reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from boxlift.errors import UsageError
from boxlift.forecast.arrivals import FILE, ArrivalPattern, read_arrivals
from library.portal_arrivals import arrivals, taken

BACKUP = {"began": "2026-11-20 18:00:00", "ended": "2026-11-20 18:20:00", "zone": None}


class Answers:
    """A database that knows the answers to the module's three questions."""

    def __init__(self, *, first: str | None, last: str | None, hours: Sequence[Any], weekly: Sequence[Any]):
        self.answers = {"MIN": [(first, last)], "WEEKDAY": list(hours), "YEARWEEK": list(weekly)}
        self.asked: list[tuple[str, list[str]]] = []

    def tables(self, _: str) -> set[str]:
        return {"b_crm_lead", "b_user"}

    def rows(self, statement: str, values: Any = ()) -> list[tuple[Any, ...]]:
        self.asked.append((statement, list(values)))
        return self.answers[statement.split()[1].partition("(")[0]]


def test_hours_and_weeks_are_counted_up_to_the_dump() -> None:
    database = Answers(
        first="2024-01-01 09:00:00",
        last="2026-11-20 17:59:00",
        hours=[
            ("9", "40", "2026-08-31 09:01:00.000000", "2026-11-16 09:30:00"),
            ("113", "7", "2026-09-04 17:00:00", "2026-11-20 17:59:00"),
        ],
        weekly=[("202646", "70"), ("202647", "65")],
    )
    (kind, found) = next(iter(arrivals(database, "portal_x_1", BACKUP, 12, 104).items()))
    assert kind == "leads"
    assert (found["hours"][9], found["hours"][113], sum(found["hours"])) == (40, 7, 47)
    assert found["weeks"] == 12.0
    assert (found["first"], found["last"]) == ("2026-08-31 09:01:00", "2026-11-20 17:59:00")
    assert found["weekly"] == [{"week": "2026-46", "count": 70}, {"week": "2026-47", "count": 65}]
    assert all(values[-1] == BACKUP["began"] for _, values in database.asked)
    assert database.asked[1][1][0] == "2026-08-28 18:00:00"


def test_a_young_portal_has_a_shorter_window() -> None:
    database = Answers(first="2026-11-13 18:00:00", last="2026-11-20 10:00:00", hours=[], weekly=[])
    assert arrivals(database, "portal_x_1", BACKUP, 12, 104)["leads"]["weeks"] == 1.0


@pytest.mark.parametrize("first", [None, "0000-00-00 00:00:00"])
def test_an_empty_table_has_an_empty_pattern(first: str | None) -> None:
    database = Answers(first=first, last=first, hours=[], weekly=[])
    found = arrivals(database, "portal_x_1", BACKUP, 12, 104)["leads"]
    assert (sum(found["hours"]), found["weeks"], found["weekly"]) == (0, 0.0, [])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"dump": null}', '{"dump": 5}', "{"])
def test_a_baseline_that_says_nothing_is_survived(tmp_path: Path, content: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(content)
    assert taken(str(path)) == {"began": None, "ended": None, "zone": None}
    assert taken(str(tmp_path / "absent.json")) == taken(None) == taken(str(path))


def test_what_the_module_counts_is_what_the_forecast_reads(tmp_path: Path) -> None:
    database = Answers(
        first="2024-01-01 09:00:00",
        last="2026-11-20 17:59:00",
        hours=[("9", "40", "2026-08-31 09:01:00", "2026-11-16 09:30:00")],
        weekly=[("202646", "70")],
    )
    content = {
        "schema": 1,
        "release": "rehearsal-1",
        "timezone": "Europe/Moscow",
        "backup": BACKUP,
        "kinds": arrivals(database, "portal_rehearsal_1", BACKUP, 12, 104),
    }
    path = tmp_path / FILE
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    found = read_arrivals(tmp_path)
    assert isinstance(found, ArrivalPattern)
    assert found.kinds["leads"].total == 40


def test_a_project_without_arrivals_has_none(tmp_path: Path) -> None:
    assert read_arrivals(tmp_path) is None


def test_a_file_that_cannot_be_understood_is_told(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.parent.mkdir()
    path.write_text('{"schema": 2}')
    with pytest.raises(UsageError, match=r"arrivals\.json"):
        read_arrivals(tmp_path)
