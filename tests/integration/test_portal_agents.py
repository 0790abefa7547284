"""Agents by cron alone: our cron file and our settings, under the stand-in's agents (portal_runtime A6)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.portal_site import Site, restored_site
from tests.templates.renderer import Renderer, renderer_of

PERIODIC = r"\Bitrix\Main\Config\Option::set('main', 'periodic_ran', 'Y');"
OTHER = r"\Bitrix\Main\Config\Option::set('main', 'other_ran', 'Y');"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    return renderer_of("example", tmp_path_factory.mktemp("inventory"))


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory, mariadb_socket: Path, example: Renderer) -> Site:
    """An open portal with the settings and the cron file that roles write."""
    site = restored_site(tmp_path_factory.mktemp("agents"), mariadb_socket, "portal_agents")
    site.sql("DELETE FROM b_module WHERE ID IN ('bitrix24', 'security')")
    folder = site.root / "bitrix/php_interface"
    release: dict[str, Any] = {"portal_release": "final-1", "portal_settings_mail_open": True}
    (folder / "dbconn.php").write_text(example.text("portal_settings", "dbconn.php.j2", **release))
    (folder / "cron_events.php").write_text(example.text("portal", "cron_events.php.j2", **release))
    return site


@pytest.fixture
def site(restored: Site) -> Site:
    """Two agents and one letter are due; the options are those of the mode in an open portal."""
    restored.sql("DELETE FROM b_agent")
    restored.sql("DELETE FROM b_event")
    restored.sql("DELETE FROM b_option WHERE NAME IN ('periodic_ran', 'other_ran')")
    for name, periodic in ((PERIODIC, "Y"), (OTHER, "N")):
        restored.sql(
            "INSERT INTO b_agent (MODULE_ID, NAME, NEXT_EXEC, IS_PERIOD) VALUES ('main', %s, NOW(), %s)",
            name,
            periodic,
        )
    restored.sql(
        "INSERT INTO b_event (EVENT_NAME, LID, C_FIELDS, DATE_INSERT, SUCCESS_EXEC, DUPLICATE)"
        " VALUES ('CRM_EMAIL', 's1', %s, NOW(), 'N', 'Y')",
        'a:1:{s:5:"EMAIL";s:14:"u@example.test";}',
    )
    for name, value in (("check_agents", "N"), ("agents_use_crontab", "N"), ("check_events", "Y")):
        restored.sql("REPLACE INTO b_option (MODULE_ID, NAME, VALUE) VALUES ('main', %s, %s)", name, value)
    restored.purge()
    restored.forget_letters()
    return restored


def ran(site: Site) -> set[str]:
    return {
        name for (name,) in site.sql("SELECT NAME FROM b_option WHERE NAME IN ('periodic_ran', 'other_ran')")
    }


def cron(site: Site) -> None:
    path = site.root / "bitrix/php_interface/cron_events.php"
    subprocess.run([*site.command(), "-f", str(path)], check=True, capture_output=True)


def test_cron_runs_every_agent_and_the_mail_queue(site: Site) -> None:
    cron(site)
    assert ran(site) == {"periodic_ran", "other_ran"}
    assert [letter["To"] for letter in site.letters()] == ["u@example.test"]


def test_page_views_run_none(site: Site) -> None:
    with site.served():
        assert site.visitor().get("/auth/").status == 200
    assert ran(site) == set()
    assert site.letters() == []


def test_a_quiet_portal_stays_quiet_whoever_starts_it(site: Site) -> None:
    site.sql("UPDATE b_option SET VALUE = 'N' WHERE MODULE_ID = 'main' AND NAME = 'check_events'")
    site.purge()
    cron(site)
    assert ran(site) == set()
    assert site.letters() == []


def test_the_stock_cron_still_knows_that_it_is_one(site: Site) -> None:
    site.sql("UPDATE b_option SET VALUE = 'Y' WHERE MODULE_ID = 'main' AND NAME = 'check_agents'")
    site.purge()
    site.cron()
    assert ran(site) == {"other_ran"}, "periodic agents are those of page views"
