"""The two distributions of this repository belong together, and are found in no index of packages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WORDS = [
    *ROOT.glob("src/boxlift/**/*.py"),
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("bxbackup/*.md"),
]


def project(folder: Path) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def test_boxlift_takes_bxbackup_of_its_own_version() -> None:
    version = project(ROOT)["version"]
    assert project(ROOT / "bxbackup")["version"] == version
    assert f"bxbackup=={version}" in project(ROOT)["dependencies"]


@pytest.mark.parametrize("file", WORDS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_is_sent_to_an_index_for_them(file: Path) -> None:
    called = re.findall(r"pip install([^`\"\n]*)", file.read_text(encoding="utf-8"))
    assert [
        words for words in called if re.search(r"\s(boxlift|bxbackup)\b", words) and "--no-index" not in words
    ] == []
