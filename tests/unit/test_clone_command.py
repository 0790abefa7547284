"""What `boxlift clone` says of both sides, and that it asks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from boxlift.clone import Description, command, run_clone
from boxlift.clone.doubts import doubts
from boxlift.errors import ExitCode, RefusedError
from boxlift.project import Project
from boxlift.runner.display import Display

SCHEMA = Path(__file__).parents[2] / "docs" / "contracts" / "clone.schema.json"
SOURCE = {
    "name": "portal-1",
    "marker": {"environment": "production", "portal_id": "acme"},
    "release": "final-1",
    "database_bytes": 143_000_000,
    "files": 600,
    "files_bytes": 192_500_000,
    "copied_at": None,
}
TARGET = {
    "name": "staging-1",
    "marker": {"environment": "preproduction", "portal_id": "acme-staging"},
    "release": "",
    "copied_at": None,
    "unfinished": None,
}
COPIED = {**TARGET, **{name: SOURCE[name] for name in ("database_bytes", "files", "files_bytes")}} | {
    "release": "clone-20261122100000",
    "copied_at": 1_000_000.0,
    "unfinished": "clone-20261122110000",
}
AHEAD = {
    "method": "physical",
    "database_bytes": 143_000_000,
    "database_travels": 33_000_000,
    "files": 12,
    "files_bytes": 1_200_000,
    "files_size": 192_500_000,
    "seconds": 61.0,
}


def description(target: Mapping[str, Any] = COPIED, ahead: Mapping[str, Any] | None = None) -> Description:
    return Description(SOURCE, target, "physical", "the same version", ahead or {})


def test_both_sides_are_named() -> None:
    lines = description().lines(now=1_000_000.0 + 3 * 86400)
    assert lines[0] == (
        "from  portal-1 · production of acme · release final-1 · database 143.0 MB · 600 files with 192.5 MB"
    )
    assert lines[1].startswith(
        "to    staging-1 · preproduction of acme-staging · release clone-20261122100000"
    )
    assert lines[1].endswith("copied 3 d ago")
    assert "as files: the same version" in lines[2]
    assert lines[3] == "clone-20261122110000 was interrupted and is gone on with"


def test_a_first_copy() -> None:
    assert description(TARGET).lines()[1] == "to    staging-1 · preproduction of acme-staging · nothing yet"


def test_what_would_travel() -> None:
    travel, takes = description(ahead=AHEAD).lines()[-2:]
    assert "33.0 MB for a database of 143.0 MB; 12 files with 1.2 MB of 192.5 MB" in travel
    assert takes.startswith("copying takes about 1 min 1 s")
    assert "no copy was measured yet" in description(ahead={**AHEAD, "seconds": None}).lines()[-1]


@pytest.mark.parametrize("target", [TARGET, COPIED])
@pytest.mark.parametrize("ahead", [None, AHEAD])
def test_the_contract(target: Mapping[str, Any], ahead: Mapping[str, Any] | None) -> None:
    jsonschema.validate(description(target, ahead).as_dict(), json.loads(SCHEMA.read_text(encoding="utf-8")))


@pytest.mark.parametrize("answer", [True, False])
def test_it_asks_before_anything_is_replaced(monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    asked: list[str] = []

    def ask(question: str) -> bool:
        asked.append(question)
        return answer

    def run(
        project: object, which: object, pass_: object, *, before: Any, after: Any, display: Display
    ) -> ExitCode:
        before(display)
        return ExitCode.DONE

    monkeypatch.setattr(command, "describe", lambda project: description())
    monkeypatch.setattr(command, "run_command", run)
    monkeypatch.setattr(command, "place_option", lambda project: "")
    project = Project.__new__(Project)
    if answer:
        assert run_clone(project, ask=ask, display=Display()) is ExitCode.DONE
    else:
        with pytest.raises(RefusedError, match="nobody agreed") as refused:
            run_clone(project, ask=ask, display=Display())
        assert refused.value.cure == "boxlift clone --yes"
    assert len(asked) == 1
    assert asked[0].startswith("staging-1 becomes a copy of portal-1")


RELEASE = "clone-20261122193934"


def evidence(root: Path, name: str, content: object) -> None:
    (root / "evidence").mkdir(exist_ok=True)
    (root / "evidence" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def test_what_somebody_should_look_at_is_told(tmp_path: Path) -> None:
    assert list(doubts(tmp_path)) == []
    secrets = [{"place": f"b_acme.TOKEN_{number}", "table": "b_acme", "why": "x"} for number in range(10)]
    evidence(
        tmp_path,
        "quiet-preproduction",
        {"release": RELEASE, "unknown_tables": [{"table": "b_acme_hook", "rows": 3}], "secrets": secrets},
    )
    evidence(
        tmp_path,
        "pseudonyms",
        {"release": RELEASE, "own_fields": ["b_uts_user.UF_X"], "persons": {"b_acme.NOTE": ["mail"]}},
    )
    left, tables, persons = doubts(tmp_path)
    assert "b_acme.TOKEN_0, " in left
    assert "TOKEN_7 and 2 more (evidence/quiet-preproduction.json)" in left
    assert "b_acme_hook (3 rows)" in tables
    assert "b_acme.NOTE, b_uts_user.UF_X" in persons


def test_nothing_to_look_at_is_no_line(tmp_path: Path) -> None:
    evidence(tmp_path, "quiet-preproduction", {"release": RELEASE, "unknown_tables": []})
    evidence(tmp_path, "pseudonyms", {"release": "clone-20261101000000", "persons": {"b_acme.X": ["mail"]}})
    assert list(doubts(tmp_path)) == []


def test_evidence_that_is_cut_is_told(tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "quiet-preproduction.json").write_text('{"release": ', encoding="utf-8")
    (line,) = doubts(tmp_path)
    assert "quiet-preproduction.json cannot be read" in line
