"""Production and the copy, as their hosts have them."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from boxlift.verify.inventory import Inventory
from boxlift.verify.release import Release


@pytest.fixture(scope="session")
def production_host(inventory: Inventory) -> Host:
    return inventory.connect("portal-1")


@pytest.fixture(scope="session")
def staging_host(inventory: Inventory) -> Host:
    return inventory.connect("staging-1")


def active(host: Host) -> Release:
    return Release.on(host, host.check_output("readlink /srv/portal/current").rpartition("/")[2])


@pytest.fixture(scope="session")
def source(production_host: Host) -> Release:
    return active(production_host)


@pytest.fixture(scope="session")
def copy(staging_host: Host) -> Release:
    return active(staging_host)
