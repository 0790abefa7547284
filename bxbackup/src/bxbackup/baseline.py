"""The state of the restored data before any of the portal's own code runs."""

from __future__ import annotations

from pathlib import Path

from bxbackup.errors import DatabaseError


def write_baseline(
    path: Path,
    *,
    dump_dir: Path,
    database: str,
    defaults_file: Path | None,
    time_zone: str = "+00:00",
    source_zone: str | None = None,
) -> None:
    """Write `baseline.json` durably.

    :param time_zone: session time zone of the load.
    :param source_zone: zone of the clock that wrote the dump's times (an IANA name or an offset), if known.
    :raises DatabaseError: the server cannot be asked.
    """
    raise DatabaseError(
        f"the baseline {path} is not in this version",
        cause=f"{dump_dir} {database} {defaults_file} {time_zone} {source_zone}",
    )
