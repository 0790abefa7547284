"""What the web server does for the portal's PHP: it sends downloads in its place, and tells it of TLS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from testinfra.host import Host

from boxlift.verify.release import Release
from tests.lab.support import NewBrowser

FOLDER = "boxlift-web"
CONTENT = "sent by nginx " * 4000
ASKED = "<?php echo json_encode(['https' => $_SERVER['HTTPS'] ?? '', 'port' => $_SERVER['SERVER_PORT']]);"
# As the product lets the web server send a file of the portal under a name of its own (portal_runtime A5).
HANDED_OVER = (
    "<?php header('Content-Type: application/octet-stream');"
    " header('Content-Disposition: attachment; filename=\"offer.bin\"');"
    f" header('X-Accel-Redirect: /upload/{FOLDER}/' . basename($_GET['file']));"
)


@pytest.fixture(scope="module")
def pages(production: Host, release: Release) -> Iterator[str]:
    folders = [f"{release.root}/{FOLDER}", f"{release.root}/upload/{FOLDER}"]
    files = {
        f"{folders[0]}/asked.php": ASKED,
        f"{folders[0]}/download.php": HANDED_OVER,
        f"{folders[1]}/offer": CONTENT,
        f"{folders[1]}/script.php": "<?php echo 'it ran';",
    }
    for folder in folders:
        production.check_output("install -d -o portal -g portal %s", folder)
    for path, content in files.items():
        production.check_output("printf %%s %s > %s && chown portal:portal %s", content, path, path)
    yield f"/{FOLDER}/"
    for folder in folders:
        production.check_output("rm -r %s", folder)


async def test_a_download_is_sent_by_the_web_server(new_browser: NewBrowser, pages: str) -> None:
    async with new_browser() as browser:
        page = await browser.get(f"{pages}download.php?file=offer")
    assert (page.status, page.text) == (HTTPStatus.OK, CONTENT)
    assert page.headers["content-disposition"] == 'attachment; filename="offer.bin"'
    assert page.headers["content-length"] == str(len(CONTENT))
    assert "x-accel-redirect" not in page.headers


async def test_an_uploaded_script_is_sent_and_never_run(new_browser: NewBrowser, pages: str) -> None:
    async with new_browser() as browser:
        page = await browser.get(f"{pages}download.php?file=script.php")
    assert page.status == HTTPStatus.OK
    assert page.text.startswith("<?php echo")


async def test_what_is_not_there_is_not_found(new_browser: NewBrowser, pages: str) -> None:
    async with new_browser() as browser:
        page = await browser.get(f"{pages}download.php?file=none")
    assert page.status == HTTPStatus.NOT_FOUND


async def test_php_knows_that_it_is_asked_over_tls(new_browser: NewBrowser, pages: str) -> None:
    async with new_browser() as browser:
        page = await browser.get(f"{pages}asked.php")
    assert json.loads(page.text) == {"https": "on", "port": "443"}
