"""A copy goes from production to pre-production, and the database travels the way that its servers allow."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from library.portal_copies import Copies, lacking, surplus
from library.portal_direction import choose, refusals

SERVER = {
    "hostname": "portal-1",
    "port": "3306",
    "datadir": "/var/lib/mysql/",
    "version": "10.11.19-MariaDB-0+deb12u1",
    "mariadb": True,
    "uid": "uid-of-portal-1",
    "local": True,
}


def side(environment: str, portal_id: str, **server: Any) -> dict[str, Any]:
    marker = {"environment": environment, "portal_id": portal_id}
    return {
        "marker": dict(marker),
        "database_marker": dict(marker),
        "server": {**SERVER, **server},
        "release": "final-1",
        "busy": [],
    }


@pytest.fixture
def production() -> dict[str, Any]:
    return side("production", "acme")


@pytest.fixture
def staging() -> dict[str, Any]:
    return side("preproduction", "acme-staging", hostname="staging-1", uid="uid-of-staging-1")


def reasons(source: dict[str, Any], target: dict[str, Any]) -> str:
    return "; ".join(refusals(source, target, "portal-1", "staging-1"))


def test_the_right_direction(production: dict[str, Any], staging: dict[str, Any]) -> None:
    assert reasons(production, staging) == ""


def test_the_wrong_direction(production: dict[str, Any], staging: dict[str, Any]) -> None:
    assert "staging-1 is production of acme, preproduction was meant" in reasons(staging, production)


@pytest.mark.parametrize("where", ["marker", "database_marker"])
def test_production_is_no_target(production: dict[str, Any], staging: dict[str, Any], where: str) -> None:
    staging[where] = {"environment": "production", "portal_id": "acme"}
    assert "is production of acme, preproduction was meant" in reasons(production, staging)


@pytest.mark.parametrize("where", ["marker", "database_marker"])
def test_pre_production_is_no_source(production: dict[str, Any], staging: dict[str, Any], where: str) -> None:
    production[where] = {"environment": "preproduction", "portal_id": "acme"}
    assert "is preproduction of acme, production was meant" in reasons(production, staging)


@pytest.mark.parametrize("where", ["marker", "database_marker"])
def test_nobodys_host_or_server(production: dict[str, Any], staging: dict[str, Any], where: str) -> None:
    staging[where] = None
    assert "carries no marker" in reasons(production, staging)


def test_equal_portal_ids(production: dict[str, Any], staging: dict[str, Any]) -> None:
    for where in ("marker", "database_marker"):
        staging[where]["portal_id"] = "acme"
    assert "the same portal id, acme" in reasons(production, staging)


def test_a_host_that_reaches_the_database_of_another_portal(
    production: dict[str, Any], staging: dict[str, Any]
) -> None:
    staging["database_marker"]["portal_id"] = "other-staging"
    assert "reaches the database server of other-staging" in reasons(production, staging)


@pytest.mark.parametrize(
    "same", [("uid",), ("hostname", "port", "datadir")], ids=["unique id", "host, port and data"]
)
def test_staging_in_production_s_database_server(
    production: dict[str, Any], staging: dict[str, Any], same: tuple[str, ...]
) -> None:
    for name in same:
        staging["server"][name] = production["server"][name]
    assert "reaches the database server of portal-1" in reasons(production, staging)


@pytest.mark.parametrize(
    ("unit", "told"),
    [
        ("bxbackup-restore@final-2.service", "a restore runs"),
        ("boxlift-clone@x.service", "another copy runs"),
        ("boxlift-backup.service", "a backup runs"),
    ],
)
@pytest.mark.parametrize("busy", ["source", "target"])
def test_one_thing_at_a_time(
    production: dict[str, Any], staging: dict[str, Any], busy: str, unit: str, told: str
) -> None:
    {"source": production, "target": staging}[busy]["busy"] = [unit]
    name = {"source": "portal-1", "target": "staging-1"}[busy]
    assert f"{told} on {name} ({unit})" in reasons(production, staging)


def test_nothing_to_copy(production: dict[str, Any], staging: dict[str, Any]) -> None:
    production["release"] = ""
    assert "serves no portal" in reasons(production, staging)


def test_files_of_the_database_travel(production: dict[str, Any], staging: dict[str, Any]) -> None:
    assert choose(production, staging, "auto").method == "physical"


@pytest.mark.parametrize(
    ("at", "change", "why"),
    [
        ("source", {"version": "11.8.3-MariaDB-0+deb13u1"}, "MariaDB 11.8 in production, 10.11 here"),
        ("target", {"version": "11.8.3-MariaDB-0+deb13u1"}, "MariaDB 10.11 in production, 11.8 here"),
        ("source", {"version": "8.0.42", "mariadb": False}, "no MariaDB"),
        ("source", {"local": False}, "production's database server is on a host of its own"),
        ("target", {"local": False}, "pre-production's database server is on a host of its own"),
    ],
)
def test_statements_travel_where_files_cannot(
    production: dict[str, Any], staging: dict[str, Any], at: str, change: dict[str, Any], why: str
) -> None:
    sides = {"source": copy.deepcopy(production), "target": copy.deepcopy(staging)}
    sides[at]["server"] |= change
    choice = choose(sides["source"], sides["target"], "auto")
    assert choice.method == "logical"
    assert why in choice.why
    with pytest.raises(ValueError, match=why):
        choose(sides["source"], sides["target"], "physical")


def test_statements_can_be_asked_for(production: dict[str, Any], staging: dict[str, Any]) -> None:
    assert choose(production, staging, "logical").method == "logical"


NAMES = ["clone-20261120100000", "clone-20261121100000", "clone-20261122100000"]


@pytest.mark.parametrize(
    ("active", "spare", "keep", "gone"),
    [
        (NAMES[2], [], 2, NAMES[:1]),
        (NAMES[2], [], 1, NAMES[:2]),
        (NAMES[2], [], 9, []),
        (NAMES[0], [], 1, NAMES[1:]),
        (NAMES[0], [], 2, [NAMES[1]]),
        (NAMES[1], [NAMES[2]], 1, [NAMES[0]]),
        ("box", [], 2, NAMES[:1]),
        ("", [], 0, NAMES),
    ],
)
def test_the_newest_copies_and_the_active_one_stay(
    active: str, spare: list[str], keep: int, gone: list[str]
) -> None:
    assert surplus(NAMES, NAMES, active, spare, keep) == gone


def test_a_copy_that_was_given_up_goes_before_one_that_served() -> None:
    assert surplus(NAMES, [NAMES[0], NAMES[2]], NAMES[2], [], 2) == [NAMES[1]]
    assert surplus(NAMES, [NAMES[0], NAMES[2]], NAMES[2], [NAMES[1]], 2) == []


def test_what_was_active_before_stays_though_it_is_older_than_what_failed() -> None:
    # The second copy was bad, the first came back, and now the third is active: the way back is the first.
    order = [NAMES[1], NAMES[0], NAMES[2]]
    assert surplus(NAMES, order, NAMES[2], [], 2) == [NAMES[1]]


class Known:
    """A register that answers one question."""

    def __init__(self, activated: list[str]) -> None:
        self._rows = [(name,) for name in activated]

    def tables(self, schema: str) -> set[str]:
        return {"portal_release"}

    def rows(self, statement: str) -> list[tuple[str]]:
        return self._rows


def test_a_link_that_is_gone_makes_no_copy_fair_game(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / "releases" / name).mkdir(parents=True)
    given = {"base_path": str(tmp_path), "copies": str(tmp_path / "copies")}
    register = Known([NAMES[2], NAMES[0]])
    lost = Copies(given, register, lambda words: (1, "", ""))
    assert lost.active == NAMES[0]
    (tmp_path / "current").symlink_to(f"releases/{NAMES[2]}")
    assert Copies(given, register, lambda words: (1, "", "")).active == NAMES[2]
    assert Copies(given, Known([]), lambda words: (1, "", "")).active == NAMES[2]


def test_room_is_what_the_fullest_disk_has() -> None:
    assert lacking([(1000, 500), (1000, 90)], 10, 0) == 10
    assert lacking([(1000, 500), (1000, 90)], 10, 400) == 310
    assert lacking([(1000, 500)], 10, 0) < 0
