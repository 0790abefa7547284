"""What tests of the load work with: a server, a name that no database has yet, a state folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from database_server import DatabaseServer
from faults import saw

from bxbackup.crew import LoadProgress
from bxbackup.errors import BackupError
from bxbackup.load import LoadOptions, LoadResult, load_dump
from bxbackup.measures import TableLoad

STARTED = b"-- Started: 2026-11-22 12:15:22\nSET NAMES 'utf8mb4';\n"
FINISHED = b"-- Finished: 2026-11-22 12:16:00"


@dataclass
class Loading:
    """One database to be loaded."""

    server: DatabaseServer
    database: str
    state: Path
    said: list[LoadProgress] = field(default_factory=list)
    measured: list[TableLoad] = field(default_factory=list)
    defaults_file: Path | None = None

    def load(
        self,
        folder: Path,
        *,
        collation: str | None = None,
        time_zone: str = "+00:00",
        patience: float = 30.0,
        sessions: int = 2,
        progress: Callable[[LoadProgress], None] | None = None,
    ) -> LoadResult:
        """Load the dump in a folder."""
        try:
            result = load_dump(folder, self.options(collation, time_zone, patience, sessions, progress))
        except BackupError as error:
            saw(error.exit_code, "\n".join(error.lines()))
            raise
        saw(0)
        return result

    def options(
        self,
        collation: str | None = None,
        time_zone: str = "+00:00",
        patience: float = 30.0,
        sessions: int = 2,
        progress: Callable[[LoadProgress], None] | None = None,
    ) -> LoadOptions:
        """How to load."""
        return LoadOptions(
            self.database,
            self.defaults_file or self.server.defaults_file,
            collation,
            time_zone,
            self.state,
            progress or self.said.append,
            self.measured.append,
            sessions,
            patience,
        )

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Ask within the database."""
        return self.server.rows(sql, self.database)

    @property
    def tables(self) -> set[str]:
        """Names of tables and views that are there."""
        return self.server.tables(self.database)


def write_dump(folder: Path, *statements: bytes, after_connect: bytes | None = None) -> Path:
    """A dump of these statements as the product writes them, complete."""
    folder.mkdir(exist_ok=True)
    text = STARTED + b"".join(statement + b";\n" for statement in statements) + FINISHED
    (folder / "portal.sql").write_bytes(text)
    if after_connect is not None:
        (folder / "portal_after_connect.sql").write_bytes(after_connect)
    return folder
