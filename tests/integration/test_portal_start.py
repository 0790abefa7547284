"""A copy is asked itself before it is served: its own PHP, its own settings, its own database."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.integration.portal_site import Site, restored_site
from tests.playbook import ansible_playbook

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="the play acts as root, and the portal's user is root here"),
]
FORMER, COPY = "clone-20260301000000", "clone-20260308000000"
START = "bitrix/modules/main/start.php"
Switch = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def site(tmp_path: Path, mariadb_socket: Path) -> Site:
    """The copy, beside the former one, which is served."""
    site = restored_site(tmp_path / "site", mariadb_socket, f"portal_{COPY.replace('-', '_')}")
    site.place(tmp_path / "portal", COPY)
    (tmp_path / "portal" / "releases" / FORMER).mkdir()
    served(tmp_path).symlink_to(f"releases/{FORMER}")
    return site


@pytest.fixture
def switch(tmp_path: Path, site: Site) -> Switch:
    """The last steps of a copy on this host: it is asked, then the link changes."""
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.include_role": {"name": "portal_clone", "tasks_from": "verified"}},
            {
                "ansible.builtin.file": {
                    "src": f"releases/{COPY}",
                    "dest": str(served(tmp_path)),
                    "state": "link",
                }
            },
        ],
        "vars": {
            "ansible_python_interpreter": sys.executable,
            "portal_clone_release": COPY,
            "portal_clone_base_path": str(tmp_path / "portal"),
            "portal_clone_user": "root",
        },
    }
    path = tmp_path / "play.yml"
    path.write_text(yaml.safe_dump([play]), encoding="utf-8")

    def switched(*words: str) -> subprocess.CompletedProcess[str]:
        return ansible_playbook(tmp_path, "--inventory=localhost,", str(path), *words)

    return switched


def served(home: Path) -> Path:
    return home / "portal" / "current"


def sums(site: Site) -> tuple[dict[str, str], list[tuple[object, ...]]]:
    """Digests of the copy's files but its caches, and checksums of its tables."""
    names = ", ".join(f"`{name}`" for (name,) in site.sql("SHOW TABLES"))
    caches = {"cache", "managed_cache", "stack_cache"}
    root = site.root.resolve()
    files = {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not caches & set(path.relative_to(root).parts)
    }
    return files, site.sql(f"CHECKSUM TABLE {names}")


def breaks_its_kernel(site: Site) -> None:
    (site.root / START).write_text("<?php\nrequire_what_nobody_wrote();\n")


def has_a_file_that_was_cut(site: Site) -> None:
    text = (site.root / START).read_text()
    (site.root / START).write_text(text + "\nfunction cut() {")


def ends_in_its_own_code(site: Site) -> None:
    folder = site.root / "local" / "php_interface"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "init.php").write_text("<?php\nexit(0);\n")


def lacks_its_kernel(site: Site) -> None:
    (site.root / "bitrix/modules/main/include/prolog_before.php").unlink()


def has_no_right_to_its_database(site: Site) -> None:
    settings = site.root / "bitrix" / ".settings.php"
    settings.write_text(settings.read_text().replace("portal-of-the-tests", "another"))


def has_settings_of_another_portal(site: Site) -> None:
    site.sql("CREATE DATABASE IF NOT EXISTS portal_final_9")
    site.sql(f"CREATE TABLE IF NOT EXISTS portal_final_9.b_user AS SELECT * FROM {site.database}.b_user")
    site.sql(f"CREATE TABLE IF NOT EXISTS portal_final_9.b_lang AS SELECT * FROM {site.database}.b_lang")
    site.sql("GRANT ALL ON portal_final_9.* TO portal@localhost")
    settings = site.root / "bitrix" / ".settings.php"
    settings.write_text(settings.read_text().replace(site.database, "portal_final_9"))


def has_nobody(site: Site) -> None:
    site.sql("DELETE FROM b_user")


BREAKS: dict[Callable[[Site], None], str] = {
    breaks_its_kernel: "undefined function require_what_nobody_wrote()",
    has_a_file_that_was_cut: "Unclosed '{' in",
    ends_in_its_own_code: "the portal ended the script",
    lacks_its_kernel: "holds no portal",
    has_no_right_to_its_database: "Access denied",
    has_settings_of_another_portal: "its settings lead to the database portal_final_9",
    has_nobody: "has no persons",
}


def test_a_whole_copy_is_served_and_nothing_of_it_is_changed(
    tmp_path: Path, site: Site, switch: Switch
) -> None:
    before = sums(site)
    first = switch()
    assert first.returncode == 0, first.stdout
    assert served(tmp_path).resolve().name == COPY
    again = switch()
    assert "changed=0" in again.stdout, again.stdout
    assert sums(site) == before


@pytest.mark.parametrize("spoil", BREAKS, ids=lambda spoil: spoil.__name__)
def test_a_copy_that_does_not_start_is_not_served(
    tmp_path: Path, site: Site, switch: Switch, spoil: Callable[[Site], None]
) -> None:
    spoil(site)
    refused = switch()
    assert refused.returncode != 0, refused.stdout
    assert served(tmp_path).resolve().name == FORMER
    told = " ".join(refused.stdout.split())
    assert f"refused: release {COPY} is not activated, because it does not start: " in told
    assert BREAKS[spoil] in told
    assert "go on with boxlift clone" in told
    assert "Stack trace" not in told


def test_a_look_ahead_starts_nothing(tmp_path: Path, site: Site, switch: Switch) -> None:
    breaks_its_kernel(site)
    ahead = switch("--check")
    assert ahead.returncode == 0, ahead.stdout
    assert served(tmp_path).resolve().name == FORMER
