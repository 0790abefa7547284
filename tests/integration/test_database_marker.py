"""The marker in a database server that several hosts reach."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.boxlift_sql import Database

from library.environment_marker import MarkerFile, MarkerRow, RefusedError, work


def act(host: Path, session: Database, **given: Any) -> dict[str, Any]:
    params = {"environment": "production", "portal_id": "acme", "state": "own", "lifecycle": None}
    module: Any = SimpleNamespace(params={**params, "lifecycle_in": None, **given}, check_mode=False)
    return work(module, [MarkerFile(host / "environment.json"), MarkerRow(session)])


@pytest.fixture
def hosts(tmp_path: Path) -> tuple[Path, Path]:
    """Folders that stand for the portal's host and the database's."""
    return tmp_path / "portal", tmp_path / "database"


def test_hosts_of_one_server_agree_and_stay_so(hosts: tuple[Path, Path], session: Database) -> None:
    database_host = MarkerFile(hosts[1] / "environment.json")
    # Made by an earlier run that did not look at the server from both sides.
    database_host.write(
        {"environment": "production", "portal_id": "acme", "lifecycle": "empty", "created": "2026-01-01"}
    )
    first = [act(host, session, state="present")["marker"] for host in hosts]
    assert first[0] == first[1]
    assert not any(act(host, session, state="present")["changed"] for host in hosts)
    assert act(hosts[0], session, lifecycle="rehearsal")["changed"]
    assert act(hosts[1], session, lifecycle="rehearsal")["database_marker"]["lifecycle"] == "rehearsal"
    assert not any(act(host, session, lifecycle="rehearsal")["changed"] for host in hosts)


def test_a_portal_whose_server_is_somebody_elses_is_refused(
    hosts: tuple[Path, Path], session: Database
) -> None:
    act(hosts[1], session, state="present", environment="production")
    with pytest.raises(RefusedError, match=r"the database server .* says production, but preproduction"):
        act(hosts[0], session, state="free_or_own", environment="preproduction")
    assert not (hosts[0] / "environment.json").exists()


def test_a_portal_whose_server_carries_no_marker_is_refused(
    hosts: tuple[Path, Path], session: Database
) -> None:
    MarkerFile(hosts[0] / "environment.json").write(
        {"environment": "production", "portal_id": "acme", "lifecycle": "empty", "created": "2026-01-01"}
    )
    with pytest.raises(RefusedError, match=r"the database server .* carries no marker"):
        act(hosts[0], session)
