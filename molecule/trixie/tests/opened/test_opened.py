"""An open portal is at work again after its host was off, and nothing takes it back."""

import pytest
from testinfra.host import Host

from tests.lab.conftest import environment, inventory, lab, play, production, project, release
from tests.lab.support import Play

__all__ = ["environment", "inventory", "lab", "play", "production", "project", "release"]


@pytest.mark.parametrize("timer", ["portal-agents.timer", "boxlift-monitoring.timer"])
def test_it_works_by_itself(portal: Host, timer: str) -> None:
    assert portal.service(timer).is_running
    assert portal.service(timer).is_enabled


@pytest.mark.parametrize(
    ("playbook", "variables"),
    [
        ("rollback_release.yml", {}),
        ("activate_release.yml", {"portal_release": "rehearsal-1"}),
        ("activate_release.yml", {"portal_release": "box"}),
    ],
)
def test_no_other_release_takes_its_place(
    play: Play, portal: Host, playbook: str, variables: dict[str, str]
) -> None:
    recap = play(playbook, **variables)
    assert recap.returncode != 0
    assert "refused: " in recap.output
    assert portal.check_output("readlink /srv/portal/current") == "releases/final-1"
