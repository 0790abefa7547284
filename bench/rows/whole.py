"""Whole restores over a line of a given rate, against their own rooms and against the tools of today."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field

from bench.figure import Figure, Outcome, ratios
from bench.program import program
from bench.rows import Row
from bench.server import Line, Server
from bench.workshop import MB, Workshop, bxbackup, fetch, joined, shell

FASTER = 0.9
"""Seconds of the transfer, of those that the load takes alone, on a line a little faster than the load."""

_LOADS = 3
SLOWER = 3.0
"""The same on a line that is slower than the load."""


@dataclass
class _Near:
    """Seconds of everything that is compared on a line a little faster than the load; one a repeat."""

    rate: float
    transfer: list[float] = field(default_factory=list)
    unpack: list[float] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    tools: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def slowest(self) -> list[float]:
        """The slowest room of each repeat."""
        return [max(rooms) for rooms in zip(self.transfer, self.unpack, self.load, strict=True)]

    def details(self) -> dict[str, float]:
        """Medians for the results."""
        names = ("transfer", "unpack", "load", "whole", "tools", "cpu")
        found = {f"{name} s": statistics.median(getattr(self, name)) for name in names}
        return {"line MB/s": self.rate / MB, **found}


def load_seconds(shop: Workshop) -> float:
    """How long the load takes alone: what the rates of the lines follow from."""

    def once() -> float:
        shop.tell("loads, to know the rate of the lines")
        return statistics.median(_load(shop) for _ in range(_LOADS))

    return float(shop.once("load", once))


def _load(shop: Workshop) -> float:
    shop.database.fresh(made=False)
    state = shop.unpacked.with_name(f".{shop.unpacked.name}.bxbackup")
    shop.run(["rm", "-rf", str(state)])
    seconds = shop.run(shop.load()).seconds
    shop.check_loaded()
    return seconds


def _near(shop: Workshop) -> _Near:
    """Measure all on the line a little faster than the load; two rows draw from it."""

    def once() -> _Near:
        backup = shop.main
        found = _Near(backup.size / (FASTER * load_seconds(shop)))
        with Server(backup.folder, Line(total=found.rate)) as server:
            for number in range(shop.repeats):
                shop.tell(f"whole restore, rooms and tools, {number + 1} of {shop.repeats}")
                _one(shop, server, found)
        return found

    near: _Near = shop.once("near", once)
    return near


def _one(shop: Workshop, server: Server, found: _Near) -> None:
    backup = shop.main
    url = server.url(backup.names[0])
    shop.database.fresh(made=False)
    with shop.place("whole") as place:
        run = shop.run(shop.restore(url, place))
        found.whole.append(run.seconds)
        found.cpu.append(run.cpu)
    shop.check_loaded()
    with shop.place("transfer") as place:
        found.transfer.append(shop.run(fetch(url, place)).seconds)
    with shop.place("unpack") as place:
        found.unpack.append(
            shop.run(bxbackup("unpack", str(backup.first), "--to", str(place / "site"))).seconds
        )
    found.load.append(_load(shop))
    shop.database.fresh(made=True)
    with shop.place("tools") as place:
        urls = place / "urls"
        urls.write_text("".join(f"{server.url(name)}\n" for name in backup.names))
        parts = joined([place / name for name in backup.names])
        dump = f"bitrix/backup/{shop.dump.name}"
        script = (
            f"{program('aria2c')} -q -x16 -j16 -d {place} -i {urls}; mkdir {place}/site;"
            f" cat {parts} | {program('gzip')} -dc | {program('tar')} x -C {place}/site;"
            f" {' '.join(map(_quoted, shop.client()))} < {place}/site/{dump}"
        )
        found.tools.append(shop.run(shell(script)).seconds)
    shop.check_loaded()


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '\\"') + '"'


def _pipe(shop: Workshop) -> Outcome:
    near = _near(shop)
    figure = Figure("whole / slowest room", tuple(ratios(near.whole, near.slowest)), "at most", 1.25, "×")
    return Outcome("pipe", (figure,), near.details())


def _tools(shop: Workshop) -> Outcome:
    near = _near(shop)
    figure = Figure("whole / tools", tuple(ratios(near.whole, near.tools)), "at most", 0.55, "×")
    return Outcome("tools", (figure,), near.details())


def _tail(shop: Workshop) -> Outcome:
    backup = shop.main
    rate = backup.size / (SLOWER * load_seconds(shop))
    shares, tails, wholes = [], [], []
    with Server(backup.folder, Line(total=rate)) as server:
        for number in range(shop.repeats):
            shop.tell(f"whole restore on a slow line, {number + 1} of {shop.repeats}")
            shop.database.fresh(made=False)
            server.again()
            with shop.place("tail") as place:
                run = shop.run(shop.restore(server.url(backup.names[0]), place))
                ended = time.monotonic()
            shop.check_loaded()
            tail = ended - server.stats()["last"]
            tails.append(tail)
            wholes.append(run.seconds)
            shares.append(100 * tail / run.seconds)
    figure = Figure("tail, of the whole", tuple(shares), "at most", 3.0, " %")
    details = {
        "line MB/s": rate / MB,
        "tail s": statistics.median(tails),
        "whole s": statistics.median(wholes),
    }
    return Outcome("tail", (figure,), details)


ROWS = (
    Row(
        "pipe",
        "whole restore, line a little faster than the load",
        "the slowest of its rooms alone",
        "The line brings the backup in nine tenths of the time that the load takes alone. The rooms alone "
        "are the transfer over the same line, `bxbackup unpack` of local parts, and `bxbackup load` of an "
        "unpacked dump.",
        _pipe,
    ),
    Row(
        "tools",
        "whole restore",
        "`aria2c -x16 -j16`, then `gzip -dc | tar x`, then `mariadb < dump`, one after the other",
        "On the same line and in the same turns as `pipe`.",
        _tools,
    ),
    Row(
        "tail",
        "from the last byte's arrival to the end, line slower than the load",
        "whole restore",
        "The line takes three times as long as the load alone; the server says when its last byte went.",
        _tail,
    ),
)
