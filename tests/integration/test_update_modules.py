"""The play that updates modules, against the stand-in's own command line and a MariaDB of the tests'."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.integration.portal_site import REPOSITORY, Site, restored_site
from tests.playbook import ansible_playbook

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="the play acts as root, and the portal's user is root here"),
]
RELEASE = "final-1"
# What the vendor's updater does that can be seen afterwards: newer modules.
UPDATE = """<?php
$path = __DIR__ . '/modules/main/classes/general/version.php';
file_put_contents($path, preg_replace('/"[0-9.]+"/', '"99.1.0"', file_get_contents($path), 1));
"""
Update = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def site(tmp_path: Path, mariadb_socket: Path) -> Site:
    return restored_site(tmp_path / "site", mariadb_socket, "portal_final_1")


@pytest.fixture
def update(tmp_path: Path, site: Site, client_options: Path) -> Update:
    """Run the last play of the playbook on this host; a backup of this run stands in its facts."""
    base = tmp_path / "portal"
    site.place(base, RELEASE)
    (base / "current").symlink_to(f"releases/{RELEASE}")
    text = (REPOSITORY / "playbooks" / "update_modules.yml").read_text(encoding="utf-8")
    (play,) = yaml.safe_load(text.replace("/srv/portal", str(base)))[-1:]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    host = {
        "ansible_connection": "local",
        "ansible_async_dir": str(tmp_path / "async"),
        "ansible_python_interpreter": sys.executable,
        "__production_backup_proof": "proved",
        **{f"portal_{role}_base_path": str(base) for role in ("kernel", "cache")},
        **{f"portal_{role}_user": "root" for role in ("kernel", "cache")},
        **{f"portal_{role}_release": RELEASE for role in ("kernel", "cache")},
        "portal_cache_unfinished_folder": str(tmp_path / "unfinished"),
        "portal_kernel_database_options_file": str(client_options),
    }
    groups = {name: {"hosts": {"portal-1": None}} for name in ("portal", "production")}
    (tmp_path / "hosts.yml").write_text(
        yaml.safe_dump({"all": {"hosts": {"portal-1": host}, "children": groups}})
    )

    def updated(*words: str, release: str = RELEASE) -> subprocess.CompletedProcess[str]:
        given = f"--extra-vars=portal_release={release}"
        return ansible_playbook(tmp_path, "--inventory=hosts.yml", given, "play.yml", *words)

    return updated


def test_nothing_newer_changes_nothing(update: Update) -> None:
    done = update()
    assert done.returncode == 0, done.stdout
    assert "changed=0" in done.stdout


def test_what_is_newer_is_named_and_the_caches_go(update: Update, site: Site) -> None:
    (site.root / "bitrix" / "bitrix.php").write_text(UPDATE)
    cache = site.root / "bitrix" / "managed_cache" / "MYSQL" / "old.php"
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.touch()
    done = update()
    assert done.returncode == 0, done.stdout
    assert '"main": "99.1.0"' in done.stdout
    assert not cache.exists()


def test_caches_go_that_an_interrupted_update_left(update: Update, site: Site, tmp_path: Path) -> None:
    """The killed run has changed the modules: this one finds nothing newer that would tell of it."""
    (tmp_path / "unfinished" / RELEASE).mkdir(parents=True)
    cache = site.root / "bitrix" / "managed_cache" / "MYSQL" / "old.php"
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.touch()
    assert update().returncode == 0
    assert not cache.exists()
    assert list((tmp_path / "unfinished").iterdir()) == []
    assert "changed=0" in update().stdout


def test_check_mode_updates_nothing(update: Update, site: Site) -> None:
    (site.root / "bitrix" / "bitrix.php").write_text(UPDATE)
    done = update("--check")
    assert done.returncode == 0, done.stdout
    assert "changed=0" in done.stdout
    assert "99.1.0" not in (site.root / "bitrix/modules/main/classes/general/version.php").read_text()


def test_another_release_than_the_active_one_is_not_updated(update: Update, site: Site) -> None:
    (site.root / "bitrix" / "bitrix.php").write_text(UPDATE)
    done = update(release="final-2")
    assert done.returncode != 0
    assert "refused: modules of final-2 are to be updated, but final-1 is active" in done.stdout
    assert "99.1.0" not in (site.root / "bitrix/modules/main/classes/general/version.php").read_text()


def test_an_updater_that_fails_is_told(update: Update, site: Site) -> None:
    (site.root / "bitrix" / "bitrix.php").write_text("<?php fwrite(STDERR, 'no licence'); exit(3);")
    done = update()
    assert done.returncode != 0
    assert "no licence" in done.stdout


def test_the_whole_playbook_reads_well(tmp_path: Path) -> None:
    done = ansible_playbook(tmp_path, "--syntax-check", str(REPOSITORY / "playbooks" / "update_modules.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
