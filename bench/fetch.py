"""`python -m bench.fetch`: the transfer alone, as `bxbackup restore` runs it."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from bxbackup.errors import BackupError
from bxbackup.source import Part, open_source
from bxbackup.transfer import Transfer


class _Events:
    """Nobody waits for the parts."""

    def head(self, first: Part, data: bytes) -> None:
        """Nothing is to be decrypted."""

    def planned(self, total: int, size: int) -> None:
        """Nothing is to be shown."""

    def ready(self, part: Part, path: Path) -> None:
        """No other room waits."""

    def failed(self, part: Part, error: BackupError) -> None:
        """What fails is not measured."""
        raise BackupError(f"{part.name}: {error}") from error

    def repaired(self, what: str, part: str) -> None:
        """As it should be."""

    def waiting(self, seconds: float) -> None:
        """There is no window."""


def main() -> None:
    """Fetch all parts into a folder."""
    parser = argparse.ArgumentParser(prog="python -m bench.fetch", description=__doc__)
    parser.add_argument("source", help="URL of the first part")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--connections", type=int)
    arguments = parser.parse_args()
    source = open_source(arguments.source)
    asyncio.run(Transfer(source, arguments.folder, _Events(), connections=arguments.connections).run())


if __name__ == "__main__":
    main()
