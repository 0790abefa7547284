"""Projects that reports are made of: the story's, and one in which nothing has happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxlift.project import Project
from boxlift.report import gather
from boxlift.report.model import Report
from tests.story import empty, moment, tell


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "acme"
    root.mkdir()
    return empty(root)


@pytest.fixture(scope="session")
def story_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Read only: all tests of the session share it."""
    found = empty(tmp_path_factory.mktemp("acme"))
    tell(found)
    return found


@pytest.fixture(scope="session")
def story(story_project: Project) -> Report:
    return gather(story_project, now=moment(15, 11))
