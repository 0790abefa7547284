"""The transfer under a server's caps, with damage, resets and kills."""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path

from bench.backup import Backup, Shape
from bench.figure import Figure, Outcome, ratios
from bench.program import BenchError, program, started, stop
from bench.rows import Row
from bench.server import Line, Server
from bench.workshop import MB, MIB, Workshop, fetch

CAP = 800_000
PARTS = 16
MINUTE = 60 * CAP
"""Bytes that a line of 800 KB/s brings in a minute: a reset each, however fast the line of the bench is."""

_QUICK_LINE = 20 * MB
_LINE = 16 * MB
_CONNECTIONS = 8
_KILLS = 6


def _twenty(shop: Workshop) -> Backup:
    size = shop.scale.twenty
    sql = size // 50
    shape = Shape(sql, size - sql, parts=20, small_tables=20, file_size=MIB, stored=True)
    found: Backup = shop.once("twenty", lambda: shop.backup("twenty", shape))
    return found


def _cap(shop: Workshop) -> Outcome:
    size = shop.scale.part * PARTS
    backup = shop.backup("sixteen", Shape(0, size, PARTS, small_tables=1, file_size=MIB, stored=True))
    ours, tools, single, chosen = [], [], [], []
    with Server(backup.folder, Line(each=CAP)) as server:
        first = server.url(backup.names[0])
        for number in range(shop.repeats):
            shop.tell(f"sixteen parts at {CAP // 1000} KB/s a connection, {number + 1} of {shop.repeats}")
            with shop.place("ours") as place:
                ours.append(shop.run(fetch(first, place, "--connections", str(PARTS))).seconds)
            with shop.place("tools") as place:
                urls = place / "urls"
                urls.write_text("".join(f"{server.url(name)}\n" for name in backup.names))
                command = [program("aria2c"), "-q", "-x16", "-j16", "-d", str(place), "-i", str(urls)]
                tools.append(shop.run(command).seconds)
            with shop.place("single") as place:
                command = [program("aria2c"), "-q", "-x1", "-j1", "-d", str(place), first]
                share = backup.size / backup.first.stat().st_size
                single.append(shop.run(command).seconds * share)
            if number == 0:
                with shop.place("chosen") as place:
                    chosen.append(shop.run(fetch(first, place)).seconds)
    figures = (
        Figure("times one connection", tuple(ratios(single, ours)), "at least", 14.0, "×", digits=1),
        Figure("time of aria2c", tuple(ratios(ours, tools)), "at most", 1.0, "×"),
    )
    details = {
        "ours s": statistics.median(ours),
        "aria2c s": statistics.median(tools),
        "one connection s": statistics.median(single),
        "ours, number of connections found by itself s": chosen[0],
        "MB": backup.size / MB,
    }
    return Outcome("cap", figures, details)


def _payload(shop: Workshop) -> Outcome:
    shape = Shape(0, shop.scale.hundred, 100, small_tables=1, file_size=MIB, stored=True)
    backup = shop.backup("hundred", shape)
    damaged = tuple(backup.names[len(backup.names) // 2 :: 100])
    sound = _efficiency(shop, backup, Line(total=_QUICK_LINE))
    rough = _efficiency(shop, backup, Line(total=_QUICK_LINE, damaged=damaged, reset_every=MINUTE))
    figures = (
        Figure("with damage and resets", tuple(rough), "at least", 95.0, " %", digits=1),
        Figure("undisturbed", tuple(sound), "at least", 98.0, " %", digits=1),
    )
    return Outcome("payload", figures, {"MB": backup.size / MB, "parts": len(backup.names)})


def _efficiency(shop: Workshop, backup: Backup, line: Line) -> list[float]:
    found = []
    with Server(backup.folder, line) as server:
        for number in range(shop.repeats):
            shop.tell(f"payload{' with damage and resets' if line.damaged else ''}, {number + 1}")
            server.again()
            with shop.place("payload") as place:
                shop.run(fetch(server.url(backup.names[0]), place))
                _check_fetched(backup, place)
            found.append(100 * backup.size / server.stats()["sent"])
    return found


def _check_fetched(backup: Backup, place: Path) -> None:
    for path in backup.parts:
        if path.read_bytes() != (place / path.name).read_bytes():
            raise BenchError(f"{path.name} did not arrive as it was sent")


def _damage(shop: Workshop) -> Outcome:
    backup = _twenty(shop)
    name = backup.names[len(backup.names) // 2]
    cost = (backup.folder / name).stat().st_size / _LINE
    sound: list[float] = []
    rough: list[float] = []
    for number in range(shop.repeats):
        shop.tell(f"one damaged part of twenty, {number + 1} of {shop.repeats}")
        for line, found in (
            (Line(total=_LINE), sound),
            (Line(total=_LINE, damaged=(name,)), rough),
        ):
            shop.database.fresh(made=False)
            with Server(backup.folder, line) as server, shop.place("damage") as place:
                found.append(shop.run(shop.restore(server.url(backup.names[0]), place)).seconds)
                if line.damaged and server.stats()["sent"] < backup.size * 1.01:
                    raise BenchError("the damaged part was not fetched again")
    extra = [b - a - cost for a, b in zip(sound, rough, strict=True)]
    details = {
        "undisturbed s": statistics.median(sound),
        "with damage s": statistics.median(rough),
        "the part's own transfer s": cost,
    }
    return Outcome("damage", (Figure("other work", tuple(extra), "at most", 1.0, " s"),), details)


def _kill(shop: Workshop) -> Outcome:
    backup = _twenty(shop)
    draw = random.Random(1)
    again = []
    with Server(backup.folder, Line(total=_LINE)) as server:
        for number in range(max(_KILLS, shop.repeats)):
            shop.tell(f"kill -9 in transfer, {number + 1}")
            shop.database.fresh(made=False)
            server.again()
            with shop.place("kill") as place:
                command = shop.restore(server.url(backup.names[0]), place, "--connections", str(_CONNECTIONS))
                stop_at = backup.size * draw.uniform(0.15, 0.85)
                with started(command) as process:
                    while server.stats()["sent"] < stop_at:
                        if process.poll() is not None:
                            raise BenchError("the restore ended before it was killed")
                        time.sleep(0.01)
                    stop(process)
                shop.run(command)
            again.append((server.stats()["sent"] - backup.size) / _CONNECTIONS / MIB)
    figure = Figure("fetched again, a connection", tuple(again), "at most", 4.0, " MiB", fold="max")
    return Outcome("kill", (figure,), {"connections": _CONNECTIONS, "MB": backup.size / MB})


ROWS = (
    Row(
        "cap",
        "16 parts, server caps each connection at 800 KB/s",
        "one connection; `aria2c -x16 -j16`",
        "The transfer alone with `--connections 16`, as aria2c is told too. One connection is aria2c with "
        "`-x1` on one of the parts, times the parts: the cap makes it linear. How long it takes without "
        "being told the number is measured once.",
        _cap,
    ),
    Row(
        "payload",
        "payload efficiency with 1 % of parts corrupted and resets each minute",
        "bytes of the backup",
        "A hundred parts. Bytes of the backup, of all bytes that the server sent. One part has a flipped bit "
        "the first time; all connections are reset after every 48 MB, a minute of a line of 800 KB/s.",
        _payload,
    ),
    Row(
        "damage",
        "one damaged part of 20",
        "undisturbed run",
        "Whole restores over a line of 16 MB/s; what the damaged one takes longer, less the damaged part's "
        "own transfer at the line's rate.",
        _damage,
    ),
    Row(
        "kill",
        "kill -9 in transfer",
        "bytes of the backup",
        f"Restores with {_CONNECTIONS} connections, killed at random places and started again; bytes that "
        "the server sent in both runs beyond the backup's, a connection. The worst counts.",
        _kill,
    ),
)
