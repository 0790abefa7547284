"""Tables of a generated portal in a database of the tests' own server."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from ansible.module_utils.boxlift_sql import Database

from lab.generator.plan import Settings
from lab.generator.portal import Portal

CLOUD = "acme.bitrix24.example"
COLLATION = "utf8mb4_unicode_ci"
_ROWS_AT_ONCE = 200
_OTHER_WAY_OF_WRITING = {"b_sample_types"}
"""Rows that the dump writes in a way of its own."""


def load_generated(session: Database, database: str, *, only: Collection[str] = ()) -> Portal:
    """Make the database anew with tables of the smallest portal, every one unless some are named."""
    moment = datetime(2026, 11, 20, 18, 0)
    portal = Portal(Settings(2_000_000, 1, CLOUD, moment, COLLATION))
    session.run(f"DROP DATABASE IF EXISTS `{database}`")
    session.run(f"CREATE DATABASE `{database}` CHARACTER SET utf8mb4 COLLATE {COLLATION}")
    session.run(f"USE `{database}`")
    for name, table in portal.tables.items():
        if only and name not in only:
            continue
        following, rows = portal.counted_rows(table)
        session.run(table.ddl(collation=COLLATION, auto_increment=following))
        if name in _OTHER_WAY_OF_WRITING:
            continue
        batch = list(rows)
        for start in range(0, len(batch), _ROWS_AT_ONCE):
            part = batch[start : start + _ROWS_AT_ONCE]
            marks = f"({', '.join(['%s'] * len(part[0]))})"
            values = [value for row in part for value in row]
            session.run(f"INSERT INTO `{name}` VALUES {', '.join([marks] * len(part))}", values)
    session.commit()
    return portal
