"""What anybody who reaches the portal's web server may see, and what nobody may."""

import socket
from http import HTTPStatus

import pytest
from testinfra.host import Host

from boxlift.verify.browser import Browser
from boxlift.verify.inventory import Inventory, Setting

# Locations that the vendor's own configuration denies (portal_runtime A5), and our dumps' old place.
DENIED = [
    "/bitrix/.settings.php",
    "/bitrix/.settings_extra.php",
    "/bitrix/php_interface/dbconn.php",
    "/bitrix/modules/main/include.php",
    "/bitrix/managed_cache/index.php",
    "/bitrix/backup/dump.sql",
    "/.git/config",
    "/.htaccess",
    "/bitrix/.settings.php.bak",
]
# portal_runtime B: what must not remain in the document root, /bitrix/ and /upload.
FOLDERS = ["", "bitrix/", "upload/"]
INSTALLERS = [
    "restore.php",
    "bitrix_server_test.php",
    "bitrixsetup.php",
    "bitrix_install.php",
    "bitrix_setup.php",
    "bitrix6setup.php",
    "bitrix7setup.php",
    "bitrix8setup.php",
    "export_file.csv",
    "1c_bx_import.php",
    "install.config",
]


async def test_start_page_is_a_portal_and_no_wizard(browser: Browser) -> None:
    page = await browser.get("/")
    assert page.status == HTTPStatus.OK
    assert "__wizard_form" not in page.text


async def test_licence_is_named(browser: Browser) -> None:
    page = await browser.get("/auth/")
    assert page.headers["x-powered-cms"].startswith("Bitrix Site Manager (")


async def test_pages_travel_compressed(browser: Browser) -> None:
    page = await browser.get("/auth/")
    assert page.headers.get("content-encoding") == "gzip"


@pytest.mark.parametrize("service", ["caldav", "carddav"])
async def test_calendars_and_contacts_find_their_page(browser: Browser, service: str) -> None:
    page = await browser.get(f"/.well-known/{service}", follow=False)
    assert page.status == HTTPStatus.MOVED_PERMANENTLY
    assert page.headers["location"].endswith("/bitrix/groupdav.php/")


@pytest.mark.parametrize("path", DENIED)
async def test_internal_paths_are_denied(browser: Browser, path: str) -> None:
    page = await browser.get(path)
    assert page.status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}


def test_no_installer_is_left(portal: Host) -> None:
    paths = [f"/srv/portal/current/{folder}{name}" for folder in FOLDERS for name in INSTALLERS]
    assert portal.run("ls -d " + " ".join(paths)).stdout.split() == []


@pytest.mark.parametrize("name", ["restore.php", "bitrixsetup.php", "bitrix/restore.php"])
async def test_no_installer_answers(browser: Browser, name: str) -> None:
    page = await browser.get(f"/{name}")
    assert page.status == HTTPStatus.NOT_FOUND


async def test_unknown_address_reaches_the_portal(browser: Browser) -> None:
    page = await browser.get("/no/such/page/", follow=False)
    assert page.status in {HTTPStatus.NOT_FOUND, HTTPStatus.FOUND}
    assert "x-powered-cms" in page.headers


async def test_administrator_signs_in(signed_in: Browser) -> None:
    page = await signed_in.get("/")
    assert page.status == HTTPStatus.OK


async def test_plain_http_goes_to_https(inventory: Inventory, portal_name: str, setting: Setting) -> None:
    domain = str(setting("portal_domain"))
    with socket.create_connection((inventory.address(portal_name), 80), timeout=10) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {domain}\r\nConnection: close\r\n\r\n".encode())
        answer = connection.recv(4096).decode()
    assert answer.split()[1] == str(HTTPStatus.MOVED_PERMANENTLY.value)
    assert f"https://{domain}/" in answer
