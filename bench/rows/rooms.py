"""Single rooms against the tool that does the same work: verify, unpack, load."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace

from bench.figure import Figure, Outcome, ratios
from bench.program import Run, program
from bench.rows import Row
from bench.rows.whole import load_seconds
from bench.workshop import MB, Workshop, bxbackup, check, joined, shell


def pairs(
    shop: Workshop, what: str, ours: Callable[[], Run], theirs: Callable[[], Run]
) -> tuple[list[Run], list[Run]]:
    """Run two things in turn, as often as wanted, after one turn that does not count."""
    found: tuple[list[Run], list[Run]] = ([], [])
    for number in range(shop.repeats + 1):
        shop.tell(f"{what}, {number} of {shop.repeats}")
        one, other = ours(), theirs()
        if number:
            found[0].append(one)
            found[1].append(other)
    return found


def _times(name: str, limit: float, ours: list[Run], theirs: list[Run]) -> Figure:
    quotients = ratios([run.seconds for run in theirs], [run.seconds for run in ours])
    return Figure(name, tuple(quotients), "at least", limit, "×")


def _faster(row: str, limit: float, ours: list[Run], theirs: list[Run], size: int) -> Outcome:
    figure = _times("times faster", limit, ours, theirs)
    details = {
        "ours s": statistics.median(run.seconds for run in ours),
        "theirs s": statistics.median(run.seconds for run in theirs),
        "ours CPU s": statistics.median(run.cpu for run in ours),
        "theirs CPU s": statistics.median(run.cpu for run in theirs),
        "MB": size / MB,
    }
    return Outcome(row, (figure,), details)


def _verify(shop: Workshop) -> Outcome:
    backup = shop.main
    test = shell(f"for part in {joined(backup.parts)}; do {program('gzip')} -t $part; done")
    arrived: list[Run] = []

    def ours() -> Run:
        arrived.append(shop.run(check(backup.parts)))
        return shop.run(bxbackup("verify", str(backup.first)))

    whole, theirs = pairs(shop, "verify", ours, lambda: shop.run(test))
    outcome = _faster("verify", 3.0, arrived[1:], theirs, backup.size)
    whole_times = _times("", 0.0, whole, theirs)
    details = outcome.details | {
        "whole `bxbackup verify` s": statistics.median(run.seconds for run in whole),
        "its CPU s": statistics.median(run.cpu for run in whole),
        "times faster than `gzip -t`": whole_times.value,
    }
    return replace(outcome, details=details)


def _unpack(shop: Workshop) -> Outcome:
    backup = shop.main

    def ours() -> Run:
        with shop.place("ours") as place:
            return shop.run(bxbackup("unpack", str(backup.first), "--to", str(place / "site")))

    def theirs() -> Run:
        with shop.place("theirs") as place:
            script = f"cat {joined(backup.parts)} | {program('pigz')} -dc | {program('tar')} x -C {place}"
            return shop.run(shell(script))

    return _faster("unpack", 1.0, *pairs(shop, "unpack", ours, theirs), backup.size)


def _load(shop: Workshop) -> Outcome:
    load_seconds(shop)
    ours, theirs = [], []
    state = shop.unpacked.with_name(f".{shop.unpacked.name}.bxbackup")
    for number in range(shop.repeats):
        shop.tell(f"load, {number + 1} of {shop.repeats}")
        shop.database.fresh(made=False)
        shop.run(["rm", "-rf", str(state)])
        ours.append(shop.run(shop.load()))
        shop.check_loaded()
        shop.database.fresh(made=True)
        theirs.append(shop.run(shop.client(), stdin=shop.dump))
        shop.check_loaded()
    return _faster("load", 1.8, ours, theirs, shop.dump.stat().st_size)


ROWS = (
    Row(
        "verify",
        "verify a part",
        "`gzip -t`",
        "All parts, one after the other, through the check of each part whose last byte has come "
        "(gzip members, checksums, marks; the SHA-256 is made beside that in a thread; no ETag). Start-up "
        "of Python included. For comparison the whole `bxbackup verify`, which looks at every tar header, "
        "name and statement of the dump as well: of its CPU time a fifth is start-up, a third inflating, "
        "which threads do beside the rest, a quarter headers and names of 7,464 files, a sixth the "
        "statements. What looks at headers and statements holds the interpreter's lock, and the inflating "
        "of a part waits for it between pieces: two cores are not twice as fast.",
        _verify,
    ),
    Row(
        "unpack",
        "verify and unpack",
        "`pigz -dc | tar x`",
        "`bxbackup unpack` of local parts, durable after each part.",
        _unpack,
    ),
    Row(
        "load",
        "load the dump",
        "`mariadb < dump` on the same server settings",
        "`bxbackup load` against one client with foreign key checks off, as the vendor's own restore does "
        "it, both with the server's settings named above.",
        _load,
    ),
)
