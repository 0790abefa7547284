"""Units take in their files when these are newer than what runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filter_plugins.units import as_units
from library import service_in_step
from library.service_in_step import blocks, has_newer_unit_files, needed, newest, unit_from

BOOT = 1_000_000.0
RUNNING = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "UnitFileState": "enabled",
    "NeedDaemonReload": "no",
    "ActiveEnterTimestampMonotonic": "50000000",
    "StateChangeTimestampMonotonic": "80000000",
}


def file_of(folder: Path, seconds: float) -> Path:
    path = folder / "settings.conf"
    path.touch()
    os.utime(path, (BOOT + seconds, BOOT + seconds))
    return path


@pytest.mark.parametrize(
    ("on_change", "seconds", "verbs"),
    [
        ("restart", 40, []),
        ("restart", 60, ["restart"]),
        ("reload", 60, []),  # the last reload was at 80
        ("reload", 90, ["reload"]),
    ],
)
def test_a_newer_file_is_taken_in(tmp_path: Path, on_change: str, seconds: float, verbs: list[str]) -> None:
    unit = unit_from("nginx", [file_of(tmp_path, seconds)], RUNNING, on_change, BOOT)
    assert needed(unit, on_change, alive=True) == verbs


@pytest.mark.parametrize(("seconds", "verbs"), [(40, []), (60, ["restart"])])
def test_a_drop_in_is_taken_in_by_a_restart_alone(tmp_path: Path, seconds: float, verbs: list[str]) -> None:
    """The last reload was at 80; the unit started at 50."""
    unit = unit_from("nginx", [], RUNNING, "reload", BOOT, restart_files=[file_of(tmp_path, seconds)])
    assert needed(unit, "reload", alive=True) == verbs


def test_systemd_reads_a_newer_unit_file_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a unit's first drop-in it does not say by itself that it has to."""
    monkeypatch.setattr(service_in_step, "UNIT_FILES", tmp_path)
    older = unit_from("nginx", [file_of(tmp_path, 40)], RUNNING, "reload", BOOT)
    assert not has_newer_unit_files(older)
    drop_in = unit_from("nginx", [], RUNNING, "reload", BOOT, restart_files=[file_of(tmp_path, 60)])
    assert has_newer_unit_files(drop_in)
    monkeypatch.setattr(service_in_step, "UNIT_FILES", tmp_path / "elsewhere")
    assert not has_newer_unit_files(drop_in)


@pytest.mark.parametrize(
    ("change", "verbs"),
    [
        ({"ActiveState": "inactive"}, ["start"]),
        ({"ActiveState": "failed"}, ["start"]),
        ({"UnitFileState": "disabled"}, ["enable"]),
        ({"ActiveState": "inactive", "UnitFileState": "disabled"}, ["enable", "start"]),
        ({"NeedDaemonReload": "yes"}, ["restart"]),
        ({"UnitFileState": "static"}, []),
        ({"UnitFileState": "enabled-runtime"}, []),
    ],
)
def test_a_unit_is_brought_up(change: dict[str, str], verbs: list[str]) -> None:
    assert (
        needed(unit_from("nginx", [], {**RUNNING, **change}, "reload", BOOT), "reload", alive=True) == verbs
    )


def test_a_unit_that_only_seems_active_takes_in_its_files_again() -> None:
    assert needed(unit_from("nftables", [], RUNNING, "reload", BOOT), "reload", alive=False) == ["reload"]


def test_absent_files_do_not_count(tmp_path: Path) -> None:
    assert newest([tmp_path / "nowhere"]) == 0
    assert newest([tmp_path / "nowhere", file_of(tmp_path, 5)]) == BOOT + 5


def test_properties_stand_in_the_order_asked() -> None:
    assert blocks("Id=a.service\nActiveState=active\n\nId=b.service\nActiveState=\n") == [
        {"Id": "a.service", "ActiveState": "active"},
        {"Id": "b.service", "ActiveState": ""},
    ]


def test_units_are_named_after_instances() -> None:
    assert as_units([8010, "x"], "push-server@sub-%s", "/etc/push-server/sub-%s.json") == [
        {"name": "push-server@sub-8010", "files": ["/etc/push-server/sub-8010.json"]},
        {"name": "push-server@sub-x", "files": ["/etc/push-server/sub-x.json"]},
    ]
