"""Dumps into a real server: equal rows, other names, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from backup_samples import ALL, Sample
from loading import Loading


@pytest.mark.parametrize("sample", ALL, ids=lambda sample: sample.name)
@pytest.mark.parametrize("collation", [None, "utf8mb4_uca1400_nopad_ai_ci"])
def test_every_table_of_a_sample_equals_its_manifest(
    sample: Sample, collation: str | None, sample_dumps: dict[str, Path], loading: Loading
) -> None:
    result = loading.load(sample_dumps[sample.name], collation=collation)
    assert loading.server.wrong_tables(loading.database, sample.manifest) == {}
    assert (result.tables, result.rows, result.duplicates, result.resumed) == (58, 4301, 0, False)
    last = loading.said[-1]
    assert (last.loaded, last.rows, last.bytes) == (58, 4301, last.total_bytes)
    assert "b_sample_types.F_BIT16" in result.damaged_columns
    assert "b_sample_types.F_DOUBLE" not in result.damaged_columns
