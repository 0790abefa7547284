"""Who takes which table next."""

from __future__ import annotations

from bxbackup.catalogue import Catalogue, Table
from bxbackup.dump import Splitter
from bxbackup.target import TableMark

LOT = 1 << 20


def dump_of(*sizes: int) -> bytes:
    """Tables t0, t1, … with one statement of about so many bytes of rows each."""
    return b"".join(
        b"CREATE TABLE `t%d` (\n  `a` text\n) ENGINE=InnoDB;\nINSERT INTO `t%d` VALUES\n('%s');\n"
        % (number, number, b"x" * size)
        for number, size in enumerate(sizes)
    )


def catalogue_of(dump: bytes, *, ended: bool) -> Catalogue:
    """A catalogue into which this was entered; `ended`: and that is all."""
    found = Catalogue(LOT)
    found.enter(Splitter().feed(dump))
    if ended:
        found.end(complete=True)
    return found


def taken(catalogue: Catalogue, *, smallest: bool) -> str | None:
    """The name of the next table, which is then done."""
    table = catalogue.take(smallest=smallest)
    if table is None:
        return None
    finish(catalogue, table)
    return table.name


def finish(catalogue: Catalogue, table: Table) -> None:
    """All of a table is in."""
    catalogue.note(table, TableMark(table.dump.start, late=False, statements=1, done=True), 0.0)
    catalogue.leave(table)


def test_from_both_ends_every_table_is_taken_once() -> None:
    catalogue = catalogue_of(dump_of(30, 500, 10, 200, 90), ended=True)
    order = [taken(catalogue, smallest=number % 2 == 1) for number in range(7)]
    assert order == ["t1", "t2", "t3", "t0", "t4", None, None]


def test_who_takes_the_smallest_takes_larger_ones_at_the_end() -> None:
    catalogue = catalogue_of(dump_of(30, 500), ended=True)
    assert [taken(catalogue, smallest=True) for _ in range(3)] == ["t0", "t1", None]


def test_a_table_that_still_grows_is_not_the_smallest() -> None:
    catalogue = catalogue_of(dump_of(300, 500, 10), ended=False)
    assert [taken(catalogue, smallest=True) for _ in range(2)] == ["t0", "t1"]
    growing = catalogue.take(smallest=True)
    assert growing is not None
    assert growing.name == "t2"
    catalogue.leave(growing)
    catalogue.end(complete=True)
    assert [taken(catalogue, smallest=True) for _ in range(2)] == ["t2", None]
