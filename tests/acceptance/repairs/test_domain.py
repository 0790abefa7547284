"""The portal knows its own domain everywhere, so that links lead to it (portal_runtime D)."""

import re
from fnmatch import fnmatchcase
from typing import cast
from urllib.parse import urlsplit

import pytest

from boxlift.verify.inventory import Setting
from boxlift.verify.product import Product
from boxlift.verify.release import Release

# Options whose value is the portal's own address (portal_runtime D2).
OWN_ADDRESS = [
    ("main", "server_name"),
    ("main", "last_site_url"),
    ("voximplant", "portal_url"),
    ("imbot", "portal_url"),
    ("imopenlines", "portal_url"),
    ("transformer", "portal_url"),
    ("call", "public_url"),
    ("sign", "public_url"),
    ("intranet", "portal_url"),
    ("landing", "portal_url"),
]
VENDOR = "bitrix24."
"""What every cloud portal's name begins or goes on with, whatever the country."""
# Clouds of the vendor call back to these.
CALLBACKS = {"voximplant/portal_url", "transformer/portal_url"}

ADDRESS = r"""
$result = \Bitrix\Main\Engine\UrlManager::getInstance()->getHostUrl();
"""


def host_of_value(value: str) -> str:
    return urlsplit(value if "//" in value else f"//{value}").hostname or ""


def option(release: Release, module: str, name: str) -> str:
    """Value of an option; empty where there is no row, which is what the portal makes of it."""
    rows = release.database.rows(
        f"SELECT VALUE FROM b_option WHERE MODULE_ID = '{module}' AND NAME = '{name}'"
    )
    return rows[0][0] if rows else ""


@pytest.mark.parametrize(("module", "name"), OWN_ADDRESS)
def test_option_names_the_portal(active_release: Release, setting: Setting, module: str, name: str) -> None:
    if f"{module}/{name}" in CALLBACKS and not setting("portal_domain_callbacks", True):
        pytest.skip("clouds of the vendor do not call this portal back (portal_domain_callbacks)")
    assert host_of_value(option(active_release, module, name)) == setting("portal_domain")


def test_links_in_letters_are_safe(active_release: Release) -> None:
    # portal_runtime D1: http where nothing is said.
    assert option(active_release, "main", "mail_link_protocol") == "https"


def test_letters_come_from_no_former_address(active_release: Release, former: list[str]) -> None:
    """Sender of the portal and of each site (portal_runtime D2)."""
    senders = {option(active_release, "main", "email_from")} | {
        row[0] for row in active_release.database.rows("SELECT COALESCE(EMAIL, '') FROM b_lang")
    }
    domains = {sender.rpartition("@")[2].lower() for sender in senders if sender}
    assert domains
    assert [name for name in domains if name in former or f".{VENDOR}" in f".{name}"] == []


@pytest.fixture
def former(active_release: Release, setting: Setting) -> list[str]:
    """Names that the portal had before: the cloud's own note, and what role portal_domain held.

    A name above the present one is the company's, with a web site and mailboxes of its own: none of them.
    """
    database = active_release.database
    rows = database.rows(
        "SELECT VALUE FROM b_option WHERE MODULE_ID = 'bitrix24' AND NAME = 'host_name'"
    ) + database.rows(
        "SELECT JSON_UNQUOTE(COALESCE(JSON_EXTRACT(old_value, '$.SERVER_NAME'),"
        " JSON_EXTRACT(old_value, '$.DOMAIN'))) FROM boxlift.held_value"
        f" WHERE release_name = '{active_release.name}' AND rule IN ('domain-sites', 'domain-aliases')"
    )
    found = {row[0] for row in rows if row[0] != "NULL"}
    domain = f".{str(setting('portal_domain')).lower()}"
    names = {name.strip().lower() for name in found}
    return sorted(name for name in names if "." in name and not domain.endswith(f".{name}"))


def test_every_site_names_the_portal(active_release: Release, setting: Setting) -> None:
    rows = active_release.database.rows("SELECT SERVER_NAME, COALESCE(DOC_ROOT, '') FROM b_lang")
    assert rows
    assert {(row[0], row[1] if len(row) > 1 else "") for row in rows} == {(setting("portal_domain"), "")}


def test_no_site_answers_to_the_cloud(active_release: Release, setting: Setting) -> None:
    rows = active_release.database.rows("SELECT DOMAIN FROM b_lang_domain")
    assert {row[0] for row in rows} <= {setting("portal_domain")}


def test_portal_is_no_cloud_portal(active_release: Release) -> None:
    # portal_runtime D4: this row alone flips some 365 places of the product to cloud behaviour.
    assert active_release.database.value("SELECT COUNT(*) FROM b_module WHERE ID = 'bitrix24'") == "0"


def test_links_made_without_a_visitor_carry_the_domain(product: Product, setting: Setting) -> None:
    """Letters and notifications of cron: no request tells the portal its name there (portal_runtime D1)."""
    assert urlsplit(str(product.ask(ADDRESS))).hostname == setting("portal_domain")


# Options of registrations and of the vendor's services are made anew, not rewritten (portal_runtime D2).
MADE_ANEW = (
    "bitrix24/*",
    "bitrixcloud/*",
    "call/turn_server*",
    "call/call_*",
    "disk/*",
    "main.stepper.*/*",
    "pull/*",
    "rest/*",
    "socialservices/*",
)


def test_no_other_option_holds_a_former_name(
    active_release: Release, setting: Setting, former: list[str]
) -> None:
    if not former:
        pytest.skip("nobody knows a name that the portal had before")
    kept = [*MADE_ANEW, *map(str, cast("list[str]", setting("portal_domain_keep_custom", [])))]
    if not setting("portal_domain_callbacks", True):
        kept += CALLBACKS
    left = []
    for name in former:
        rows = active_release.database.rows(
            "SELECT CONCAT(MODULE_ID, '/', NAME), REPLACE(REPLACE(VALUE, '\\n', ' '), '\\t', ' ')"
            f" FROM b_option WHERE VALUE LIKE '%{name}%'"
        )
        whole = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)", re.IGNORECASE)
        left += [
            place
            for place, value in rows
            if whole.search(value) and not any(fnmatchcase(place, pattern) for pattern in kept)
        ]
    assert left == []
