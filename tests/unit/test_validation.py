"""What is said of a file of the project that does not keep its form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from boxlift.errors import UsageError
from boxlift.forecast.arrivals import FILE, read_arrivals


def said(root: Path, content: str) -> str:
    path = root / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_arrivals(root)
    assert "http" not in caught.value.message
    return caught.value.message.removeprefix(f"{path} cannot be used: ")


def test_the_key_and_what_is_wrong_are_named(tmp_path: Path) -> None:
    leads = {"hours": [1] * 167 + ["x"], "weeks": 12, "first": None, "last": None, "weekly": []}
    backup = {"began": None, "ended": None, "zone": None}
    data = {"schema": 1, "release": "final-1", "timezone": "UTC", "backup": backup, "kinds": {"leads": leads}}
    assert said(tmp_path, json.dumps(data)).startswith(
        "kinds.leads.hours.167: Input should be a valid integer"
    )
    text = said(tmp_path, json.dumps(data | {"kinds": {}, "k" * 500: 1}))
    assert text == f"{'k' * 60}…: Extra inputs are not permitted"


def test_what_is_no_json_and_what_has_many_faults_is_told_in_one_line(tmp_path: Path) -> None:
    assert said(tmp_path, "").startswith("Invalid JSON")
    text = said(tmp_path, json.dumps({f"key{number}": 1 for number in range(9)}))
    assert "\n" not in text
    assert text.endswith("; and 10 more")


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir(parents=True)
    with pytest.raises(UsageError, match=r"cannot be used: Is a directory$"):
        read_arrivals(tmp_path)
