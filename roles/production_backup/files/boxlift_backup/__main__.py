"""`python3 -m boxlift_backup ORDER`: pull a backup of production, prove it, let old ones go."""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pymysql

from boxlift_reader import run, source, sql, uploads
from boxlift_reader.fault import Code, DatabaseError, InterruptedPullError, PullError, RefusedError
from boxlift_reader.order import Method
from boxlift_reader.state import State, Status, durable

from . import database, proof, retention, tree, trial
from .order import Order

_PREPARED = 1.3
"""Room for the database's files, and for what preparing them needs."""
_LOADED = 1.5
"""Room for a dump and the trial that it is loaded into."""
_LISTED = 1000
"""Names in the report; it counts them all."""


def main() -> int:
    """Do it; the exit code is bxbackup's where both have one."""
    parser = argparse.ArgumentParser(prog="boxlift_backup", description=__doc__)
    parser.add_argument("order", type=Path)
    run.interruptible()
    try:
        order = Order.read(parser.parse_args().order)
        with _alone(order):
            return _back_up(order)
    except PullError as error:
        run.say(error)
        return error.code


def _back_up(order: Order) -> int:
    status = Status(order.folder)
    with run.told(status, order.folder):
        _fill(order, status)
    return Code.DONE


def _fill(order: Order, status: Status) -> None:
    if (order.folder / order.name).exists():
        raise RefusedError(f"there is a backup {order.name} already")
    retention.tidy(order.folder)
    order.work.mkdir(mode=0o700, exist_ok=True)
    trial.close(order)
    state = State(order.work)
    of = {"release": order.release, "database": order.database, "method": str(order.method)}
    if state.bind(**of) or _old(order, state):
        database.discard(order, state)
    _same_release(order)
    if not state.done("database"):
        retention.make_room(order.folder, _need(order))
    database.pull(order, state, status)
    # Files after the database: no row then points to a file that came later than the backup. An unfinished
    # run's are brought up to date.
    tree.pull(order, state, status)
    seen = _restored(order, state, status)
    content = tree.compare(order, status)
    _same_release(order)
    seen |= {
        "files": tree.count(order.files),
        "changed_meanwhile": content.changed,
        "damaged_meanwhile": content.damaged,
    }
    if not seen["files"]:
        raise PullError("the backup holds no file")
    _finish(order, state, seen)
    retention.prune(order.folder, order.keep, order.free_percent)


def _need(order: Order) -> int:
    """Bytes that another backup takes; files that are here already hardly count."""
    share = _PREPARED if order.method is Method.PHYSICAL else _LOADED
    known = order.files.exists() or retention.backups(order.folder)
    return int(order.database_bytes * share) + (0 if known else order.files_bytes)


def _restored(order: Order, state: State, status: Status) -> dict[str, Any]:
    """Restore the database as a test; what does not pass is pulled anew by the next run."""
    status.stage("restore as a test")
    try:
        return _looked_at(order, state, status)
    except DatabaseError:
        database.discard(order, state)
        raise


def _looked_at(order: Order, state: State, status: Status) -> dict[str, Any]:
    """Look at the database in a server of its own."""
    said = proof.Tables.read((order.work / "tables.txt").read_text(encoding="utf-8"))
    served = trial.files(order) if order.method is Method.PHYSICAL else trial.statements(order)
    with served as options:
        connection = sql.connect(options)
        try:
            found = proof.figures(connection, order.database, sums=order.comparable)
            compared = proof.compare(found, said, state.figures("moment")["production"])
            proof.sound(connection, order.database, found)
            users = _users(connection, order)
            missing = _uploads(order, connection, status)
        finally:
            connection.close()
    return {
        "tables": len(found),
        "compared": "checksums" if order.comparable else "numbers of rows",
        "tables_equal": len(compared.equal),
        "tables_changed_meanwhile": list(compared.changed),
        "users": users,
        "rows_with_file": missing.rows,
        "deleted": {"files": len(missing.deleted), "listed": missing.deleted[:_LISTED]},
        "lost": {"files": len(missing.lost), "listed": missing.lost[:_LISTED]},
    }


def _users(connection: pymysql.Connection[Any], order: Order) -> int:
    try:
        ((users,),) = sql.rows(connection, f"SELECT COUNT(*) FROM `{order.database}`.b_user")
    except pymysql.MySQLError as error:
        raise DatabaseError(f"the backup has no users: {error}") from error
    if not users:
        raise DatabaseError("the backup has no users")
    return int(users)


def _uploads(order: Order, connection: pymysql.Connection[Any], status: Status) -> uploads.Missing:
    """Rows of files that have none here, nor in production."""
    folder = order.files / order.upload
    missing = uploads.check(order, connection, order.database, folder)
    if missing.late:
        tree.again(order, status)
        missing = uploads.check(order, connection, order.database, folder)
    if missing.late:
        raise InterruptedPullError(
            f"{len(missing.late)} files of production did not arrive, the first is {missing.late[0]}"
        )
    return missing


def _finish(order: Order, state: State, seen: dict[str, Any]) -> None:
    """What was proved becomes a backup: durably, in one step."""
    report = {
        "schema": 1,
        "name": order.name,
        "release": order.release,
        "database": order.database,
        "method": str(order.method),
        "why": order.why,
        **seen,
        "database_as_of": state.figures("database")["as_of"],
        "files_as_of": state.figures("files")["as_of"],
        "stream": state.figures("database"),
        "transfer": state.figures("files"),
    }
    durable(order.work / "proof.json", report, 0o600)
    for name in ("state.json", "tables.txt"):
        (order.work / name).unlink()
    _sync(order.work)
    order.work.rename(order.folder / order.name)
    durable(order.folder / "last.json", report, 0o600)


def _sync(folder: Path) -> None:
    """All that was written is on the disk before the backup counts."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    source.run(["sync", "--file-system", str(folder)], str(folder))


def _same_release(order: Order) -> None:
    """Database and files are those of one release: the one that was looked at before."""
    active = source.ask(order, "release").strip()
    if active != order.release:
        raise InterruptedPullError(
            f"production serves {active} now, the backup was to be one of {order.release}"
        )


def _old(order: Order, state: State) -> bool:
    """Whether the database was pulled so long ago that it is not production as it is now."""
    at = state.figures("database").get("as_of")
    return at is not None and time.time() - float(at) > order.resume_hours * 3600


def _alone(order: Order) -> AbstractContextManager[None]:
    return run.alone(order.folder, "backup")


if __name__ == "__main__":
    sys.exit(main())
