"""A scenario is checked whole; a mistake is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.cloud.scenario import KINDS, ScenarioError, load, parse

EXTRA: dict[str, dict[str, object]] = {"status": {"code": 403}, "length": {"by": 1}, "slow": {"rate": "1K"}}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_needs_little(kind: str) -> None:
    played = parse({"faults": [{"kind": kind, **EXTRA.get(kind, {})}]})
    assert played.faults[0].kind == kind


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"faults": [{"kind": "cutt"}]}, "faults[0]: 'cutt' is no kind of fault; there are cut, reset"),
        ({"faults": [{"kind": "cut", "code": 5}]}, "faults[0] (cut): unknown code; known are at, count"),
        ({"faults": [{"kind": "status"}]}, "faults[0] (status): needs code"),
        ({"faults": [{"kind": "status", "code": 200}]}, "faults[0].code: 200 must be from 400 to 599"),
        ({"faults": [{"kind": "cut", "count": 1, "to": 2}]}, "use one way"),
        ({"faults": [{"kind": "cut", "count": 0}]}, "faults[0].count: 0 must be at least 1"),
        ({"faults": [{"kind": "cut", "from": 3, "to": 2}]}, "faults[0].to: 2 must be at least 3"),
        ({"faults": [{"kind": "cut", "count": "two"}]}, "'two' is no whole number"),
        ({"faults": [{"kind": "cut", "at": "half"}]}, "faults[0].at: 'half' is no amount"),
        ({"faults": {"kind": "cut"}}, "faults: must be a list"),
        ({"rate": {"connection": "fast"}}, "rate.connection: 'fast' is no amount"),
        ({"etag": "sha1"}, "etag: 'sha1' is none of md5, multipart, none"),
        ({"speed": 1}, "the scenario: unknown speed; known are etag, faults"),
        ([], "the scenario: must be a mapping"),
    ],
)
def test_mistakes_are_named_with_their_place(data: object, told: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(data)
    assert told in str(caught.value)


def test_a_file_is_named_in_its_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "faults.yml"
    path.write_text("faults: [{kind: cut")
    with pytest.raises(ScenarioError, match=r"faults\.yml"):
        load(path)
    path.write_text("")
    assert load(path).faults == ()


def test_faults_strike_by_name_and_number() -> None:
    played = parse({"faults": [{"kind": "cut", "match": "*.gz.1", "from": 2, "to": 3}]})
    struck = [bool(played.strike("folder/a.gz.1", "GET", 0, 10, 10)) for _ in range(4)]
    assert struck == [False, True, True, False]
    assert played.strike("folder/a.gz.2", "GET", 0, 10, 10) is None
    assert played.strike("folder/a.gz.1", "HEAD", 0, 10, 10) is None
