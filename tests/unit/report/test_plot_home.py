"""Where matplotlib keeps its files when a report is drawn."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import boxlift
from boxlift.report.plot import home as plots

pytestmark = pytest.mark.slow
NAMES = ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_folders_that_can_be_written_are_used(home: Path) -> None:
    plots.prepare()
    assert "MPLCONFIGDIR" not in os.environ


@pytest.mark.parametrize("name", NAMES)
def test_where_they_cannot_a_folder_of_its_own_is(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("MPLCONFIGDIR", os.environ.get("MPLCONFIGDIR", ""))
    plots.prepare()
    assert Path(os.environ["MPLCONFIGDIR"]).is_dir()


def test_matplotlib_does_not_complain_and_nothing_is_left(home: Path) -> None:
    temporary = home / "temporary"
    temporary.mkdir()
    environment = {
        "PYTHONPATH": str(Path(boxlift.__file__).parents[1]),
        "HOME": str(home),
        "XDG_CONFIG_HOME": os.devnull,
        "TMPDIR": str(temporary),
        "PATH": os.environ["PATH"],
    }
    ended = subprocess.run(
        [sys.executable, "-c", "import boxlift.report"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == ""
    assert list(temporary.iterdir()) == []
