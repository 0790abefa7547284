"""What a load has to do: tables as the dump shows them, their rows in lots, who works on what.

The dump may still be growing: tables and statements are entered as they are read, and sessions take work at
the same time. A lot is a run of statements of one table. Where a table has a primary key, several sessions
may each take a lot of it, so that the last large table does not keep one busy and the others idle. Lots are
cut by the statements' lengths alone: every run cuts them alike, and so can go on with those of another.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import threading
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bxbackup.ddl import Key, TableDefinition
from bxbackup.dump import Statement, Surveyor, TableDump
from bxbackup.target import LotMark, Marks, TableMark

LATE_KEYS_FROM = 2 << 20
"""Bytes of rows from which a table's keys are made after its rows: below it ALTER TABLE costs more."""

LOT = 8 << 20
"""Bytes of statements in a lot of a load that is begun."""

TRANSACTION = 1 << 20
"""Bytes of statements that one transaction takes, unless a single one is longer."""


class StoppedError(Exception):
    """Another thread has failed, or the load is to end."""


@dataclass(slots=True, eq=False)
class Table:
    """One table's way into the database. To be read and changed under the catalogue's lock only.

    :param reached: bytes of its statements up to and with each.
    :param lots: number of the first statement of each lot.
    :param noted: what is in of each lot, by the lot's number.
    :param mark: what is noted of the whole table in the database; None: it is to be made.
    :param had: what earlier runs had loaded, of each lot.
    :param sure: the marks are as they stand: no session that was lost or killed is still at it.
    :param doubtful: lots of which that is not so, while other sessions work on the table.
    :param definition: its definition taken apart, once a session has begun with it.
    :param late: keys that are made after the rows.
    :param splittable: several sessions may work on it.
    :param being_made: a session makes it; all others leave it alone.
    :param made: how often it was made.
    :param sessions: how many work on it.
    :param busy: lots that a session works on.
    :param before: a table of the same name that must be left alone first.
    :param started: when this run began with it, UTC.
    :param spent: seconds of work in this run.
    :param offered: bytes that were waiting when it was lined up among the large ones; -1: it is not.
    :param lined_up: it is, among the small ones.
    """

    dump: TableDump
    before: Table | None = None
    sure: bool = True
    reached: array[int] = field(default_factory=lambda: array("Q"))
    lots: array[int] = field(default_factory=lambda: array("L"))
    noted: dict[int, LotMark] = field(default_factory=dict)
    mark: TableMark | None = None
    had: dict[int, LotMark] = field(default_factory=dict)
    doubtful: set[int] = field(default_factory=set)
    definition: TableDefinition | None = None
    late: tuple[Key, ...] = ()
    splittable: bool = False
    being_made: bool = False
    made: int = 0
    sessions: int = 0
    busy: set[int] = field(default_factory=set)
    started: str | None = None
    spent: float = 0.0
    offered: int = -1
    lined_up: bool = False

    @property
    def name(self) -> str:
        """The table's name."""
        return self.dump.name

    @property
    def size(self) -> int:
        """Bytes of its statements, as far as they are known."""
        return self.reached[-1] if self.reached else 0

    @property
    def small(self) -> bool:
        """Whether its keys need not wait for its rows."""
        return self.dump.closed and self.size < LATE_KEYS_FROM

    @property
    def done(self) -> bool:
        """Whether rows and keys are in."""
        return self.mark is not None and self.mark.done

    @property
    def rows(self) -> int:
        """Rows that are in."""
        if self.mark is not None and self.mark.statements:
            return self.mark.rows
        return sum(lot.rows for lot in self.noted.values())

    @property
    def clashed(self) -> bool:
        """Whether a statement held rows that stood already."""
        whole = self.mark is not None and self.mark.clashed
        return whole or any(lot.clashed for lot in self.noted.values())

    def bytes_before(self, statement: int) -> int:
        """Bytes of the statements before one."""
        return self.reached[statement - 1] if statement else 0

    def end_of(self, lot: int) -> int:
        """Number of the statement behind a lot."""
        return self.lots[lot + 1] if lot + 1 < len(self.lots) else len(self.reached)

    def next_in(self, lot: int) -> int:
        """Number of the first statement of a lot that is not in."""
        if self.mark is not None and self.mark.statements:
            return self.end_of(lot)
        mark = self.noted.get(lot)
        return min(self.lots[lot] + (mark.statements if mark else 0), self.end_of(lot))

    def free_lot(self) -> int | None:
        """A lot with statements to load that nobody works on."""
        for lot in range(len(self.lots)):
            if lot not in self.busy and self.next_in(lot) < self.end_of(lot):
                return lot
        return None

    def bytes_in(self) -> int:
        """Bytes of the statements that are in."""
        return sum(
            self.bytes_before(self.next_in(lot)) - self.bytes_before(self.lots[lot])
            for lot in range(len(self.lots))
        )

    def bytes_before_this_run(self) -> int:
        """Bytes of the statements that earlier runs had loaded."""
        return sum(
            self.bytes_before(min(self.lots[lot] + mark.statements, self.end_of(lot)))
            - self.bytes_before(self.lots[lot])
            for lot, mark in self.had.items()
            if lot < len(self.lots)
        )

    @property
    def rows_in(self) -> bool:
        """Whether all statements are in, and none can follow."""
        return self.dump.closed and all(
            self.next_in(lot) == self.end_of(lot) for lot in range(len(self.lots))
        )

    def add(self, start: int, end: int, lot: int) -> None:
        """Enter a statement.

        :param lot: bytes of statements in a lot.
        """
        if not self.lots or self.size - self.bytes_before(self.lots[-1]) >= lot:
            self.lots.append(len(self.reached))
        self.reached.append(self.size + end - start)

    def begin_anew(self) -> None:
        """Believe nothing of what was noted: the table is made again."""
        self.noted, self.had, self.mark = {}, {}, None
        self.splittable = False
        self.doubtful.clear()

    def go_on_from(self, marks: Marks) -> None:
        """Believe what is noted in the database instead of what was believed before."""
        had, noted = self.had, self.noted
        self.begin_anew()
        if marks.table is not None and marks.table.start == self.dump.start:
            self.mark = marks.table
            if not self.mark.statements:
                # a session that works on a lot knows better, or will notice that it was lost itself
                working = {lot: noted[lot] for lot in self.busy if lot in noted}
                self.noted = dict(marks.lots) | working
                self.had = had if self.started else dict(marks.lots)
            self.compare()

    def compare(self) -> None:
        """Look whether what is noted of all statements fits those that are there, once all are known."""
        if (
            self.dump.closed
            and self.mark is not None
            and (self.mark.statements or self.mark.done)
            and self.mark.statements != len(self.reached)
        ):
            self.begin_anew()  # the dump came back to the table


@dataclass(frozen=True, slots=True)
class Figures:
    """How far a load is, of the tables that are known so far: tables, rows, bytes of rows statements."""

    tables: int
    loaded: int
    rows: int
    duplicates: int
    bytes: int
    total_bytes: int


class Catalogue:
    """All tables, and which of them a session takes next.

    Largest first, as far as is known; where no table is left that nobody works on, sessions help others.

    :param lot: bytes of statements in a lot; all runs of a load must agree in it.
    """

    def __init__(self, lot: int) -> None:
        self._lot = lot
        self._done: dict[str, Marks] = {}
        self.surveyor = Surveyor()
        self.changed = threading.Condition()
        """Guards all that is here, and wakes those who wait for work."""
        self._tables: dict[TableDump, Table] = {}
        self._latest: dict[str, Table] = {}
        self._large: list[tuple[int, int, Table]] = []
        self._small: list[tuple[int, int, Table]] = []
        self._numbers = itertools.count()
        self._active: set[Table] = set()
        self._ended = self._stopped = False

    def go_on_from(self, done: dict[str, Marks]) -> None:
        """Take over what earlier runs have noted, by table; before any session works."""
        with self.changed:
            self._done = done
            for table in self._tables.values():
                self._take_over(table)

    def _take_over(self, table: Table) -> None:
        if self._done:
            table.sure = False
            table.go_on_from(self._done.get(table.name, Marks(None, {})))

    def enter(self, statements: Iterable[Statement]) -> None:
        """Enter what was read of the dump.

        :raises DamagedError: rows of a table that the dump does not define.
        """
        with self.changed:
            for statement in statements:
                before = self.surveyor.current
                self.surveyor.enter(statement)
                self._turned_from(before)
                if self.surveyor.current is not None:
                    self._grown(self.surveyor.current)
            self.changed.notify_all()

    def end(self, *, complete: bool) -> None:
        """No more of the dump will come; if it is complete, its last table is, too."""
        with self.changed:
            before = self.surveyor.current
            if complete:
                self.surveyor.close()
                self._turned_from(before)
            self._ended = True
            self.changed.notify_all()

    def stop(self) -> None:
        """Let all sessions end."""
        with self.changed:
            self._stopped = True
            self.changed.notify_all()

    @property
    def stopped(self) -> bool:
        """Whether all are to end."""
        return self._stopped

    def tables(self) -> list[Table]:
        """Those that the dump leaves standing."""
        with self.changed:
            return [table for table in self._tables.values() if not table.dump.gone]

    def figures(self) -> Figures:
        """How far the load is."""
        tables = self.tables()
        with self.changed:
            return Figures(
                tables=len(tables),
                loaded=sum(table.done for table in tables),
                rows=sum(table.rows for table in tables),
                duplicates=sum(table.mark.duplicates for table in tables if table.mark),
                bytes=sum(table.bytes_in() for table in tables),
                total_bytes=sum(table.size for table in tables),
            )

    # work

    def take(self, *, smallest: bool = False) -> Table | None:
        """Wait for a table to work on; None: nothing is left to do. To be given back by `leave`.

        :param smallest: rather than the largest, if there is one that is known to its end.
        :raises StoppedError: all are to end.
        """
        with self.changed:
            while True:
                if self._stopped:
                    raise StoppedError
                table = (self._smallest() if smallest else None) or self._largest() or self._in_need()
                if table is not None:
                    table.sessions += 1
                    self._active.add(table)
                    return table
                if self._ended and not self._large:
                    return None
                self.changed.wait()

    def leave(self, table: Table) -> None:
        """Give a table back."""
        with self.changed:
            table.sessions -= 1
            if not table.sessions:
                self._active.discard(table)
                self._offer(self._latest[table.name])
            self.changed.notify_all()

    def take_lot(self, table: Table) -> int | None:
        """A lot of a table, to be given back by `leave_lot`; None: there is none for this session.

        :raises StoppedError: all are to end.
        """
        with self.changed:
            if self._stopped:
                raise StoppedError
            lot = None if table.dump.gone else table.free_lot()
            if lot is not None:
                table.busy.add(lot)
            return lot

    def leave_lot(self, table: Table, lot: int) -> None:
        """Give a lot back."""
        with self.changed:
            table.busy.discard(lot)
            self.changed.notify_all()

    def statements(self, table: Table, lot: int) -> list[tuple[int, int]]:
        """The next statements of a lot, as many as go into one transaction; none: all that are known are in.

        :raises StoppedError: all are to end.
        """
        with self.changed:
            if self._stopped:
                raise StoppedError
            first = number = table.next_in(lot)
            if table.dump.gone:
                return []
            start, rows = table.bytes_before(first), table.dump.rows
            while number < table.end_of(lot) and (
                number == first or table.bytes_before(number + 1) - start <= TRANSACTION
            ):
                number += 1
            return [(rows[2 * at], rows[2 * at + 1]) for at in range(first, number)]

    def note_lot(self, table: Table, lot: int, mark: LotMark, seconds: float) -> None:
        """Statements of a lot are in."""
        with self.changed:
            table.noted[lot] = mark
            table.doubtful.discard(lot)
            table.spent += seconds

    def note(self, table: Table, mark: TableMark, seconds: float) -> None:
        """Something was done to a table as a whole."""
        with self.changed:
            table.mark = mark
            table.spent += seconds
            if mark.done:
                table.compare()

    def doubt(self, table: Table, lot: int | None = None) -> None:
        """A session was lost: whether its last transaction came through must be looked up."""
        with self.changed:
            table.sure = False
            if lot is not None:
                table.doubtful.add(lot)

    def believe(self, table: Table, marks: Marks, made: int) -> None:
        """Go on from what is noted of a table, unless it was made anew since that was looked up.

        :param made: how often it had been made before the look.
        """
        with self.changed:
            if not table.being_made and table.made == made:
                table.go_on_from(marks)
                table.sure = True

    @contextlib.contextmanager
    def making(self, table: Table) -> Iterator[bool | None]:
        """Whether a table is to be made, by the session that asks; None: another one makes it now.

        A server that was started again may have lost what all sessions of a table had noted: each of them
        would make it, and drop what another has loaded by then.
        """
        with self.changed:
            if table.being_made:
                to_be_made = None
            else:
                to_be_made = table.being_made = table.mark is None
        try:
            yield to_be_made
        finally:
            if to_be_made:
                with self.changed:
                    table.being_made = False
                    table.made += 1
                    self.changed.notify_all()

    def reconsider(self, done: dict[str, Marks]) -> None:
        """A session was lost, maybe with its server, and a server may lose its last commits: look again.

        :param done: what is noted in the database now.
        """
        with self.changed:
            self._done = done
            for table in self._latest.values():
                if not table.sessions:
                    table.sure = False
                    table.go_on_from(done.get(table.name, Marks(None, {})))
                    table.offered = -1
                    self._offer(table)
            self.changed.notify_all()

    def all_in(self, done: dict[str, Marks]) -> bool:
        """Whether all tables that have rows are in.

        :param done: what is noted in the database now; of a table without rows nothing is.
        """
        for table in self.tables():
            mark = done[table.name].table if table.name in done else None
            if table.size and not (mark is not None and mark.done):
                return False
        return True

    def alone_with_all_rows(self, table: Table) -> bool:
        """Whether a session that works on a table is the one to end it."""
        with self.changed:
            return table.sessions == 1 and not table.done and not table.dump.gone and table.rows_in

    def _turned_from(self, dump: TableDump | None) -> None:
        """The dump has gone on from a table, or has dropped it."""
        if dump is None or not (dump.closed or dump.gone):
            return
        table = self._tables[dump]
        if not dump.gone and not table.sessions:
            table.compare()
        self._offer(table)

    def _grown(self, dump: TableDump) -> None:
        table = self._tables.get(dump)
        if table is None:
            table = self._tables[dump] = Table(dump, self._latest.get(dump.name))
            self._latest[dump.name] = table
            self._take_over(table)
        while len(table.reached) < len(dump.rows) // 2:
            at = 2 * len(table.reached)
            table.add(dump.rows[at], dump.rows[at + 1], self._lot)
            if (
                table.done
                and not table.sessions
                and table.mark
                and len(table.reached) > table.mark.statements
            ):
                table.begin_anew()  # the dump came back to it
        self._offer(table)

    def _workable(self, table: Table) -> bool:
        """Whether a session alone could do something with a table now."""
        if table.dump.gone or table.done or (table.before is not None and table.before.sessions):
            return False
        if not table.dump.closed and table.mark is not None and table.mark.statements:
            return False  # what is noted is judged when the table is known to its end
        return table.dump.closed or table.free_lot() is not None

    def _offer(self, table: Table) -> None:
        """Line a table up for the next session: among the large ones, and once all of it is known among the
        small ones."""
        if table.sessions or not self._workable(table):
            return
        waiting = table.size - table.bytes_in()
        if waiting > 2 * table.offered:
            table.offered = waiting
            heapq.heappush(self._large, (-waiting, next(self._numbers), table))
        if table.dump.closed and not table.lined_up:
            table.lined_up = True
            heapq.heappush(self._small, (waiting, next(self._numbers), table))

    def _largest(self) -> Table | None:
        """The largest table that nobody works on."""
        while self._large:
            _, _, table = heapq.heappop(self._large)
            table.offered = -1
            if not table.sessions and self._workable(table):
                return table
        return None

    def _smallest(self) -> Table | None:
        """The smallest table that nobody works on, of those that are known to their end."""
        while self._small:
            _, _, table = heapq.heappop(self._small)
            table.lined_up = False
            if not table.sessions and self._workable(table):
                return table
        return None

    def _in_need(self) -> Table | None:
        """The table whose sessions have most left to do, each, if another one can help."""
        open_to_all = [
            table
            for table in self._active
            if table.splittable and table.sure and not table.dump.gone and table.free_lot() is not None
        ]
        return max(
            open_to_all, key=lambda table: (table.size - table.bytes_in()) / table.sessions, default=None
        )
