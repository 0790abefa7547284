"""Stands for the load in tests of the rooms before it: takes the dump, needs no server."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from bxbackup.comparison import Comparison
from bxbackup.dump import find_dump
from bxbackup.load import LoadProgress, LoadResult
from bxbackup.measures import TableLoad
from bxbackup.target import Target


class FakeDatabase:
    """Remembers what was loaded."""

    def __init__(self) -> None:
        self.loaded: dict[str, str] = {}

    def check_target(self, database: str, defaults_file: Path | None, state_dir: Path) -> Target:
        return Target.OURS if self.loaded else Target.ABSENT

    def load_dump(
        self,
        dump_dir: Path,
        *,
        database: str,
        defaults_file: Path | None,
        collation: str | None,
        time_zone: str = "+00:00",
        state_dir: Path,
        progress: Callable[[LoadProgress], None],
        measured: Callable[[TableLoad], None],
    ) -> LoadResult:
        files = find_dump(dump_dir)
        survey = files.survey()
        assert survey.complete
        for path in files.files:
            self.loaded[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        tables = len(survey.tables)
        progress(LoadProgress(tables, tables, 1, 1, 1, ""))
        for name, table in survey.tables.items():
            size = sum(end - start for start, end in table.spans())
            measured(TableLoad(name, size, 1, "2026-11-20T10:00:00+00:00", 0.1))
        return LoadResult("fake", tables, 0, 1, 0, 0.1, (), {}, resumed=False)

    def compare_uploads(self, site: Path, state: Path, **_: object) -> Comparison:
        return Comparison()

    def write_baseline(self, path: Path, **_: object) -> None:
        path.write_text("{}\n")
