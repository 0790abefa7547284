"""After the host was off, everything is back by itself and the portal answers."""

from http import HTTPStatus

from testinfra.host import Host

from boxlift.verify.browser import Browser


def test_every_enabled_service_is_back(portal: Host) -> None:
    assert portal.check_output("systemctl is-system-running --wait || true") == "running"
    enabled = portal.check_output(
        "systemctl list-unit-files --type=service --state=enabled --plain --no-legend"
    )
    names = [line.split()[0] for line in enabled.splitlines()]
    assert {"nginx.service", "mariadb.service", "nftables.service", "cron.service"} <= set(names)


def test_the_firewall_is_up(portal: Host) -> None:
    assert "policy drop" in portal.check_output("nft list chain inet boxlift input")


async def test_the_portal_answers(browser: Browser) -> None:
    page = await browser.get("/")
    assert page.status in {HTTPStatus.OK, HTTPStatus.UNAUTHORIZED}, page.text


async def test_people_can_sign_in(signed_in: Browser) -> None:
    page = await signed_in.get("/")
    assert page.status == HTTPStatus.OK, page.text
