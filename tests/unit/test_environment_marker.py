"""Markers: written once, refused elsewhere, lifecycle forward only, whole after an interruption."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from library.environment_marker import LIFECYCLE, Marker, MarkerFile, RefusedError, connected, work

OWN: Marker = {
    "environment": "production",
    "portal_id": "acme",
    "lifecycle": "empty",
    "created": "2026-11-20T10:00:00+00:00",
}


class Row:
    """Stands for the database server's row."""

    where = "the database server"

    def __init__(self, marker: Marker | None) -> None:
        self.marker = marker

    def read(self) -> Marker | None:
        return self.marker

    def write(self, marker: Marker) -> None:
        self.marker = marker


@pytest.fixture
def file(tmp_path: Path) -> MarkerFile:
    return MarkerFile(tmp_path / "boxlift" / "environment.json")


def act(stores: Sequence[MarkerFile | Row], *, check: bool = False, **given: Any) -> dict[str, Any]:
    params = {
        "environment": "production",
        "portal_id": "acme",
        "state": "own",
        "lifecycle": None,
        "lifecycle_in": None,
        **given,
    }
    module: Any = SimpleNamespace(params=params, check_mode=check)
    found: Any = list(stores)
    return work(module, found)


def test_a_fresh_host_gets_a_marker_once(file: MarkerFile) -> None:
    row = Row(None)
    first = act([file, row], state="present")
    assert first["changed"]
    assert first["marker"]["lifecycle"] == "empty"
    assert row.marker == json.loads(file.path.read_text()) == first["marker"]
    assert oct(file.path.stat().st_mode & 0o777) == "0o644"
    assert not act([file, row], state="present")["changed"]


def test_check_mode_writes_nothing(file: MarkerFile) -> None:
    assert act([file], state="present", check=True)["changed"]
    assert not file.path.exists()


def test_a_new_database_server_gets_the_hosts_marker(file: MarkerFile) -> None:
    file.write({**OWN, "lifecycle": "final"})
    row = Row(None)
    act([file, row], state="present")
    assert row.marker == {**OWN, "lifecycle": "final"}


@pytest.mark.parametrize("state", ["present", "free_or_own", "own"])
@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"environment": "preproduction"}, "says preproduction, but production was meant"),
        ({"portal_id": "other"}, "belongs to portal other, but acme was meant"),
    ],
)
def test_another_owner_is_refused_wherever_it_shows(
    file: MarkerFile, state: str, other: dict[str, str], message: str
) -> None:
    file.write({**OWN, **other})
    with pytest.raises(RefusedError, match=message):
        act([file], state=state)
    file.write(OWN)
    row = Row({**OWN, **other})
    with pytest.raises(RefusedError, match=f"the database server {message}"):
        act([file, row], state=state)
    assert row.marker == {**OWN, **other}


def test_a_host_without_a_marker_is_not_ours(file: MarkerFile) -> None:
    with pytest.raises(RefusedError, match=r"carries no marker; .* \(boxlift run provision-production\)"):
        act([file])
    file.write(OWN)
    with pytest.raises(RefusedError, match="the database server carries no marker"):
        act([file, Row(None)])


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"environment": "production"}', "null"])
def test_a_marker_that_cannot_be_read_is_no_absence(file: MarkerFile, content: str) -> None:
    file.path.parent.mkdir()
    file.path.write_text(content)
    with pytest.raises(RefusedError, match="is no marker"):
        act([file], state="present")


@pytest.mark.parametrize("now", LIFECYCLE)
@pytest.mark.parametrize("wanted", LIFECYCLE)
def test_lifecycle_goes_forward_only(file: MarkerFile, now: str, wanted: str) -> None:
    file.write({**OWN, "lifecycle": now})
    allowed = LIFECYCLE.index(wanted) >= LIFECYCLE.index(now) and (
        wanted != "open" or now in {"final", "open"}
    )
    if allowed:
        assert act([file], lifecycle=wanted)["changed"] == (wanted != now)
    else:
        with pytest.raises(RefusedError, match=f"is {now}"):
            act([file], lifecycle=wanted)


def test_an_interrupted_step_is_finished(file: MarkerFile) -> None:
    file.write({**OWN, "lifecycle": "final"})
    row = Row({**OWN, "lifecycle": "open"})
    with pytest.raises(RefusedError, match="is open, it never goes back to final"):
        act([file, row], lifecycle="final")
    assert act([file, row], lifecycle="open")["changed"]
    assert json.loads(file.path.read_text())["lifecycle"] == "open"


def test_work_of_another_stage_is_refused(file: MarkerFile) -> None:
    file.write({**OWN, "lifecycle": "open"})
    with pytest.raises(RefusedError, match="is open, this needs empty or rehearsal"):
        act([file], lifecycle_in=["empty", "rehearsal"])
    assert not act([file], lifecycle_in=["open"])["changed"]


def test_work_of_a_later_stage_is_told_how_to_come_there(file: MarkerFile) -> None:
    file.write({**OWN, "lifecycle": "rehearsal"})
    with pytest.raises(
        RefusedError, match=r"needs final or open; .*: boxlift run --pass final activate-release"
    ):
        act([file], lifecycle_in=["final", "open"])


class FailedError(Exception):
    """What stands for the end of a module that failed."""


def module_of(options: Path, state: str) -> Any:
    def fail_json(msg: str) -> None:
        raise FailedError(msg)

    params = {"state": state, "config_file": str(options)}
    return SimpleNamespace(params=params, check_mode=False, fail_json=fail_json)


@pytest.mark.parametrize(
    "content", [b"", b"# a file that a full disk cut off\n[cli", b"[client]\n\xff", None]
)
def test_provisioning_may_write_anew_how_the_server_is_reached(tmp_path: Path, content: bytes | None) -> None:
    options = tmp_path / "database.cnf"
    if content is not None:
        options.write_bytes(content)
    with connected(module_of(options, "free_or_own")) as row:
        assert row is None
    with (
        pytest.raises(FailedError, match="provisioning writes it"),
        connected(module_of(options, "own")),
    ):
        pass
