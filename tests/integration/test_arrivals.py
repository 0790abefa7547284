"""Arrivals counted in a real database, with what old portals have in their dates."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from ansible.module_utils.boxlift_sql import Database

from boxlift.forecast.arrivals import Pattern
from library.portal_arrivals import arrivals

SCHEMA = "portal_arrivals"
BEGAN = datetime(2026, 11, 20, 18)
BACKUP = {"began": f"{BEGAN}", "ended": None, "zone": None}


@pytest.fixture
def database(session: Database) -> Database:
    """Leads at 9:30 of every workday for 30 weeks, and rows that must not count."""
    days = [BEGAN - timedelta(days=number) for number in range(210)]
    rows = [f"'{day:%Y-%m-%d} 09:30:00'" for day in days if day.weekday() < 5]
    strange = ["NULL", "'0000-00-00 00:00:00'", "'1970-01-01 00:00:00'", f"'{BEGAN + timedelta(hours=1)}'"]
    for statement in (
        f"DROP DATABASE IF EXISTS {SCHEMA}",
        f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4",
        f"CREATE TABLE {SCHEMA}.b_crm_lead"
        " (ID INT AUTO_INCREMENT PRIMARY KEY, DATE_CREATE DATETIME DEFAULT NULL)",
        f"CREATE TABLE {SCHEMA}.b_crm_deal LIKE {SCHEMA}.b_crm_lead",
        f"INSERT INTO {SCHEMA}.b_crm_lead (DATE_CREATE) VALUES ({'), ('.join(rows + strange)})",
    ):
        session.run(statement)
    session.commit()
    return session


def test_leads_are_counted_by_hour_and_by_week(database: Database) -> None:
    found = arrivals(database, SCHEMA, BACKUP, 12, 104)
    assert set(found) == {"leads", "deals"}
    leads = Pattern.model_validate(found["leads"])
    assert {hour: count for hour, count in enumerate(leads.hours) if count} == dict.fromkeys(
        (9, 33, 57, 81, 105), 12
    )
    assert leads.weeks == 12.0
    assert leads.first == "2026-08-31 09:30:00"
    assert leads.last == "2026-11-20 09:30:00"
    assert {week.count for week in leads.weekly[1:]} == {5}
    assert leads.weekly[-1].week == "2026-47"
    assert Pattern.model_validate(found["deals"]).total == 0


def test_without_a_baseline_the_newest_row_is_the_end(database: Database) -> None:
    none = dict.fromkeys(BACKUP)
    leads = Pattern.model_validate(arrivals(database, SCHEMA, none, 12, 104)["leads"])
    assert leads.last == f"{BEGAN + timedelta(hours=1)}"
    assert leads.total == 61
