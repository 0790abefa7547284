"""The program of a backup: what it compares, what it keeps, what it refuses."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from boxlift_reader.fault import DatabaseError, InterruptedPullError, PullError
from library.python_package import differing
from roles.production_backup.files.boxlift_backup import retention
from roles.production_backup.files.boxlift_backup.order import Order
from roles.production_backup.files.boxlift_backup.proof import Tables, compare

SAID = "a\t1\nb\t2\nc\tNULL\n\na\t100\nb\t200\na\t0\nb\t100\n\n"
Usage = namedtuple("Usage", "total used free")


def test_what_production_says_of_its_tables() -> None:
    found = Tables.read(SAID)
    assert found.figures == {"a": "1", "b": "2", "c": "NULL"}
    assert found.touched == {"a": 100.0, "b": 200.0}


@pytest.mark.parametrize(
    "said", ["", "a\t1\n", "a\t1\n\n", "a\t1\n\na\t1", "a\n\na\t1\n\n", "a\t1\n\na\tx\n\n"]
)
def test_an_answer_that_was_cut(said: str) -> None:
    with pytest.raises(InterruptedPullError, match="did not say all of its tables"):
        Tables.read(said)


@pytest.mark.parametrize(
    ("backup", "moment", "equal", "changed"),
    [
        ({"a": "1", "b": "2"}, 300, ("a", "b"), ()),
        ({"a": "1", "b": "3"}, 200, ("a",), ("b",)),
        ({"a": "1"}, 150, ("a",), ("b",)),  # made meanwhile
        ({"a": "1", "b": "2", "c": "5"}, 300, ("a", "b"), ("c",)),  # removed while it was asked for
        ({"a": "1", "b": "2", "d": "5"}, 300, ("a", "b"), ("d",)),  # removed meanwhile
    ],
)
def test_tables_beside_production_s(
    backup: dict[str, str], moment: float, equal: tuple[str, ...], changed: tuple[str, ...]
) -> None:
    found = compare(backup, Tables({"a": "1", "b": "2"}, {"a": 100.0, "b": 200.0}), moment)
    assert (found.equal, found.changed) == (equal, changed)


@pytest.mark.parametrize(
    ("backup", "said"),
    [({"a": "1", "b": "3"}, r"1 tables .* b \(differs\)"), ({"b": "2"}, r"a \(is lacking\)")],
)
def test_a_table_that_nobody_wrote_to_must_be_the_same(backup: dict[str, str], said: str) -> None:
    with pytest.raises(DatabaseError, match=said):
        compare(backup, Tables({"a": "1", "b": "2"}, {"a": 100.0, "b": 200.0}), 300)


def made(folder: Path, *names: str, proved: bool = True) -> None:
    for name in names:
        (folder / name / "files").mkdir(parents=True)
        if proved:
            (folder / name / "proof.json").write_text("{}")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_cut_runs_left_goes_and_what_was_proved_stays(tmp_path: Path) -> None:
    made(tmp_path, "20250101000000")
    made(tmp_path, "20250102000000", "20250103000000.new", ".gone-20240101000000", proved=False)
    made(tmp_path, ".unfinished", "mine", proved=False)
    retention.tidy(tmp_path)
    assert names(tmp_path) == [".unfinished", "20250101000000", "mine"]


@pytest.mark.parametrize(("keep", "left"), [(3, 3), (2, 2), (1, 1), (0, 1)])
def test_by_number(tmp_path: Path, keep: int, left: int) -> None:
    made(tmp_path, "20250101000000", "20250102000000", "20250103000000")
    removed = retention.prune(tmp_path, keep, 0)
    assert len(removed) == 3 - left
    assert names(tmp_path)[-1] == "20250103000000"
    assert len(names(tmp_path)) == left


def test_by_space_the_newest_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 95, 5 + 2 * (3 - len(names(tmp_path)))))
    made(tmp_path, "20250101000000", "20250102000000", "20250103000000")
    assert retention.prune(tmp_path, 3, 7) == ["20250101000000"]
    assert retention.prune(tmp_path, 3, 99) == ["20250102000000"]
    assert names(tmp_path) == ["20250103000000"]


def test_room_is_made_of_old_backups_and_never_of_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 0, 10 * (3 - len(names(tmp_path)))))
    made(tmp_path, "20250101000000", "20250102000000", "20250103000000")
    assert retention.make_room(tmp_path, 10) == ["20250101000000"]
    with pytest.raises(InterruptedPullError, match="lacks"):
        retention.make_room(tmp_path, 100)
    assert names(tmp_path) == ["20250103000000"]


def test_no_backup_goes_where_all_of_them_make_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 99, 1))
    stay = ["20250101000000", "20250102000000", "20250103000000"]
    made(tmp_path, *stay)
    with pytest.raises(InterruptedPullError, match="lacks 1000"):
        retention.make_room(tmp_path, 10**12)
    assert names(tmp_path) == stay


def test_a_file_goes_with_its_last_link(tmp_path: Path) -> None:
    made(tmp_path, "1", "2", "3", proved=False)
    (tmp_path / "1" / "files" / "a").write_bytes(bytes(100_000))
    (tmp_path / "2" / "files" / "a").hardlink_to(tmp_path / "1" / "files" / "a")
    assert 100_000 <= retention.held([tmp_path / "1", tmp_path / "2"]) < 200_000
    (tmp_path / "3" / "files" / "a").hardlink_to(tmp_path / "1" / "files" / "a")
    assert retention.held([tmp_path / "1", tmp_path / "2"]) == 0


@pytest.mark.parametrize(
    "changed", [{"name": "../etc"}, {"database": "mysql`; DROP"}, {"release": "../../x"}, {"method": "other"}]
)
def test_an_order_that_names_what_must_not_be_touched(tmp_path: Path, changed: dict[str, str]) -> None:
    told = {
        **dict.fromkeys(Order.__dataclass_fields__, 0),
        **{"ssh": "/s", "folder": "/f", "sockets": "/r", "method": "physical"},
        **{"name": "20250101000000", "database": "portal_final_1", "release": "final-1"},
    }
    path = tmp_path / "order.json"
    path.write_text(json.dumps(told))
    assert Order.read(path).work == Path("/f/.unfinished")
    path.write_text(json.dumps({**told, **changed}))
    with pytest.raises(PullError, match=r"is no (name|database|release|order) of"):
        Order.read(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense"])
def test_a_cut_order(tmp_path: Path, text: str) -> None:
    (tmp_path / "order.json").write_text(text)
    with pytest.raises(PullError, match="no order of a backup"):
        Order.read(tmp_path / "order.json")


def test_modules_that_differ_are_written_and_former_ones_removed(tmp_path: Path) -> None:
    assert differing(tmp_path / "absent", {"a.py": ""}) == (["a.py"], [])
    (tmp_path / "a.py").write_text("same")
    (tmp_path / "b.py").write_text("old")
    (tmp_path / "c.py").write_text("former")
    (tmp_path / "data.json").write_text("{}")
    assert differing(tmp_path, {"a.py": "same", "b.py": "new"}) == (["b.py"], ["c.py"])
