"""What must never happen is refused with exit code 6, and leaves everything as it was."""

import pytest
from testinfra.host import Host

from boxlift.project import Project
from boxlift.verify.inventory import Inventory
from boxlift.verify.release import Release
from tests.lab.support import PRODUCTION, Play, boxlift

REFUSED = 6


@pytest.mark.parametrize("command", [["activate", "box"], ["rollback"]])
def test_open_portal_is_not_switched_away(
    project: Project, production: Host, release: Release, command: list[str]
) -> None:
    result = boxlift(project.root, *command)
    assert result.returncode == REFUSED, result.stdout + result.stderr
    assert "refused: " in result.stdout + result.stderr
    assert production.check_output("readlink /srv/portal/current").endswith(release.name)


@pytest.mark.parametrize("options", [["--check"], ["--yes"]])
def test_work_in_an_open_portal_is_no_test_data(
    project: Project, release: Release, options: list[str]
) -> None:
    before = release.database.value("SELECT COUNT(*) FROM b_crm_lead")
    result = boxlift(project.root, "run", "delete-test-data", *options)
    assert result.returncode == REFUSED, result.stdout + result.stderr
    assert "is people's work" in result.stdout + result.stderr
    assert release.database.value("SELECT COUNT(*) FROM b_crm_lead") == before


def test_production_is_no_target_of_a_clone(play: Play, production: Host, inventory: Inventory) -> None:
    before = production.check_output("readlink /srv/portal/current; ls /srv/portal/releases")
    # The inventory takes production's host for staging's: what the host itself says counts.
    recap = play("clone_to_preproduction.yml", ansible_host=inventory.address(PRODUCTION))
    assert recap.returncode != 0
    assert "says production, but preproduction was meant" in recap.output
    # The variables call production's environment pre-production.
    recap = play("clone_to_preproduction.yml", portal_environment="preproduction")
    assert recap.returncode != 0
    assert "it must be the name of the group that the host is in" in recap.output
    assert production.check_output("readlink /srv/portal/current; ls /srv/portal/releases") == before


def test_foreign_database_is_not_filled(play: Play, production: Host) -> None:
    production.check_output(
        "mariadb --execute %s",
        "CREATE DATABASE IF NOT EXISTS portal_foreign_1;"
        " CREATE TABLE IF NOT EXISTS portal_foreign_1.precious (id INT); ",
    )
    try:
        recap = play("restore_backup.yml", portal_release="foreign-1")
        assert recap.returncode != 0
        assert "portal_foreign_1" in recap.output
        assert "is not empty" in recap.output
        assert "precious" in production.check_output("mariadb -N --execute 'SHOW TABLES' portal_foreign_1")
    finally:
        production.check_output(
            "mariadb --execute 'DROP DATABASE portal_foreign_1';"
            " rm -rf /srv/portal/releases/foreign-1 /srv/portal/restores/foreign-1 /etc/bxbackup/foreign-1;"
            " systemctl reset-failed 'bxbackup-restore@*'"
        )
