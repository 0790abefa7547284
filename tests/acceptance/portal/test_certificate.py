"""The certificates that are really presented are good for a while yet."""

from datetime import timedelta
from pathlib import Path

import pytest

from boxlift.verify import tls
from boxlift.verify.inventory import Inventory, Setting

# certbot renews 30 days before the end; whoever buys needs days for the order.
DAYS = 21


def judge(left: dict[tuple[str, int], timedelta], least: timedelta) -> None:
    """Fail with words that whoever is told understands."""
    soon = [
        f"the certificate of {name} at port {port} ends in {time.days} days"
        for (name, port), time in left.items()
        if time < least
    ]
    if soon:
        pytest.fail("; ".join(soon))


@pytest.fixture(scope="module")
def least(setting: Setting) -> timedelta:
    return timedelta(days=int(str(setting("acceptance_certificate_days", DAYS))))


def test_portal_certificate_has_time_left(
    inventory: Inventory, portal_name: str, setting: Setting, ca_file: Path | None, least: timedelta
) -> None:
    folder = str(setting("certificate_folder", "/etc/ssl/boxlift"))
    if not inventory.connect(portal_name).file(f"{folder}/fullchain.pem").exists:
        pytest.skip("no certificate is deployed yet")
    ports = setting("certificate_ports", [443])
    assert isinstance(ports, list)
    address, domain = inventory.address(portal_name), str(setting("portal_domain"))
    judge({(domain, port): tls.served(address, domain, int(port), ca_file).left for port in ports}, least)


def test_telephony_certificate_has_time_left(
    inventory: Inventory, target: str, ca_file: Path | None, least: timedelta
) -> None:
    left = {}
    bare = []
    for host in inventory.names(f"telephony:&{target}"):
        folder = str(inventory.setting(host, "telephony_certificate_folder", "/etc/asterisk/keys"))
        if not inventory.connect(host).run("find %s -name 'boxlift*.pem'", folder).stdout:
            bare.append(host)
            continue
        ports = inventory.setting(host, "telephony_certificate_ports", [8089, 5061])
        domain = str(inventory.setting(host, "telephony_domain"))
        assert isinstance(ports, list)
        for port in ports:
            left[domain, port] = tls.served(inventory.address(host), domain, int(port), ca_file).left
    if not left:
        pytest.skip(f"{', '.join(bare) or 'no telephony host'} has no certificate yet")
    judge(left, least)
