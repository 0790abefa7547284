"""Fixtures of the acceptance suites. They read any inventory; nothing here knows the lab."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from boxlift.verify.browser import Browser
from boxlift.verify.inventory import HostOf, Inventory, Setting
from boxlift.verify.product import Product
from boxlift.verify.release import Database, Release


def pytest_addoption(parser: pytest.Parser) -> None:
    """The inventory comes with testinfra's own option --ansible-inventory."""
    parser.addoption(
        "--target",
        choices=["production", "preproduction"],
        default="production",
        help="environment to look at",
    )
    parser.addoption("--release", default=None, help="release to look at; default: the newest restored one")


@pytest.fixture(scope="session")
def inventory(pytestconfig: pytest.Config) -> Inventory:
    path = pytestconfig.getoption("--ansible-inventory")
    if not path:
        raise pytest.UsageError("name the inventory: --ansible-inventory=PATH")
    return Inventory(Path(path))


@pytest.fixture(scope="session")
def target(pytestconfig: pytest.Config) -> str:
    return str(pytestconfig.getoption("--target"))


@pytest.fixture(scope="session")
def host_of(inventory: Inventory, target: str) -> HostOf:
    """The first host of a group in the target environment."""

    def find(group: str) -> Host:
        names = inventory.names(f"{group}:&{target}")
        if not names:
            raise LookupError(f"the inventory has no host in {group}:&{target}")
        return inventory.connect(names[0])

    return find


@pytest.fixture(scope="session")
def portal(host_of: HostOf) -> Host:
    return host_of("portal")


@pytest.fixture(scope="session")
def database(host_of: HostOf, setting: Setting) -> Host:
    """Where the database is asked: on its own host, on the portal's where somebody else runs the server."""
    return host_of("portal" if setting("portal_database_server", "") else "database")


@pytest.fixture(scope="session")
def push(host_of: HostOf) -> Host:
    return host_of("push")


@pytest.fixture(scope="session")
def portal_name(inventory: Inventory, target: str) -> str:
    return inventory.names(f"portal:&{target}")[0]


@pytest.fixture(scope="session")
def setting(inventory: Inventory, portal_name: str) -> Setting:
    """Value of an inventory variable, as the portal's host has it."""

    def value(name: str, default: object = ...) -> object:
        return inventory.setting(portal_name, name, default)

    return value


@pytest.fixture(scope="session")
def marker(portal: Host) -> dict[str, Any]:
    """Whose host the portal's is, and how far the move has come there."""
    content: dict[str, Any] = json.loads(portal.file("/etc/boxlift/environment.json").content_string)
    return content


@pytest.fixture(scope="session")
def is_open(marker: dict[str, Any]) -> bool:
    """Whether people work in the portal: it does things by itself, and its rows are theirs."""
    return (marker["environment"], marker["lifecycle"]) == ("production", "open")


@pytest.fixture(scope="session")
def server_database(database: Host) -> Database:
    """For questions about the server; every account may enter this one."""
    return Database(database, "information_schema")


@pytest.fixture(scope="session")
def active_release(portal: Host, database: Host) -> Release:
    root: str = portal.check_output("readlink -f /srv/portal/current")
    return Release.on(database, Path(root).name)


@pytest.fixture(scope="session")
def restored_release(pytestconfig: pytest.Config, portal: Host, database: Host) -> Release:
    """The release named by --release, or the one whose restore wrote its state last."""
    name = pytestconfig.getoption("--release")
    if name is None:
        newest = portal.check_output("ls -1td /srv/portal/restores/*/ | head -n 1")
        name = Path(newest).name
    return Release.on(database, str(name))


@pytest.fixture(scope="session")
def product(portal: Host, active_release: Release) -> Product:
    """The PHP API of the release that is served."""
    return Product(portal, active_release.root)


@pytest.fixture(scope="session")
def administrator(active_release: Release, setting: Setting) -> int:
    """ID of the administrator that the project keeps in its vault."""
    login = str(setting("portal_administrator_login"))
    return int(active_release.database.value(f"SELECT ID FROM b_user WHERE {local(login)}"))


def local(login: str) -> str:
    """Condition for the account that a login and a password of the portal's own open (portal_runtime G)."""
    return f"LOGIN = '{login}' AND COALESCE(EXTERNAL_AUTH_ID, '') = ''"


@pytest.fixture
async def signed_in(browser: Browser, active_release: Release, setting: Setting) -> Browser:
    """The web client with a session of the administrator that the project keeps in its vault.

    The portal notes who came when; a page that it shows whoever did not is 200 as well.
    """
    login = str(setting("portal_administrator_login"))
    zone = setting("portal_settings_database_timezone", "")
    session = f"SET time_zone = '{zone}'; " if zone else ""
    database = active_release.database
    before = await asyncio.to_thread(database.value, f"{session}SELECT NOW()")
    page = await browser.post(
        "/auth/",
        {
            "AUTH_FORM": "Y",
            "TYPE": "AUTH",
            "USER_LOGIN": login,
            "USER_PASSWORD": str(setting("vault_portal_admin_password")),
        },
    )
    assert page.status == HTTPStatus.OK, page.status
    came = f"SELECT COUNT(*) FROM b_user WHERE {local(login)} AND LAST_LOGIN >= '{before}'"
    assert await asyncio.to_thread(database.value, came) == "1", "the portal did not let the administrator in"
    return browser


@pytest.fixture(scope="session")
def ca_file(setting: Setting) -> Path | None:
    """The authority to trust; None for those of the system."""
    value = setting("acceptance_ca_file", None)
    return Path(str(value)) if value else None


@pytest.fixture
async def browser(
    inventory: Inventory, portal_name: str, setting: Setting, ca_file: Path | None
) -> AsyncIterator[Browser]:
    """A web client of the target portal, without a session."""
    user = setting("web_basic_auth_user", None)
    async with Browser(
        domain=str(setting("portal_domain")),
        address=inventory.address(portal_name),
        ca_file=ca_file,
        credentials=(str(user), str(setting("vault_web_basic_auth_password"))) if user else None,
    ) as client:
        yield client


@pytest.fixture(scope="session")
def baseline(portal: Host, restored_release: Release) -> dict[str, object]:
    """What the restore wrote about the dump before any code of the portal ran."""
    content = json.loads(portal.file(f"{restored_release.state}/baseline.json").content_string)
    if not isinstance(content, dict):
        raise TypeError("baseline.json holds no object")
    return content


@pytest.fixture(scope="session")
def manifest(setting: Setting) -> dict[str, Any]:
    """What the writer of the backup put in, where it says so (backups of real portals come without)."""
    path = setting("acceptance_manifest", None)
    if not path:
        pytest.skip("the inventory names no acceptance_manifest")
    content: dict[str, Any] = json.loads(Path(str(path)).read_text())
    return content
