"""What we use of the product is listed with its source, and the stand-ins offer nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.unit.surface import REPOSITORY, SURFACE, Names, Surface, listed_columns, offered, used

SOURCES = ("portal_runtime ", "backup_format ", "samples", "public code", "unverified")
MARKS = {"H", "M", "L"}
SUITES = REPOSITORY / "tests" / "acceptance"


@pytest.fixture(scope="module")
def surface() -> Surface:
    return Surface(yaml.safe_load(SURFACE.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def ours() -> Names:
    return used()


@pytest.fixture(scope="module")
def theirs() -> Names:
    return offered()


def test_what_we_use_is_listed(surface: Surface, ours: Names) -> None:
    assert surface.lacks(ours) == []


def test_stand_ins_offer_nothing_else(surface: Surface, theirs: Names) -> None:
    assert surface.lacks(theirs) == []


def entries(content: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Every entry that has a mark, with its name."""
    for section, items in content.items():
        if section == "own":
            continue
        for name, entry in items.items():
            yield f"{section} {name}", entry
            for group in entry.get("columns", []):
                yield f"{section} {name} {group['names']}", group


def test_every_entry_names_source_and_mark(surface: Surface) -> None:
    wrong = [
        name
        for name, entry in entries(surface.content)
        if entry["mark"] not in MARKS or not entry["from"].startswith(SOURCES)
    ]
    assert wrong == []


def test_nothing_unverified_is_marked_as_seen(surface: Surface) -> None:
    unseen = {
        name: entry["mark"] for name, entry in entries(surface.content) if entry["from"] == "unverified"
    }
    assert set(unseen.values()) == {"L"}


def test_no_column_stands_twice(surface: Surface) -> None:
    twice = [
        table
        for table, entry in surface.content["tables"].items()
        if len(listed_columns(entry)) != len(set(listed_columns(entry)))
    ]
    assert twice == []


# The extraction must really see things: each kind by something that is known to be there.


def test_extraction_sees_the_stand_ins(theirs: Names) -> None:
    assert {"b_user", "b_search_content_text"} <= set(theirs.tables)
    assert {"b_user.EXTERNAL_AUTH_ID", "b_file.HANDLER_ID", "b_im_relation.CHAT_ID"} <= set(theirs.columns)
    assert {"main/server_name", "pull/nginx_error", "tasks/task_forum_id"} <= set(theirs.options)
    assert {"CUser::SendPassword", r"Bitrix\Main\Config\Option::set"} <= set(theirs.calls)
    assert {"BXClearCache", "bxmail"} <= set(theirs.functions)
    assert {"BX_CRONTAB_SUPPORT", "SHORT_INSTALL"} <= set(theirs.constants)
    assert {"bitrix/modules/main/tools/cron_events.php", "bitrix/.settings_extra.php"} <= set(theirs.paths)
    assert {"cache", "pull"} <= set(theirs.sections)
    assert {"USER_PASS_REQUEST", "ONCRMLEADADD"} <= set(theirs.events)
    assert {"__wiz_nextStep", "CurrentStepID"} <= set(theirs.wizard)


def test_extraction_sees_our_code(ours: Names) -> None:
    assert {"b_user", "b_crm_lead"} <= set(ours.tables)
    assert {"*.EXTERNAL_AUTH_ID", "*.LOGIN"} <= set(ours.columns)
    assert "main/captcha_restoring_password" in ours.options
    assert {"CSearch::ReIndexAll", "CUser::SendPassword"} <= set(ours.calls)
    assert {"Update", "getManagedCache"} <= set(ours.methods)
    assert "bitrix/php_interface/dbconn.php" in ours.paths
    assert {"publishMode", "processUniqueId"} <= set(ours.push)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1 FROM b_unheard_of", "table b_unheard_of"),
        (r"\Bitrix\Main\Config\Option::set('main', 'unheard_of', 'Y');", "option main/unheard_of"),
        ("- {module: main, name: unheard_of, value: x}", "option main/unheard_of"),
        ("\\CUser::Unheard($id);", "call CUser::Unheard"),
        (r"\Bitrix\Main\Unheard::of();", r"call Bitrix\Main\Unheard::of"),
        ("$user->unheardOf();", "method unheardOf"),
        ("\\UnheardOf();", "function UnheardOf"),
        ("define('UNHEARD_OF', true);", "constant UNHEARD_OF"),
        ("path: {{ root }}/bitrix/php_interface/unheard.php", "path bitrix/php_interface/unheard.php"),
        ("SELECT `UNHEARD_OF` FROM x", "column *.UNHEARD_OF"),
        ("Configuration::getValue('unheard')", "settings section unheard"),
        ("fields['__wiz_unheard'] = 1", "wizard field __wiz_unheard"),
        ('await browser.get("/unheard/of/", follow=False)', "path unheard/of"),
    ],
)
def test_unlisted_names_are_found(surface: Surface, text: str, expected: str) -> None:
    names = Names()
    names.read(text, "here")
    names.read_script(text, "here")
    assert f"{expected} (here)" in surface.lacks(names)


def test_unlisted_columns_of_rules_are_found(surface: Surface) -> None:
    names = Names()
    rule = {"table": "b_user", "where": "UNHEARD = 'OF'", "set": {"NEVER": 1, "LOGIN": "x"}}
    names.read_rules([{"rules": [rule]}, {"option": {"module": "main", "name": "unheard_of"}}], "here")
    assert sorted(surface.lacks(names)) == [
        "column b_user.NEVER (here)",
        "column b_user.UNHEARD (here)",
        "option main/unheard_of (here)",
    ]


def test_unlisted_columns_of_a_stand_in_are_found(surface: Surface) -> None:
    names = Names()
    names.read_schema("CREATE TABLE IF NOT EXISTS `b_user` (\n  `ID` int,\n  `UNHEARD` int\n)", "here")
    names.read_php("Db::insert('b_file', ['ID' => 1, 'UNHEARD' => [2], 'OF' => 3]);", "here")
    names.read_php(
        "namespace Bitrix\\Main;\nfinal class Loader\n{\n    public function unheard(): void\n", "here"
    )
    assert sorted(surface.lacks(names)) == [
        r"call Bitrix\Main\Loader::unheard (here)",
        "column b_file.OF (here)",
        "column b_file.UNHEARD (here)",
        "column b_user.UNHEARD (here)",
    ]


def test_suites_ask_no_page_of_the_portal_for_json() -> None:
    """The stand-in's pages have a JSON variant; the product's have none that a fact names."""
    asked = re.compile(r"\.(?:get|post)\(\s*f?[\"'](/[^\"'?{]*)[^)]*\bjson=True")
    pages = {
        f"{path.relative_to(SUITES)}: {page}"
        for path in SUITES.rglob("*.py")
        for page in asked.findall(path.read_text(encoding="utf-8"))
        # what role mail_reader answers is ours
        if not page.startswith("/-/")
    }
    assert pages == set()
