"""An ACME server has proved both names by DNS; the host renews by itself, and refuses what is not sound."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from testinfra.host import Host

from boxlift.verify import tls
from boxlift.verify.inventory import Inventory, Setting

SERVICE = "boxlift-certificate.service"
SETTINGS = "/etc/boxlift/certificate.json"
PORTS = {"portal-1": (443, 8894), "pbx-1": (8089, 5061)}


@pytest.fixture(scope="module")
def root(setting: Setting) -> Path:
    """The root that the ACME server made for itself."""
    return Path(str(setting("certificate_store"))) / "acme-root.pem"


def fingerprints(inventory: Inventory, host: str) -> set[str]:
    return {tls.fingerprint(inventory.address(host), port) for port in PORTS[host]}


@pytest.mark.parametrize(("host", "name"), [("portal-1", "portal_domain"), ("pbx-1", "telephony_domain")])
def test_every_port_presents_its_certificate(
    inventory: Inventory, setting: Setting, root: Path, host: str, name: str
) -> None:
    for port in PORTS[host]:
        assert tls.served(inventory.address(host), str(setting(name)), port, root)


@pytest.mark.parametrize("timer", ["certbot.timer", "boxlift-certificate.timer"])
def test_timers_run(portal: Host, timer: str) -> None:
    assert portal.service(timer).is_running
    assert portal.service(timer).is_enabled


def test_a_renewal_goes_into_service_by_itself(inventory: Inventory, portal: Host) -> None:
    before = fingerprints(inventory, "portal-1")
    portal.check_output(
        "certbot renew --quiet --force-renewal --no-random-sleep-on-renew --cert-name boxlift"
    )
    assert portal.check_output(f"systemctl show --property Result --value {SERVICE}") == "success"
    after = fingerprints(inventory, "portal-1")
    assert len(after) == 1
    assert not after & before


@pytest.fixture
def another_name(portal: Host) -> Iterator[None]:
    """The settings want a name that the certificate does not have."""
    replaced = "s/pbx[.]acme[.]example/crm.acme.example/"
    portal.check_output(f"cp --preserve {SETTINGS} /root/kept && sed -i '{replaced}' {SETTINGS}")
    yield
    portal.check_output(f"mv /root/kept {SETTINGS} && systemctl start {SERVICE}")


@pytest.mark.usefixtures("another_name")
def test_a_renewal_that_is_not_sound_is_a_failed_unit_and_touches_nothing(
    inventory: Inventory, portal: Host
) -> None:
    before = fingerprints(inventory, "portal-1")
    assert portal.run(f"systemctl start {SERVICE}").failed
    assert SERVICE in portal.check_output("systemctl --failed --plain --no-legend")
    journal = portal.check_output(f"journalctl --unit {SERVICE} --lines 20 --output cat")
    assert "the certificate does not cover crm.acme.example" in journal
    assert fingerprints(inventory, "portal-1") == before
