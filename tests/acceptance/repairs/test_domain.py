"""The portal knows its own domain everywhere, so that links lead to it (portal_runtime D)."""

import re
from urllib.parse import urlsplit

import pytest

from boxlift.verify.browser import Browser
from boxlift.verify.inventory import Setting
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


def host_of_value(value: str) -> str:
    return urlsplit(value if "//" in value else f"//{value}").hostname or ""


@pytest.mark.parametrize(("module", "name"), OWN_ADDRESS)
def test_option_names_the_portal(active_release: Release, setting: Setting, module: str, name: str) -> None:
    rows = active_release.database.rows(
        f"SELECT VALUE FROM b_option WHERE MODULE_ID = '{module}' AND NAME = '{name}'"
    )
    assert {host_of_value(row[0]) for row in rows} <= {setting("portal_domain")}
    if (module, name) == ("main", "server_name"):
        assert rows


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


async def test_links_in_notifications_carry_the_domain(
    signed_in: Browser, active_release: Release, setting: Setting
) -> None:
    stored = int(
        active_release.database.value(
            "SELECT COUNT(*) FROM b_im_message WHERE NOTIFY_TYPE > 0 AND MESSAGE LIKE '%href=%'"
        )
    )
    page = await signed_in.get("/online/?IM_NOTIFY=Y", json=True)
    content = page.json()
    assert isinstance(content, dict)
    links = [item["url"] for item in content["items"] if item["url"]]
    assert bool(links) == bool(stored)
    assert {urlsplit(link).netloc for link in links} <= {setting("portal_domain")}
    assert {urlsplit(link).scheme for link in links} <= {"https"}


# Options of registrations and of the vendor's services are made anew, not rewritten (portal_runtime D2).
MADE_ANEW = (
    "bitrix24",
    "bitrixcloud",
    "call",
    "disk",
    "pull",
    "rest",
    "socialservices",
    "voximplant",
    "transformer",
)


def test_no_other_option_holds_the_former_name(active_release: Release) -> None:
    former = active_release.database.rows(
        "SELECT VALUE FROM b_option WHERE MODULE_ID = 'bitrix24' AND NAME = 'host_name'"
    )
    for (name,) in former:
        rows = active_release.database.rows(
            "SELECT MODULE_ID, NAME, REPLACE(REPLACE(VALUE, '\\n', ' '), '\\t', ' ') FROM b_option"
            f" WHERE VALUE LIKE '%{name}%' AND MODULE_ID NOT IN ({', '.join(map(repr, MADE_ANEW))})"
        )
        whole = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)", re.IGNORECASE)
        assert [f"{module}/{option}" for module, option, value in rows if whole.search(value)] == []
