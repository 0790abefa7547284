"""`python3 -m boxlift_clone ORDER`: fill a new release."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from boxlift_reader import crew, run, source
from boxlift_reader.fault import Code, InterruptedPullError, PullError
from boxlift_reader.order import Method
from boxlift_reader.state import State, Status

from . import logical, physical, report, rows, tree
from .order import Order


def main() -> int:
    """Do it; the exit code is bxbackup's where both have one."""
    parser = argparse.ArgumentParser(prog="boxlift_clone", description=__doc__)
    parser.add_argument("order", type=Path)
    words = parser.parse_args()
    run.interruptible()
    try:
        order = Order.read(words.order)
        with _alone(order):
            return _copy(order)
    except PullError as error:
        run.say(error)
        return error.code


def _copy(order: Order) -> int:
    order.folder.mkdir(mode=0o755, exist_ok=True)
    status = Status(order.folder)
    with run.told(status, order.folder):
        _fill(order, status)
    return Code.DONE


def _fill(order: Order, status: Status) -> None:
    state = State(order.folder)
    if state.bind(source=order.source, database=order.database, method=str(order.method)):
        # A server that was started for what does not count would go on with files that are gone.
        physical.discard(order)
    _forget_old(order, state)
    _same_release(order)
    # Files after the database: no row then points to a file that came later than the copy. The former
    # copy's are here already.
    arrive = physical.arrive if order.method is Method.PHYSICAL else logical.pull
    with status.beside() as database, status.beside() as files:
        crew.together(partial(arrive, order, state, database), partial(tree.begin, order, state, files))
    if order.method is Method.PHYSICAL:
        # What has arrived is of a moment that has passed: files may come while it is made to serve.
        with status.beside() as database:
            crew.together(
                partial(physical.serve, order, state, database), partial(tree.pull, order, state, status)
            )
    else:
        tree.pull(order, state, status)
    status.stage("check")
    missing = rows.check(order)
    if missing.late:
        tree.again(order, status)
        missing = rows.check(order)
    if missing.late:
        raise InterruptedPullError(
            f"{len(missing.late)} files of production did not arrive, the first is {missing.late[0]}"
        )
    _same_release(order)
    state.measure("missing", asdict(missing))
    report.write(order, state)


def _same_release(order: Order) -> None:
    """Database and files are those of one release: the one that was looked at before."""
    active = source.ask(order, "release").strip()
    if active != order.source:
        raise InterruptedPullError(
            f"production serves {active} now, the copy was to be one of {order.source}"
        )


def _forget_old(order: Order, state: State) -> None:
    """A database that was pulled long ago is not production as it is now."""
    at = state.figures("database").get("as_of")
    if at is not None and time.time() - float(at) > order.resume_hours * 3600:
        state.forget("stream", "prepared", "purged", "database", "files")
        physical.discard(order)


def _alone(order: Order) -> AbstractContextManager[None]:
    order.copies.mkdir(mode=0o755, parents=True, exist_ok=True)
    return run.alone(order.copies, "copy")


if __name__ == "__main__":
    sys.exit(main())
