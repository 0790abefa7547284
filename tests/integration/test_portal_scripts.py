"""PHP of the repairs, run under the stand-in's bootstrap: registration, modules, dead bots."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.boxlift_php import run_php
from ansible.module_utils.boxlift_sql import Database

from library import portal_applications, portal_modules, portal_option, portal_registration
from tests.integration.portal_site import Site, restored_site

SCHEMA = "portal_scripts"
REGISTERED = ("service_client_id", "service_client_secret", "server_path")
SERVICE = """<?php
namespace Bitrix\\Rest;
use Bitrix\\Main\\Config\\Option;
final class OAuthService
{
    public static function register(): void
    {
        if (Option::get('rest', 'service_client_id', 'none') !== 'none') {
            throw new \\RuntimeException('the old id is still there');
        }
        Option::set('rest', 'service_client_id', 'app.new');
        Option::set('rest', 'service_client_secret', 'secret.new');
    }
}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, mariadb_socket: Path) -> Site:
    site = restored_site(tmp_path_factory.mktemp("scripts"), mariadb_socket, SCHEMA)
    site.sql("DELETE FROM b_module WHERE ID IN ('bitrix24', 'security')")
    site.sql("REPLACE INTO b_module (ID) VALUES ('rest')")
    return site


@pytest.fixture
def module(site: Site) -> SimpleNamespace:
    """What run_php needs of Ansible's module."""

    def run_command(command: Sequence[str], *, data: str, **_: object) -> tuple[int, str, str]:
        php = command.index("php")
        words = [*command[:php], *site.command(), *command[php + 1 :]]
        done = subprocess.run(words, input=data, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    params = {"root": str(site.root), "user": "root", "php": "php"}
    return SimpleNamespace(params=params, run_command=run_command)


def option(site: Site, name: str) -> str | None:
    rows = site.sql("SELECT VALUE FROM b_option WHERE MODULE_ID = 'rest' AND NAME = %s", name)
    return str(rows[0][0]) if rows else None


def test_what_the_cloud_could_do_is_switched_off_and_its_programs_go(
    site: Site, module: SimpleNamespace
) -> None:
    """Options of portal_settings and portal_search: a switch of the cloud, and commands in its folders."""
    given = [
        {"module": "rest", "name": "enable_mod_zip", "value": "N"},
        {"module": "intranet", "name": "search_file_extension_exe_doc", "value": None},
        {"module": "intranet", "name": "search_file_extension_exe_xls", "value": None},
    ]
    site.option("rest", "enable_mod_zip", "Y")
    site.option("intranet", "search_file_extension_exe_doc", '/opt/cloud/bin/catdoc "#FILE_NAME#"')

    def changed() -> list[str]:
        answer = run_php(module, portal_option.SCRIPT, {"options": given, "dry": False})
        if answer["stale"]:
            answer = run_php(module, portal_option.SCRIPT, {"options": given, "dry": False})
        return list(answer["changed"])

    assert changed() == ["rest/enable_mod_zip", "intranet/search_file_extension_exe_doc"]
    assert option(site, "enable_mod_zip") == "N"
    assert site.sql("SELECT NAME FROM b_option WHERE NAME REGEXP '^search_file'") == []
    assert changed() == []


def register(module: SimpleNamespace, *, anew: bool = False, dry: bool = False) -> dict[str, Any]:
    answer: dict[str, Any] = run_php(module, portal_registration.SCRIPT, {"anew": anew, "dry": dry})
    return answer


def test_a_registration_that_fails_leaves_what_was_known(site: Site, module: SimpleNamespace) -> None:
    site.option("rest", "service_client_id", "app.old")
    site.option("rest", "service_client_secret", "secret.old")
    site.option("rest", "server_path", "https://cloud.example/rest")
    assert register(module) == {"was": True, "registered": True, "problem": ""}
    answer = register(module, anew=True)
    assert (answer["was"], answer["registered"]) == (True, False)
    assert "does not answer" in answer["problem"]
    assert {name: option(site, name) for name in REGISTERED} == {
        "service_client_id": "app.old",
        "service_client_secret": "secret.old",
        "server_path": "https://cloud.example/rest",
    }


def test_a_registration_that_works_replaces_what_was_known(site: Site, module: SimpleNamespace) -> None:
    path = site.root / "bitrix/modules/rest/lib/oauthservice.php"
    kept = path.read_text()
    path.write_text(SERVICE)
    try:
        site.option("rest", "service_client_id", "")
        site.option("rest", "server_path", "https://cloud.example/rest")
        assert register(module, dry=True)["registered"] is False
        assert option(site, "service_client_id") == ""
        assert register(module) == {"was": False, "registered": True, "problem": ""}
        assert option(site, "service_client_id") == "app.new"
        assert option(site, "server_path") is None
        assert register(module, anew=True)["registered"] is True
    finally:
        path.write_text(kept)


def test_modules_without_a_folder_are_unregistered(
    site: Site, session: Database, module: SimpleNamespace
) -> None:
    site.sql("REPLACE INTO b_module (ID) VALUES ('ldap'), ('crm')")
    site.sql("INSERT INTO b_agent (MODULE_ID, NAME, NEXT_EXEC) VALUES ('ldap', 'CLdap::sync();', NOW())")
    gone = portal_modules.absent(session, SCHEMA, site.root)
    assert "ldap" in gone
    assert "crm" not in gone
    run_php(module, portal_modules.SCRIPT, gone)
    session.commit()
    assert portal_modules.absent(session, SCHEMA, site.root) == []
    assert site.sql("SELECT COUNT(*) FROM b_agent WHERE MODULE_ID = 'ldap'")[0][0] == 0


def test_dead_bots_are_switched_off(site: Site, session: Database, module: SimpleNamespace) -> None:
    (bot,) = site.sql("SELECT MIN(BOT_ID) FROM b_im_bot")[0]
    site.sql("UPDATE b_user SET ACTIVE = 'Y' WHERE ID = %s", bot)
    assert portal_applications.active(session, SCHEMA, [str(bot)]) == [bot]
    assert run_php(module, portal_applications.SCRIPT, [bot]) == [bot]
    session.commit()
    assert portal_applications.active(session, SCHEMA, [str(bot)]) == []
