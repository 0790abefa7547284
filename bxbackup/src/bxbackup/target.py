"""The database that a load fills: whose it is, and how far it is.

Two things say so together. `load.json` in the state folder gives the load an identity and is durable before
anything on the server changes. The table `bxbackup_load` in the database carries that identity as its comment
and, for each table, what is done, written in the same transactions as the rows. So it survives a crash
exactly as far as the rows do, whatever the server's settings for durability, and it is dropped when all is
in: a portal never sees it.
"""

from __future__ import annotations

import hashlib
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

    :param dump: fingerprint of the dump.
    """

    database: str
    dump: str
    collation: str | None
    time_zone: str


@dataclass(slots=True)
class State:
    """`load.json`.

    :param result: what the load has done, once it has done all.
    """

    identity: str
    order: Order
    result: dict[str, Any] | None = None


class Phase(StrEnum):
    """How far a table is."""

    ROWS = "rows"
    KEYS = "keys"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Mark:
    """What is done of one table.

    :param statements: INSERT statements of the dump that are in.
    :param rows: rows in these statements.
    :param clashed: a statement held rows that stood already, so rows must be counted at the end.
    :param duplicates: how many, once they are counted.
    """

    phase: Phase
    statements: int = 0
    rows: int = 0
    clashed: bool = False
    duplicates: int = 0


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
        return State(value["identity"], Order(**value["order"]), value["result"])
    except (KeyError, TypeError) as error:
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
            advice="wait until it has ended",
        )


def create(session: Session, database: str, identity: str, collation: str | None) -> None:
    """Make the database and its mark; either may be there from an earlier run."""
    session.run(f"CREATE DATABASE IF NOT EXISTS {quoted_name(database)}")
    session.run(f"USE {quoted_name(database)}")
    if collation:
        charset = charset_of(collation)
        session.run(f"ALTER DATABASE {quoted_name(database)} CHARACTER SET {charset} COLLATE {collation}")
    session.run(
        "CREATE TABLE IF NOT EXISTS bxbackup_load ("
        "item VARCHAR(400) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,"
        " state VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL"
        f") ENGINE=InnoDB COMMENT='{identity}'"
    )


def marks(session: Session) -> dict[str, Mark]:
    """What is done, by table."""
    return {
        json.loads(item): _mark(text) for item, text in session.rows("SELECT item, state FROM bxbackup_load")
    }


def mark(session: Session, table: str) -> Mark | None:
    """What is done of one table; None if nothing is.

    Waits for a session of a killed run that is just committing: read past it, its rows would come twice.
    """
    found = session.rows("SELECT state FROM bxbackup_load WHERE item = %s FOR UPDATE", (json.dumps(table),))
    return _mark(found[0][0]) if found else None


def _mark(text: str) -> Mark:
    phase, *rest = json.loads(text)
    return Mark(Phase(phase), *rest)


def put_mark(session: Session, table: str, mark: Mark) -> None:
    """Note what is done of a table, within the session's transaction."""
    session.rows(
        "REPLACE INTO bxbackup_load (item, state) VALUES (%s, %s)",
        (json.dumps(table), json.dumps(astuple(mark))),
    )


def remove_mark(session: Session) -> None:
    """Leave the database as the dump has it."""
    session.run("DROP TABLE IF EXISTS bxbackup_load")
