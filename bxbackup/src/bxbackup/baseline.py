"""The state of the restored data before any of the portal's own code runs.

Verification starts from it, and later the transfer of what the cloud gained after the dump: rows with an ID
above `max_id`, or newer than `dump.began`, need not be in the backup; stages, categories and user fields that
differ now would make the two sides' IDs mean different things (delta_transfer 1.3).
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pymysql

from bxbackup.ddl import quoted_name
from bxbackup.dump import find_dump
from bxbackup.durable import read_json, write_json
from bxbackup.rights import TABLES, digest_statement
from bxbackup.server import Session, patiently, read_account, telling

FORMAT = 1
MODE = 0o640
PATIENCE = 120.0
"""Seconds that the server may be away."""

SUBJECTS = (
    *("b_crm_", "b_uts_crm_", "b_utm_crm_", "b_voximplant_statistic"),
    *("b_tasks", "b_forum_"),
    *("b_im_", "b_mail_message", "b_sonet_log"),
)
"""Beginnings of the names of CRM, task and message tables; a task's comments are a forum's messages."""

STRUCTURES = {
    "stages": ("b_crm_status",),
    "categories": ("b_crm_deal_category", "b_crm_item_category", "b_crm_dynamic_type"),
    "user_fields": ("b_user_field", "b_user_field_enum", "b_user_field_lang"),
}
"""Tables that give the IDs of other tables their meaning."""

_TABLES = (
    "SELECT TABLE_NAME FROM information_schema.TABLES"
    " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' ORDER BY TABLE_NAME"
)
_COUNTING_COLUMNS = (
    "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS"
    " WHERE TABLE_SCHEMA = DATABASE() AND EXTRA LIKE '%auto_increment%'"
)
_NEXT_VALUES = (
    "SELECT TABLE_NAME, AUTO_INCREMENT FROM information_schema.TABLES"
    " WHERE TABLE_SCHEMA = DATABASE() AND AUTO_INCREMENT IS NOT NULL ORDER BY TABLE_NAME"
)


@dataclass(frozen=True, slots=True)
class Ids:
    """The IDs of one table.

    :param max_id: highest value of the counting column; None without rows.
    :param auto_increment: its next value.
    """

    max_id: int | None
    auto_increment: int


@dataclass(frozen=True, slots=True)
class Rows:
    """What a table's rows were, for a later look at the same columns.

    :param digest: see :func:`bxbackup.rights.digest_statement`.
    """

    columns: list[str]
    digest: str


@dataclass(frozen=True, slots=True)
class Clock:
    """When the dump was written, by the source's clock: `YYYY-MM-DD HH:MM:SS`.

    :param zone: of that clock; None where nothing says so (the dump itself does not, backup_format 5.3).
    """

    began: str | None
    ended: str | None
    zone: str | None


@dataclass(frozen=True, slots=True)
class Baseline:
    """`baseline.json`.

    :param load: identity of the load that it follows.
    :param taken: when, UTC, ISO 8601.
    :param time_zone: session time zone under which TIMESTAMP columns were loaded.
    :param rows: of every table, counted.
    :param ids: of every CRM, task and message table that counts.
    :param hashes: of `stages`, `categories`, `user_fields`: SHA-256 over every byte of their rows; None where
        the portal has no such table.
    :param rights: rows of every table that says who may do what.
    """

    format: int
    load: str
    taken: str
    database: str
    server: str
    time_zone: str
    dump: Clock
    rows: dict[str, int]
    ids: dict[str, Ids]
    hashes: dict[str, str | None]
    rights: dict[str, Rows]


def write_baseline(
    path: Path,
    *,
    load: str,
    dump_dir: Path,
    database: str,
    defaults_file: Path | None,
    time_zone: str = "+00:00",
    source_zone: str | None = None,
) -> None:
    """Write `baseline.json` durably, once for each load: later the portal's own code has run.

    :param load: identity of the load (:attr:`bxbackup.load.LoadResult.identity`).
    :param time_zone: session time zone of the load.
    :param source_zone: zone of the clock that wrote the dump's times (an IANA name or an offset), if known.
    :raises DatabaseError: the server cannot be asked.
    """
    standing = read_json(path)
    if standing is None or standing.get("load") != load:
        clock = Clock(*find_dump(dump_dir).times(), source_zone)
        write_json(path, asdict(take_baseline(load, clock, database, defaults_file, time_zone)), MODE)


def take_baseline(
    load: str, clock: Clock, database: str, defaults_file: Path | None, time_zone: str
) -> Baseline:
    """Ask the server what stands in a database.

    :raises DatabaseError: it cannot be asked.
    """
    account = read_account(defaults_file)
    with (
        telling("tell the baseline"),
        contextlib.closing(patiently(account, PATIENCE, database=database)) as session,
        contextlib.closing(patiently(account, PATIENCE, database=database, raw=True)) as raw,
    ):
        with contextlib.suppress(pymysql.MySQLError):  # MySQL 8 shows AUTO_INCREMENT as of yesterday
            session.run("SET SESSION information_schema_stats_expiry = 0")
        session.run("SET SESSION time_zone = '+00:00'")
        tables = [str(name) for (name,) in session.rows(_TABLES)]
        return Baseline(
            format=FORMAT,
            load=load,
            taken=datetime.now(UTC).isoformat(timespec="seconds"),
            database=database,
            server=str(session.rows("SELECT VERSION()")[0][0]),
            time_zone=time_zone,
            dump=clock,
            rows={name: _count(session, name) for name in tables},
            ids=_ids(session),
            hashes={name: _hash(raw, starts, tables) for name, starts in STRUCTURES.items()},
            rights={name: _rows(session, name) for name in tables if TABLES.fullmatch(name)},
        )


def _count(session: Session, table: str) -> int:
    return int(session.rows(" ".join(["SELECT COUNT(*) FROM", quoted_name(table)]))[0][0])


def _ids(session: Session) -> dict[str, Ids]:
    columns = {str(table): str(column) for table, column in session.rows(_COUNTING_COLUMNS)}
    found: dict[str, Ids] = {}
    for table, following in session.rows(_NEXT_VALUES):
        if str(table).startswith(SUBJECTS):
            names = quoted_name(columns[str(table)]), quoted_name(str(table))
            highest = session.rows(" ".join(["SELECT MAX(", names[0], ") FROM", names[1]]))[0][0]
            found[str(table)] = Ids(None if highest is None else int(highest), int(following))
    return found


def _rows(session: Session, table: str) -> Rows:
    columns = [str(row[0]) for row in session.rows(f"SHOW COLUMNS FROM {quoted_name(table)}")]
    return Rows(columns, str(session.rows(digest_statement(table, columns))[0][0]))


def _hash(session: Session, names: tuple[str, ...], tables: list[str]) -> str | None:
    """SHA-256 over the rows of those tables that exist, in the order of their columns' values."""
    digest = hashlib.sha256()
    present = [name for name in names if name in tables]
    for name in present:
        columns = [_bytes(row[0]).decode() for row in session.rows(f"SHOW COLUMNS FROM {quoted_name(name)}")]
        order = ", ".join(f"CAST({quoted_name(column)} AS BINARY)" for column in columns)
        digest.update(f"{name}({','.join(columns)})\n".encode())
        for row in session.rows(" ".join(["SELECT * FROM", quoted_name(name), "ORDER BY", order])):
            for value in row:
                digest.update(b"N" if value is None else b"%d:%b" % (len(_bytes(value)), _bytes(value)))
    return digest.hexdigest() if present else None


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
