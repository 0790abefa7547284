"""Figures and sources of leads of a generated portal, before and after it was made quiet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.boxlift_original import Original
from ansible.module_utils.boxlift_rules import Holder, Rule
from ansible.module_utils.boxlift_sql import Database

from boxlift.risks.evidence import Figures
from boxlift.risks.lead import LeadSource
from lab.generator.portal import Portal
from library.portal_evidence import Evidence
from library.portal_lead_sources import Portal as Sources
from tests.integration.generated import load_generated

RELEASE, DATABASE = "final-1", "portal_final_1"
ROLES = Path(__file__).parents[2] / "roles"
DOMAIN, PBX = "portal.acme.example", "pbx.acme.example"
WEBHOOK_SECRET = 16
"""Characters of an inbound webhook's secret."""


@pytest.fixture
def generated(session: Database) -> Portal:
    return load_generated(session, DATABASE)


def quiet(session: Database) -> None:
    rules = yaml.safe_load((ROLES / "portal_quiet" / "vars" / "main.yml").read_text(encoding="utf-8"))
    Holder(session, RELEASE, DATABASE).hold([Rule.parse(raw) for raw in rules["__portal_quiet_rules"]])
    session.commit()


def sources(session: Database) -> dict[str, dict[str, Any]]:
    found = Sources(Original(session, RELEASE, DATABASE), DOMAIN, PBX).sources()
    assert len({item["id"] for item in found}) == len(found)
    for item in found:
        LeadSource.model_validate(item)
    return {item["id"]: item for item in found}


@pytest.mark.usefixtures("generated")
def test_every_source_is_found_and_stays_when_the_portal_is_quiet(session: Database) -> None:
    before = sources(session)
    kinds = [item["kind"] for item in before.values()]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "web-form": 4,
        "site-button": 2,
        "open-line": 5,
        "mailbox": 4,
        "webhook": 5,
        "number": 3,
    }
    assert {name for name, item in before.items() if not item["active"]} == {
        "web-form-4",
        "site-button-2",
        # webhooks that may not touch the CRM
        "webhook-3",
        "webhook-4",
    }
    quiet(session)
    assert sources(session) == before


@pytest.mark.usefixtures("generated")
def test_addresses_lead_to_the_box_and_hold_no_secret(session: Database) -> None:
    found = sources(session)
    form = found["web-form-1"]
    assert form["address"].startswith("crm/form/loader_1_")
    assert form["new_address"] == f"https://{DOMAIN}/upload/{form['address']}"
    assert form["owner"]
    assert found["open-line-1-telegrambot"]["new_address"] == f"https://{DOMAIN}"
    assert found["number-sip-1"]["new_address"] == PBX
    assert found["mailbox-1"]["address"] == found["mailbox-1"]["new_address"]
    hook = found["webhook-1"]
    assert hook["new_address"].startswith(f"https://{DOMAIN}/rest/")
    secrets = [row[0] for row in session.rows(f"SELECT PASSWORD FROM {DATABASE}.b_rest_ap")]
    assert all(len(secret) == WEBHOOK_SECRET for secret in secrets)
    assert not [secret for secret in secrets if secret in str(found)]


@pytest.mark.usefixtures("generated")
def test_a_portal_without_these_tables_has_no_sources(session: Database) -> None:
    for table in ("b_crm_webform", "b_crm_button", "b_imopenlines_queue", "b_rest_ap_permission"):
        session.run(f"DROP TABLE {DATABASE}.{table}")
    session.run(f"ALTER TABLE {DATABASE}.b_mail_mailbox DROP COLUMN OPTIONS, DROP COLUMN EMAIL")
    found = sources(session)
    assert not {"web-form-1", "site-button-1"} & set(found)
    assert found["webhook-3"]["active"]
    assert found["mailbox-1"]["active"]
    assert "@" in found["mailbox-1"]["address"]


def figures(session: Database, baseline: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    found = Evidence(session, RELEASE, DATABASE, baseline or {}).figures()
    Figures.model_validate(
        {"schema": 1, "release": RELEASE, "stage": "backup", "collected": "now", "figures": found}
    )
    return found


def test_figures_of_the_backup_and_of_the_quiet_portal(session: Database, generated: Portal) -> None:
    rows = {
        name: int(session.value(f"SELECT COUNT(*) FROM {DATABASE}.{name}"))
        for name in ("b_group", "b_user_group", "b_crm_lead")
    }
    dump = {"began": "2026-11-20 18:00:00", "ended": "2026-11-20 18:05:30", "zone": None}
    before = figures(session, {"rows": rows, "dump": dump})
    assert before["applications"]["value"] == 6
    assert before["bots"]["value"] == 3
    assert before["search_rows"]["value"] == 0
    assert before["lost_rights"] == {"value": 0, "items": []}
    assert before["dump_seconds"]["value"] == 330
    assert before["orphan_tasks"]["value"] == 0
    assert before["network_users"]["value"] > 0
    assert generated.staff.staff[1].login in before["network_users"]["items"]
    quiet(session)
    session.run(f"DELETE FROM {DATABASE}.b_user_group LIMIT 2")
    session.run(
        f"DELETE FROM {DATABASE}.b_forum_topic WHERE ID = (SELECT MIN(ID) FROM {DATABASE}.b_forum_topic)"
    )
    session.run(f"DELETE FROM {DATABASE}.b_crm_lead")
    after = figures(session, {"rows": rows, "dump": {}})
    assert after["applications"] == before["applications"]
    assert after["lost_rights"] == {"value": 2, "items": ["b_user_group: 2"]}
    assert after["orphan_tasks"]["value"] == 1
    assert after["dump_seconds"]["value"] is None


def test_figures_of_an_empty_database_are_unknown(session: Database) -> None:
    session.run(f"DROP DATABASE IF EXISTS {DATABASE}")
    session.run(f"CREATE DATABASE {DATABASE}")
    assert {item["value"] for item in figures(session).values()} == {None}
