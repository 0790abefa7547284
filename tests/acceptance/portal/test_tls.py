"""TLS as browsers, telephones and the PHP of others want it, on the portal and on the telephony server."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from boxlift.verify import tls
from boxlift.verify.browser import Browser
from boxlift.verify.inventory import Inventory, Setting
from boxlift.verify.sip import Line

TODAY = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
YESTERDAY = [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1]
SIP_STATUS = range(200, 700)


@dataclass(frozen=True)
class Telephony:
    """The telephony server. `ports`: HTTPS with secure websockets, SIP."""

    address: str
    domain: str
    ports: tuple[int, ...]
    configured: bool


@pytest.fixture(scope="module")
def telephony(inventory: Inventory, target: str) -> Telephony:
    hosts = inventory.names(f"telephony:&{target}")
    if not hosts:
        pytest.skip("the inventory has no telephony host")

    def setting(name: str, default: object) -> object:
        return inventory.setting(hosts[0], name, default)

    return Telephony(
        inventory.address(hosts[0]),
        str(inventory.setting(hosts[0], "telephony_domain")),
        (
            int(str(setting("telephony_certificate_https_port", 8089))),
            int(str(setting("telephony_certificate_sip_port", 5061))),
        ),
        bool(setting("telephony_certificate_configure", True)),
    )


@pytest.mark.parametrize("version", TODAY)
def test_portal_presents_a_valid_certificate(
    inventory: Inventory, portal_name: str, setting: Setting, ca_file: Path | None, version: ssl.TLSVersion
) -> None:
    domain = str(setting("portal_domain"))
    found = tls.served(inventory.address(portal_name), domain, 443, ca_file, version)
    assert "GCM" in found.cipher or "CHACHA20" in found.cipher


@pytest.mark.parametrize("version", YESTERDAY)
def test_portal_refuses_old_versions(
    inventory: Inventory, portal_name: str, setting: Setting, ca_file: Path | None, version: ssl.TLSVersion
) -> None:
    domain = str(setting("portal_domain"))
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        tls.served(inventory.address(portal_name), domain, 443, ca_file, version)


def test_one_connection_carries_many_requests(
    inventory: Inventory, portal_name: str, setting: Setting, ca_file: Path | None
) -> None:
    """HTTP/2, which browsers ask for in the handshake."""
    settings = tls.context(ca_file)
    settings.set_alpn_protocols(["h2", "http/1.1"])
    domain = str(setting("portal_domain"))
    with tls.connect(inventory.address(portal_name), domain, 443, settings) as connection:
        assert connection.selected_alpn_protocol() == "h2"


async def test_browsers_remember_to_use_tls(browser: Browser, setting: Setting) -> None:
    page = await browser.get("/")
    wanted = int(str(setting("web_hsts_seconds", 31536000)))
    assert page.headers.get("strict-transport-security", "max-age=0") == f"max-age={wanted}"


@pytest.mark.parametrize("port", [0, 1], ids=["https", "sip"])
def test_telephony_presents_a_valid_certificate(
    telephony: Telephony, ca_file: Path | None, port: int
) -> None:
    assert tls.served(telephony.address, telephony.domain, telephony.ports[port], ca_file)


@pytest.mark.parametrize("version", YESTERDAY)
@pytest.mark.parametrize("port", [0, 1], ids=["https", "sip"])
def test_telephony_refuses_old_versions(
    telephony: Telephony, ca_file: Path | None, port: int, version: ssl.TLSVersion
) -> None:
    if not telephony.configured:
        pytest.skip("somebody else configures the telephony server")
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        tls.served(telephony.address, telephony.domain, telephony.ports[port], ca_file, version)


@pytest.fixture
def line(telephony: Telephony, ca_file: Path | None) -> Iterator[Line]:
    settings = tls.context(ca_file)
    connection = tls.connect(telephony.address, telephony.domain, telephony.ports[1], settings)
    with Line(connection, telephony.domain) as found:
        yield found


def test_telephony_answers_sip_over_tls(line: Line) -> None:
    answer = line.options()
    assert answer.status in SIP_STATUS
    assert answer.headers["via"].startswith("SIP/2.0/TLS")


async def test_telephony_takes_the_softphones_websocket(
    telephony: Telephony, inventory: Inventory, ca_file: Path | None
) -> None:
    if not telephony.configured:
        pytest.skip("somebody else configures the telephony server")
    async with (
        Browser(telephony.domain, telephony.address, ca_file) as browser,
        browser.subscribe(f"https://{telephony.domain}:{telephony.ports[0]}/ws", ["sip"]) as channel,
    ):
        assert channel.protocol == "sip"
