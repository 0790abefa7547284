"""Modules of the open portal are updated by the whole playbook: a proved backup first, then the program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
from testinfra.host import Host

from boxlift.verify.release import Release
from tests.lab.support import NewBrowser, Play

pytestmark = pytest.mark.long
FOLDER = "/var/backups/boxlift"
PROGRAM = "bitrix/bitrix.php"
VERSION = "bitrix/modules/main/classes/general/version.php"
# What the vendor's updater does that can be seen afterwards: newer modules.
NEWER = """<?php
$path = __DIR__ . '/modules/main/classes/general/version.php';
file_put_contents($path, preg_replace('/"[0-9.]+"/', '"99.1.0"', file_get_contents($path), 1));
"""
FAILING = "<?php fwrite(STDERR, 'the licence is over'); exit(3);"

Updater = Callable[[str], None]


@pytest.fixture
def updater(production: Host, release: Release) -> Iterator[Updater]:
    """Puts another program in the place of the vendor's; it and the kernel are as they were afterwards."""
    files = [f"{release.root}/{name}" for name in (PROGRAM, VERSION)]
    for file in files:
        production.check_output("cp --archive %s %s", file, f"{file}.kept")

    def put(text: str) -> None:
        production.check_output("printf %%s %s > %s", text, files[0])

    yield put
    for file in files:
        production.check_output("mv %s %s", f"{file}.kept", file)


def newest(staging: Host) -> dict[str, Any]:
    """The proof of the last backup; without a name where there is none yet."""
    found: dict[str, Any] = json.loads(staging.run(f"cat {FOLDER}/last.json").stdout or '{"name": ""}')
    return found


async def assert_served(new_browser: NewBrowser) -> None:
    async with new_browser() as browser:
        assert (await browser.get("/auth/")).status == HTTPStatus.OK


async def test_with_nothing_newer_there_is_one_more_backup(
    play: Play, production: Host, staging: Host, release: Release, new_browser: NewBrowser
) -> None:
    before, kernel = (
        newest(staging)["name"],
        production.check_output("md5sum %s", f"{release.root}/{VERSION}"),
    )
    recap = play("update_modules.yml")
    assert recap.returncode == 0, recap.complaints
    assert newest(staging)["name"] > before
    assert production.check_output("md5sum %s", f"{release.root}/{VERSION}") == kernel
    await assert_served(new_browser)


async def test_what_is_newer_is_told_and_the_backup_has_the_kernel_before(
    play: Play,
    production: Host,
    staging: Host,
    release: Release,
    updater: Updater,
    new_browser: NewBrowser,
) -> None:
    kernel = production.check_output("md5sum < %s", f"{release.root}/{VERSION}")
    updater(NEWER)
    recap = play("update_modules.yml")
    assert recap.returncode == 0, recap.complaints
    assert '"main": "99.1.0"' in recap.output
    assert "99.1.0" in production.check_output("cat %s", f"{release.root}/{VERSION}")
    kept = f"{FOLDER}/{newest(staging)['name']}/files/{VERSION}"
    assert staging.check_output("md5sum < %s", kept) == kernel
    await assert_served(new_browser)


async def test_an_updater_that_fails_is_told_after_the_backup(
    play: Play, staging: Host, updater: Updater, new_browser: NewBrowser
) -> None:
    before = newest(staging)["name"]
    updater(FAILING)
    recap = play("update_modules.yml")
    assert recap.returncode != 0
    assert "the licence is over" in recap.output
    assert newest(staging)["name"] > before
    await assert_served(new_browser)
