"""`python -m tests.scenarios.connections FILE COLLATION`: SQL with what acts on its own in a cloud portal.

A box lacks these tables, or they are empty there (portal_runtime I).
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

from lab.generator.__main__ import DEFAULT_MOMENT
from lab.generator.plan import SMALLEST_SIZE, Settings
from lab.generator.portal import Portal
from lab.writer.dump import VENDOR_FILE_LIMIT, DumpWriter

_CLOUD = "acme.bitrix24.example"
_FURTHER = frozenset({"b_agent", "b_event", "b_socialservices_user"})
"""Tables with rows that act beside those that are the cloud's leftovers."""


def write(path: Path, collation: str) -> None:
    """Write the tables with their rows; loading them replaces those that are there."""
    moment = datetime.fromisoformat(DEFAULT_MOMENT)
    portal = Portal(Settings(SMALLEST_SIZE, 1, _CLOUD, moment, collation))
    path.parent.mkdir(parents=True, exist_ok=True)
    dump = DumpWriter(path.parent, path.name, VENDOR_FILE_LIMIT, "utf8mb4", lambda _: None)
    dump.start(moment)
    for name in sorted(_FURTHER.union(portal.leftovers.tables)):
        table = portal.tables[name]
        following, rows = portal.counted_rows(table)
        dump.table(table, table.ddl(collation=collation, auto_increment=following), following, rows)
    dump.finish(moment)


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2])
