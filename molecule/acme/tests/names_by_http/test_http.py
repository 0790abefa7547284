"""An ACME server has proved the portal's name by asking it on port 80."""

from pathlib import Path

import pytest
from testinfra.host import Host

from boxlift.verify import tls
from boxlift.verify.inventory import Inventory, Setting


@pytest.mark.parametrize("port", [443, 8894])
def test_the_portal_presents_its_certificate(inventory: Inventory, setting: Setting, port: int) -> None:
    root = Path(str(setting("certificate_store"))) / "acme-root.pem"
    assert tls.served(inventory.address("portal-1"), str(setting("portal_domain")), port, root)


def test_it_names_the_portal_alone(portal: Host) -> None:
    text = portal.check_output("openssl x509 -in /etc/ssl/boxlift/fullchain.pem -noout -ext subjectAltName")
    assert "portal.acme.example" in text
    assert "pbx.acme.example" not in text


def test_that_is_how_it_will_be_renewed(portal: Host) -> None:
    told = portal.file("/etc/letsencrypt/renewal/boxlift.conf").content_string
    assert "authenticator = webroot" in told
