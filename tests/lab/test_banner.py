"""The banner of a copy goes into whole pages, and spoils nothing that is none."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from boxlift.verify.browser import Browser
from boxlift.verify.release import Release

FOLDER = "boxlift-banner"
BANNER = "<div id=boxlift-copy"
TYPE = "header('Content-Type: text/html; charset=UTF-8');"
FILES = {
    "fragment.php": f"<?php {TYPE} echo '<p>part of a page</p>';",
    "cut.php": f"<?php {TYPE} echo '<html><head></head><body><p>its end never came';",
    "compressed.php": f"<?php ini_set('zlib.output_compression', 'On'); {TYPE}"
    " echo '<html><head></head><body>' . str_repeat('x', 20000) . '</body></html>';",
    "capitals.php": f"<?php {TYPE} echo '<HTML><HEAD></HEAD><BODY>x</BODY></HTML>';",
    "script.php": f"<?php {TYPE} echo json_encode(['page' => '<html><head></head><body>\"x\"</body></html>'],"
    " JSON_UNESCAPED_SLASHES);",
    "data.php": "<?php header('Content-Type: application/json'); echo '{\"page\": \"</body>\"}';",
    "still.html": "<html><head></head><body>still</body></html>",
    "empty.php": f"<?php {TYPE}",
}


@pytest.fixture(scope="module")
def pages(staging: Host, copy: Release) -> Iterator[str]:
    root = f"{copy.root}/{FOLDER}"
    staging.check_output("mkdir -p %s", root)
    for name, content in FILES.items():
        staging.check_output("printf %%s %s > %s", content, f"{root}/{name}")
    staging.check_output("chown -R portal:portal %s && chmod -R a+rX %s", root, root)
    yield f"/{FOLDER}/"
    staging.check_output("rm -rf %s", root)


@pytest.mark.parametrize("name", ["compressed.php", "capitals.php", "still.html"])
async def test_a_whole_page_has_one(tester: Browser, pages: str, name: str) -> None:
    page = await tester.get(pages + name)
    assert page.text.count(BANNER) == 1
    assert page.text.lower().endswith("</body></html>")


@pytest.mark.parametrize("name", ["fragment.php", "data.php", "empty.php"])
async def test_what_has_no_end_of_a_body_stays_as_it_is(tester: Browser, pages: str, name: str) -> None:
    page = await tester.get(pages + name)
    text = {"fragment.php": "<p>part of a page</p>", "data.php": '{"page": "</body>"}', "empty.php": ""}
    assert page.text == text[name]


async def test_a_page_whose_end_never_came_stays_readable(tester: Browser, pages: str) -> None:
    page = await tester.get(f"{pages}cut.php")
    assert page.text.endswith("<body><p>its end never came")


async def test_json_that_says_it_is_html_stays_json(tester: Browser, pages: str) -> None:
    page = await tester.get(f"{pages}script.php")
    content = page.json()
    assert isinstance(content, dict)
    assert json.dumps(content["page"]).count(BANNER) == 1


async def test_php_never_sees_the_password_of_the_copy(
    tester: Browser, pages: str, staging: Host, copy: Release
) -> None:
    probe = f"{copy.root}/{FOLDER}/probe.php"
    staging.check_output(
        "printf %%s %s > %s",
        "<?php header('Content-Type: application/json'); echo json_encode(array_intersect_key($_SERVER,"
        " array_flip(['PHP_AUTH_USER', 'PHP_AUTH_PW', 'HTTP_AUTHORIZATION', 'REMOTE_USER'])));",
        probe,
    )
    staging.check_output("chown portal:portal %s", probe)
    page = await tester.get(f"{pages}probe.php")
    seen = page.json()
    assert not seen or (isinstance(seen, dict) and not any(seen.values()))
