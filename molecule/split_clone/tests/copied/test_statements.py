"""The database has come as statements, into pre-production's own server, and boxlift says so by itself."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host

from boxlift.verify.inventory import Inventory
from tests.lab.support import STAGING, boxlift


@pytest.fixture(scope="module")
def staging(inventory: Inventory) -> Host:
    return inventory.connect(STAGING)


@pytest.fixture(scope="module")
def copied(staging: Host) -> str:
    """Name of the copy that is served."""
    name: str = staging.check_output("basename $(readlink /srv/portal/current)")
    return name


def test_boxlift_chooses_and_says_why(inventory: Inventory) -> None:
    told = boxlift(inventory.path.parent, "clone", "--dry-run")
    assert told.returncode == 0, told.stderr
    line = "the database travels as statements: production's database server is on a host of its own"
    assert line in told.stdout.splitlines()


def test_statements_came(staging: Host, copied: str) -> None:
    report = json.loads(staging.check_output("cat /var/lib/boxlift/clones/%s/report.json", copied))
    assert report["method"] == "logical"
    assert not staging.file(f"/var/lib/boxlift/clones/{copied}/client.cnf").exists


def test_the_copy_goes_through_pre_productions_tunnel(
    inventory: Inventory, staging: Host, copied: str
) -> None:
    settings = staging.check_output("cat /srv/portal/releases/%s/bitrix/.settings.php", copied)
    assert "'host' => '127.0.0.1:3306'" in settings
    tunnel = staging.check_output("systemctl cat boxlift-database-tunnel")
    assert f"--server {inventory.address('database-2')} " in tunnel


@pytest.mark.parametrize("host", ["staging-1", "database-2"])
def test_no_server_of_the_copys_own_runs(inventory: Inventory, host: str) -> None:
    listed = inventory.connect(host).check_output(
        "systemctl list-units --plain --no-legend 'boxlift-database@*'"
    )
    assert listed == ""
