"""The database that a load fills: whose it is, and how far it is.

Two things say so together. `load.json` in the state folder gives the load an identity and is durable before
anything on the server changes. The table `bxbackup_load` in the database carries that identity as its comment
and, for each table, what is done, written in the same transactions as the rows. So it survives a crash
exactly as far as the rows do, whatever the server's settings for durability, and it is dropped when all is
in: a portal never sees it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from dataclasses import asdict, astuple, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from bxbackup.collation import charset_of
from bxbackup.ddl import quoted_name
from bxbackup.durable import read_json, write_json
from bxbackup.errors import RefusedError, UsageError
from bxbackup.server import Session

STATE = "load.json"
_WHOLE = -1
LOCK_WAIT = 10
"""Seconds that a session of a killed run may take to end."""

SYSTEM = frozenset({"mysql", "information_schema", "performance_schema", "sys"})
_CONTENTS = (
    "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()",
    "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()",
    "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()",
)


class Target(StrEnum):
    """What stands where the database is to be."""

    ABSENT = "absent"
    EMPTY = "empty"
    OURS = "ours"
    """Begun or finished by a load of the same state folder."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a load was asked for; all runs of one state folder must agree in it.

    :param dump: fingerprint of the dump; None for one that is loaded while it arrives.
    """

    database: str
    dump: str | None
    collation: str | None
    time_zone: str


@dataclass(slots=True)
class State:
    """`load.json`.

    :param lot: bytes of statements in a lot (:mod:`bxbackup.catalogue`).
    :param result: what the load has done, once it has done all.
    :param seen: of a dump that is loaded while it arrives: bytes of which rows may be in the database, and
        their SHA-256. The next run goes on only if the dump begins with the same bytes.
    """

    identity: str
    order: Order
    lot: int
    result: dict[str, Any] | None = None
    seen: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class TableMark:
    """What is done of one table as a whole.

    :param start: offset in the dump of the definition that it was made from.
    :param late: it was made without those keys that can wait for the rows.
    :param statements: all of its INSERT statements are in, so many; 0: lots tell, if there are any.
    :param rows: rows in these statements; once it is done, those that stand.
    :param clashed: a statement held rows that stood already, so rows must be counted at the end.
    :param duplicates: how many, once they are counted.
    :param done: the keys are made, too.
    """

    start: int
    late: bool
    statements: int = 0
    rows: int = 0
    clashed: bool = False
    duplicates: int = 0
    done: bool = False


@dataclass(frozen=True, slots=True)
class LotMark:
    """What is done of a lot, a run of statements of one table: statements from its first one on."""

    statements: int
    rows: int
    clashed: bool


@dataclass(frozen=True, slots=True)
class Marks:
    """All that is noted of one table."""

    table: TableMark | None
    lots: dict[int, LotMark]


def check_name(database: str) -> None:
    """Whether a database can have that name.

    :raises UsageError: it cannot.
    :raises RefusedError: it is one of the server's own.
    """
    if not re.fullmatch(r"[^\x00/\\.]{1,64}", database) or database != database.strip():
        raise UsageError(f"no database can be named {database!r}")
    if database.lower() in SYSTEM:
        raise RefusedError(f"{database} is one of the server's own databases")


def read_state(state_dir: Path) -> State | None:
    """What an earlier run of the state folder has noted; None if nothing.

    :raises RefusedError: the file is not ours.
    """
    path = state_dir / STATE
    value = read_json(path)
    if value is None:
        return None
    try:
        seen = value["seen"]
        return State(
            value["identity"],
            Order(**value["order"]),
            value["lot"],
            value["result"],
            (seen[0], seen[1]) if seen else None,
        )
    except (KeyError, TypeError, IndexError) as error:
        raise RefusedError(f"{path} is not readable as our state", cause=repr(error)) from error


def write_state(state_dir: Path, state: State) -> None:
    """Note it durably."""
    state_dir.mkdir(parents=True, exist_ok=True)
    write_json(state_dir / STATE, asdict(state))


def look(session: Session, database: str, state: State | None) -> Target:
    """What stands there; changes nothing.

    :raises RefusedError: something that no load of this state has put there.
    """
    if not session.rows("SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = %s", (database,)):
        return Target.ABSENT
    session.run(f"USE {quoted_name(database)}")
    contents = [str(name) for query in _CONTENTS for (name,) in session.rows(query)]
    if not contents:
        return Target.EMPTY
    if state and state.order.database == database:
        filling = owner(session)
        if filling == state.identity or (filling is None and state.result):
            return Target.OURS
    raise RefusedError(
        f"database {database} is not empty and was not made by this state folder",
        cause=f"it holds {len(contents):,} tables, views or routines, {contents[0]} among them",
        advice="name a database that does not exist yet; an existing one is never overwritten",
        kept="nothing was changed",
    )


def owner(session: Session) -> str | None:
    """The identity of the load that is filling the session's database; None without one."""
    found = session.rows(
        "SELECT TABLE_COMMENT FROM information_schema.TABLES"
        " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'bxbackup_load'"
    )
    return str(found[0][0]) if found else None


def claim(session: Session, database: str) -> None:
    """Hold the database for one run.

    :raises RefusedError: another run works on it.
    """
    name = f"bxbackup {hashlib.sha256(database.encode()).hexdigest()[:32]}"
    if session.rows("SELECT GET_LOCK(%s, %s)", (name, LOCK_WAIT)) != [(1,)]:
        holder = session.rows("SELECT IS_USED_LOCK(%s)", (name,))[0][0]
        raise RefusedError(
            f"another load works on database {database}",
            cause=f"session {holder} of the server holds it",
            advice="wait until it has ended; if its client has died with its host, end it on the server: "
            f"KILL {holder}",
        )


def create(session: Session, database: str, identity: str, collation: str | None) -> None:
    """Make the database and its mark; either may be there from an earlier run."""
    session.run(f"CREATE DATABASE IF NOT EXISTS {quoted_name(database)}")
    session.run(f"USE {quoted_name(database)}")
    if collation:
        set_default(session, database, collation)
    session.run(
        "CREATE TABLE IF NOT EXISTS bxbackup_load ("
        "item VARCHAR(400) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, lot INT NOT NULL,"
        " state VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, PRIMARY KEY (item, lot)"
        f") ENGINE=InnoDB COMMENT='{identity}'"
    )


def set_default(session: Session, database: str, collation: str) -> None:
    """Give a database its default charset and collation."""
    charset = charset_of(collation)
    session.run(f"ALTER DATABASE {quoted_name(database)} CHARACTER SET {charset} COLLATE {collation}")


def marks(session: Session) -> dict[str, Marks]:
    """What is done, by table."""
    found: dict[str, Marks] = {}
    rows = session.rows("SELECT item, lot, state FROM bxbackup_load ORDER BY item, lot")
    for item, group in itertools.groupby(rows, key=lambda row: row[0]):
        found[json.loads(item)] = _marks([(lot, state) for _, lot, state in group])
    return found


def marks_of(session: Session, table: str) -> Marks:
    """What is done of one table.

    Waits for a session of a killed run that is just committing: read past it, its rows would come twice.
    """
    query = "SELECT lot, state FROM bxbackup_load WHERE item = %s FOR UPDATE"
    return _marks([(lot, state) for lot, state in session.rows(query, (json.dumps(table),))])


def _marks(rows: list[tuple[int, str]]) -> Marks:
    states = {lot: json.loads(state) for lot, state in rows}
    table = states.pop(_WHOLE, None)
    return Marks(
        TableMark(*table) if table else None, {lot: LotMark(*state) for lot, state in states.items()}
    )


def put_mark(session: Session, table: str, mark: TableMark) -> None:
    """Note what is done of a table, within the session's transaction."""
    _put(session, table, _WHOLE, mark)


def put_lot(session: Session, table: str, lot: int, mark: LotMark) -> None:
    """Note what is done of a lot, within the session's transaction."""
    _put(session, table, lot, mark)


def _put(session: Session, table: str, lot: int, mark: TableMark | LotMark) -> None:
    session.rows(
        # REPLACE would lock what lies between, and sessions at neighbouring lots would stop each other
        "INSERT INTO bxbackup_load (item, lot, state) VALUES (%s, %s, %s)"
        " ON DUPLICATE KEY UPDATE state = VALUES(state)",
        (json.dumps(table), lot, json.dumps(astuple(mark))),
    )


def forget_marks(session: Session, table: str) -> None:
    """The table is made anew."""
    session.rows("DELETE FROM bxbackup_load WHERE item = %s", (json.dumps(table),))


def remove_mark(session: Session) -> None:
    """Leave the database as the dump has it."""
    session.run("DROP TABLE IF EXISTS bxbackup_load")
