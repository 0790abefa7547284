"""The settings files of a release, read back by PHP itself (portal_runtime C)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from programs import needs

from tests.templates.renderer import Renderer

RELEASE: dict[str, Any] = {"portal_release": "final-1", "portal_release_record": {"release": {}}}
NASTY = "it's a \\ 'secret' $x"

pytestmark = [pytest.mark.slow, needs("php", package="php-cli")]


def evaluated(tmp_path: Path, text: str) -> Any:
    """Value that a settings file returns."""
    file = tmp_path / "settings.php"
    file.write_text(text, encoding="utf-8")
    code = f"echo json_encode(include {json.dumps(str(file))});"
    return json.loads(subprocess.run(["php", "-r", code], check=True, capture_output=True).stdout)


def constants(tmp_path: Path, text: str, before: str = "") -> dict[str, Any]:
    """User constants that dbconn.php defines."""
    file = tmp_path / "dbconn.php"
    file.write_text(text, encoding="utf-8")
    code = f"{before} include {json.dumps(str(file))}; echo json_encode(get_defined_constants(true)['user']);"
    found: dict[str, Any] = json.loads(
        subprocess.run(["php", "-r", code], check=True, capture_output=True).stdout
    )
    return found


def test_the_release_has_its_own_database_and_the_source_s_key(lab: Renderer, tmp_path: Path) -> None:
    found = evaluated(
        tmp_path,
        lab.text(
            "portal_settings",
            "settings.php.j2",
            **RELEASE,
            portal_settings_database_password=NASTY,
            __portal_settings_key="k" * 32,
        ),
    )
    connection = found["connections"]["value"]["default"]
    assert connection["database"] == "portal_final_1"
    assert connection["password"] == NASTY
    assert connection["className"] == "\\Bitrix\\Main\\DB\\MysqliConnection"
    assert found["crypto"]["value"]["crypto_key"] == "k" * 32


def test_cache_sessions_and_push_do_not_come_from_the_source(lab: Renderer, tmp_path: Path) -> None:
    found = evaluated(tmp_path, lab.text("portal_settings", "settings_extra.php.j2", **RELEASE))
    assert found["cache"]["value"]["sid"] == "final-1"
    assert found["session"]["value"]["handlers"]["general"]["type"] == "redis"
    assert found["session"]["value"]["handlers"]["general"]["keyPrefix"] == "BX-final-1"
    # Without it PHP's own limit counts, 24 minutes where nobody sets that one either.
    assert found["session"]["value"]["lifetime"] == 28800
    assert len(found["pull"]["value"]["signature_key"]) == 128
    assert found["pull"]["value"]["path_to_publish"].startswith("http://127.0.0.1:")
    assert found["smtp"]["value"] == {"enabled": False}


@pytest.mark.parametrize("opened", [False, True])
def test_mail_leaves_an_open_portal_alone(lab: Renderer, tmp_path: Path, opened: bool) -> None:
    record = {"release": {"opened_at": "2026-11-22"} if opened else {}}
    text = lab.text("portal_settings", "dbconn.php.j2", portal_release="x", portal_release_record=record)
    found = constants(tmp_path, text)
    assert ("ONLY_EMAIL" in found) is not opened
    assert found["BX_CRONTAB_SUPPORT"] is True
    assert "BX_CRONTAB" not in found
    # The cron file of role portal takes all agents (portal_runtime A6).
    own = constants(tmp_path, text, before="define('CHK_EVENT', true);")
    assert "BX_CRONTAB_SUPPORT" not in own
    assert "SHORT_INSTALL" not in found
    letters = constants(tmp_path, text, before="define('BOXLIFT_MAIL_ALLOWED', true);")
    assert "ONLY_EMAIL" not in letters


def test_the_wizard_takes_its_short_path(lab: Renderer, tmp_path: Path) -> None:
    text = lab.text("portal_settings", "dbconn.php.j2", **RELEASE, portal_settings_installing=True)
    assert constants(tmp_path, text)["SHORT_INSTALL"] is True


def test_the_connection_has_the_one_collation(lab: Renderer) -> None:
    text = lab.text("portal_settings", "after_connect_d7.php.j2", **RELEASE)
    assert "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_uca1400_nopad_ai_ci'" in text
    assert "0900" not in text
    assert "time_zone" not in text


def test_on_a_server_of_somebody_else_s_each_session_sets_its_time_zone(lab: Renderer) -> None:
    given = {"portal_database_server": "db.example.com"}
    text = lab.text("portal_settings", "after_connect_d7.php.j2", **RELEASE, **given)
    assert text.endswith("$this->queryExecute(\"SET SESSION time_zone='Europe/Moscow'\");\n")
    assert lab.value("database", "database_check_session_timezone", **given) == "Europe/Moscow"
    assert lab.value("database", "database_check_session_timezone") == ""


def test_nothing_counts_on_the_zip_module_that_debian_lacks(lab: Renderer) -> None:
    # portal_runtime A5: a backup may bring both options switched on.
    options = lab.value("portal_settings", "__portal_settings_options", portal_settings_release="final-1")
    wanted = {("disk", "disk_nginx_mod_zip_enabled", "N"), ("rest", "enable_mod_zip", "N")}
    assert {(option["module"], option["name"], option["value"]) for option in options} >= wanted
