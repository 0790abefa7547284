"""The seller, what the ports present, and the playbook."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from boxlift.verify import tls
from boxlift.verify.inventory import Inventory
from tests.scenarios.deployment import Deployment, Seller

PORTS = {"portal-1": (443, 8894), "pbx-1": (8089, 5061)}


@pytest.fixture(scope="session")
def seller(tmp_path_factory: pytest.TempPathFactory) -> Seller:
    return Seller.found(tmp_path_factory.mktemp("seller"))


@pytest.fixture(scope="session")
def names(inventory: Inventory) -> list[str]:
    """The portal's name, then the telephony server's."""
    return [str(inventory.setting("portal-1", name)) for name in ("portal_domain", "telephony_domain")]


@pytest.fixture(scope="session")
def deployment(inventory: Inventory, seller: Seller) -> Deployment:
    return Deployment(inventory.path, seller.folder, seller.folder / "roots.pem")


@pytest.fixture(scope="session")
def presented(inventory: Inventory) -> Callable[[], dict[tuple[str, int], str]]:
    """Fingerprints that the ports present now, whoever signed them."""

    def look() -> dict[tuple[str, int], str]:
        return {
            (host, port): tls.fingerprint(inventory.address(host), port)
            for host, ports in PORTS.items()
            for port in ports
        }

    return look
