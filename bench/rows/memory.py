"""The most memory that a whole restore takes, by the size of the backup."""

from __future__ import annotations

import shutil

from bench.backup import Shape
from bench.figure import Figure, Outcome
from bench.rows import Row
from bench.server import Line, Server
from bench.workshop import MB, MIB, Workshop

LIMIT = 256.0
GROWTH = 1.25
_SQL_SHARE = 10
_PART = 256 * MB
_DISK = 3.3


def _memory(shop: Workshop) -> Outcome:
    """Peak of each size; no ETags, for the server would hash gigabytes before it starts."""
    most: list[float] = []
    details: dict[str, float] = {}
    for size in shop.scale.memory:
        shop.room(int(size * _DISK))
        shape = Shape(
            sql=size // _SQL_SHARE,
            files=size - size // _SQL_SHARE,
            parts=max(4, size // _PART),
            small_tables=100,
            file_size=2 * MIB,
            wide=True,
            stored=True,
        )
        backup = shop.backup("memory", shape)
        try:
            samples = []
            with Server(backup.folder, Line(etags=False)) as server:
                for number in range(shop.repeats if size < 10 * _PART // 4 else 1):
                    shop.tell(f"memory at {size / MB:,.0f} MB, run {number + 1}")
                    shop.database.fresh(made=False)
                    with shop.place("memory") as place:
                        run = shop.run(shop.restore(server.url(backup.names[0]), place), memory=True)
                        samples.append(run.memory / MIB)
            most.append(max(samples))
            details[f"{size / 1e9:g} GB: MiB"] = max(samples)
            details[f"{size / 1e9:g} GB: s"] = run.seconds
        finally:
            shop.database.fresh(made=False)
            shutil.rmtree(backup.folder)
    figures = (
        Figure("most", tuple(most), "at most", LIMIT, " MiB", fold="max", digits=0),
        Figure("largest / smallest backup", (most[-1] / most[0],), "at most", GROWTH, "×"),
    )
    return Outcome("memory", figures, details)


ROWS = (
    Row(
        "memory",
        "memory at 0.2, 2 and 8 GB",
        "256 MiB, and the smallest backup",
        "Whole restores without a limit of the line; resident memory of bxbackup and all its children, added "
        "up thirty times a second. A tenth of these backups is dump.",
        _memory,
    ),
)
