"""Stands for the load in tests of the rooms before it: takes the dump, needs no server."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bxbackup.comparison import Comparison
from bxbackup.crew import LoadProgress
from bxbackup.dump import find_dump
from bxbackup.feed import Feed
from bxbackup.load import LoadOptions, LoadResult
from bxbackup.measures import TableLoad
from bxbackup.target import Target


class FakeDatabase:
    """Remembers what was loaded."""

    def __init__(self) -> None:
        self.loaded: dict[str, str] = {}

    def check_target(self, database: str, defaults_file: Path | None, state_dir: Path, *_: object) -> Target:
        return Target.OURS if self.loaded else Target.ABSENT

    def load_feed(self, feed: Feed, options: LoadOptions) -> LoadResult | None:
        extent = feed.wait(0)
        while not (extent.over or extent.passed):
            extent = feed.wait(extent.number)
        if not extent.passed:
            return None
        files = find_dump(feed.folder)
        survey = files.survey()
        assert survey.complete
        for path in files.files:
            self.loaded[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        tables = len(survey.tables)
        options.progress(LoadProgress(tables, tables, 1, 1, 1, ""))
        for name, table in survey.tables.items():
            size = sum(end - start for start, end in table.spans())
            options.measured(TableLoad(name, size, 1, "2026-11-20T10:00:00+00:00", 0.1))
        return LoadResult("fake", tables, 0, 1, 0, 0.1, (), {}, "+00:00", "+00:00", resumed=False)

    def compare_uploads(self, site: Path, state: Path, **_: object) -> Comparison:
        return Comparison()

    def write_baseline(self, path: Path, **_: object) -> None:
        path.write_text("{}\n")
