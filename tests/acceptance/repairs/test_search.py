"""The search index is there and finds what users look for (portal_runtime F)."""

import json
import re
import time
from typing import Any

import pytest
from testinfra.host import Host

from boxlift.verify.inventory import Setting
from boxlift.verify.product import Product
from boxlift.verify.release import Release

ALIVE = 900
"""Seconds within which an index that is being built must have moved."""

# An employee finds what he may see, and an administrator may see all.
FIND = r"""
if (!\Bitrix\Main\Loader::includeModule('search')) {
    throw new \RuntimeException('module search cannot be loaded');
}
$GLOBALS['USER']->Authorize($input['user']);
$search = new \CSearch();
$search->Search(
    ['QUERY' => $input['query'], 'SITE_ID' => SITE_ID, 'MODULE_ID' => 'crm', 'ITEM_ID' => $input['item']],
);
if ((int)$search->errorno !== 0) {
    throw new \RuntimeException(strip_tags((string)$search->error));
}
$result = [];
while ($row = $search->Fetch()) {
    $result[] = $row['ITEM_ID'];
}
"""


@pytest.fixture
def built(portal: Host, active_release: Release, setting: Setting, marker: dict[str, Any]) -> dict[str, Any]:
    """What the unit that builds indexes noted; skips where the opening that it waits for is to come."""
    path = portal.file(f"/var/lib/boxlift-search/{active_release.name}/state.json")
    if not path.exists:
        begin = str(setting("portal_search_begin", "at once"))
        if marker["environment"] == "preproduction":
            # a copy has the indexes that were copied
            return {"indexes": {"site": {"state": "done"}}, "updated": time.time()}
        if begin == "after opening" and marker["lifecycle"] != "open":
            pytest.skip("indexes are built after the opening")
    content: dict[str, Any] = json.loads(path.content_string)
    return content


def test_every_index_is_built_or_being_built(
    portal: Host, active_release: Release, built: dict[str, Any]
) -> None:
    states = {name: known["state"] for name, known in built["indexes"].items()}
    unit = portal.service(f"portal-search@{active_release.name}.service")
    if unit.is_running:
        assert time.time() - built["updated"] < ALIVE
        assert "failed" not in states.values()
    else:
        assert set(states.values()) <= {"done", "absent"}, states


def test_programs_that_read_files_are_there(portal: Host, active_release: Release) -> None:
    """The cloud's commands name its folders; without a row the portal calls Debian's (portal_runtime F5)."""
    rows = active_release.database.rows(
        "SELECT NAME, VALUE FROM b_option WHERE MODULE_ID = 'intranet'"
        " AND NAME LIKE 'search\\_file\\_extension\\_exe\\_%' AND VALUE <> ''"
    )
    called = {name: command.split()[0].strip("\"'") for name, command in rows}
    assert {name: file for name, file in called.items() if portal.run("command -v %s", file).failed} == {}


def test_index_is_not_empty(active_release: Release, built: dict[str, Any]) -> None:
    if built["indexes"].get("site", {}).get("empty"):
        pytest.skip("the portal had nothing that the site index could hold")
    assert int(active_release.database.value("SELECT COUNT(*) FROM b_search_content")) > 0


def test_search_finds_the_newest_lead(
    product: Product, administrator: int, active_release: Release, built: dict[str, Any]
) -> None:
    state = built["indexes"].get("site", {}).get("state")
    if state is None:
        pytest.skip("the project builds no site index (portal_search_leave_out)")
    if state != "done":
        pytest.skip("the site index is being built")
    if "b_crm_lead" not in active_release.database.tables():
        pytest.skip("the portal has no leads")
    leads = active_release.database.rows(
        "SELECT ID, TITLE FROM b_crm_lead WHERE CHAR_LENGTH(TITLE) > 8 ORDER BY ID DESC LIMIT 1"
    )
    if not leads:
        pytest.skip("no lead has a title to look for")
    identifier, title = leads[0]
    # Words alone: what else stands in a title is grammar to a search. The longest are no stop words.
    words = sorted(re.findall(r"\w{4,}", title), key=len, reverse=True)[:2]
    if not words:
        pytest.skip("the newest lead's title has no word to look for")
    item = f"LEAD.{identifier}"
    asked = {"user": administrator, "query": " ".join(words), "item": item}
    assert product.ask(FIND, asked) == [item]
