"""The rules that keep a portal quiet are whole, and a copy has all of production's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.boxlift_rules import Rule

from library.portal_unknown_tables import unknown

ROOT = Path(__file__).parents[2]
DATA: dict[str, Any] = yaml.safe_load(
    (ROOT / "roles" / "portal_quiet" / "vars" / "main.yml").read_text(encoding="utf-8")
)
COMMON: list[dict[str, Any]] = DATA["__portal_quiet_rules"]
COPY: list[dict[str, Any]] = DATA["__portal_quiet_rules_copy"]


@pytest.mark.parametrize("raw", COMMON + COPY, ids=lambda raw: str(raw["id"]))
def test_rule_is_whole(raw: dict[str, Any]) -> None:
    rule = Rule.parse(raw)
    assert all(isinstance(value, str) for value in rule.values.values())


def test_ids_are_unique() -> None:
    names = [raw["id"] for raw in COMMON + COPY]
    assert len(names) == len(set(names))


def test_a_copy_never_gives_anything_back() -> None:
    assert {raw["opening"] for raw in COPY} == {"keep"}


@pytest.mark.parametrize(
    "concern",
    [
        "agents",
        "mail-queue",
        "mailboxes",
        "campaigns",
        "sms-queue",
        "open-lines",
        "calendar-accounts",
        "webhooks",
        "applications",
        "sip-connectors",
        "payments",
        "mobile-push",
    ],
)
def test_every_concern_has_a_rule(concern: str) -> None:
    assert concern in {raw["id"] for raw in COMMON}


def test_a_copy_keeps_no_password_and_no_token_that_we_know_of() -> None:
    surface = yaml.safe_load((ROOT / "docs" / "vendor_surface.yml").read_text(encoding="utf-8"))["tables"]
    known = {
        (table, column)
        for table, entry in surface.items()
        for group in entry["columns"]
        for column in group["names"]
        if re.search(r"PASSWORD$|SECRET$|TOKEN$|(?:_|^)KEY$", column)
    }
    emptied = {(raw.get("table"), column) for raw in COMMON + COPY for column in raw.get("set", {})}
    deleted = {raw["table"] for raw in COMMON + COPY if raw.get("delete") and "where" not in raw}
    # People sign in to a copy with the password that they have in production; whose a value is is no secret.
    kept = {("b_user", "PASSWORD"), ("b_sale_bizval", "CONSUMER_KEY")}
    assert {found for found in known - emptied - kept if found[0] not in deleted} == set()


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("b_clouds_file_bucket", "SETTINGS"),
        ("b_ldap_server", "ADMIN_PASSWORD"),
        ("b_sale_pay_system_action", "PARAMS"),
        ("b_sale_bizval", "PROVIDER_VALUE"),
        ("b_sale_cashbox", "SETTINGS"),
        ("b_imconnectors_status", "DATA"),
    ],
)
def test_a_copy_keeps_no_account_of_production_elsewhere(table: str, column: str) -> None:
    emptied = {(raw.get("table"), name) for raw in COPY for name in raw.get("set", {})}
    assert (table, column) in emptied


# portal_runtime I, row by row.
SECTION_I = [
    "b_agent",
    "b_event",
    "b_sender_posting",
    "b_sender_mailing",
    "b_sender_mailing_chain",
    "b_mail_mailbox",
    "b_mail_oauth",
    "b_mail_message_upload_queue",
    "b_main_mail_sender",
    "b_rest_event",
    "b_rest_event_offline",
    "b_rest_ap",
    "b_rest_app",
    "b_rest_placement",
    "b_rest_integration",
    "b_dav_connections",
    "b_calendar_push",
    "b_calendar_section_connection",
    "b_calendar_event_connection",
    "b_socialservices_user",
    "b_imconnectors_status",
    "b_imconnectors_custom_connectors",
    "b_imopenlines_config",
    "b_im_bot",
    "b_im_bot_token",
    "b_voximplant_sip",
    "b_voximplant_external_line",
    "b_voximplant_number",
    "b_messageservice_channel",
    "b_messageservice_message",
    "b_sale_pay_system_action",
    "b_sale_cashbox",
    "b_pull_push",
    "b_pull_push_queue",
    "b_pull_channel",
    "b_pull_stack",
    "b_clouds_file_bucket",
    "b_clouds_delete_queue",
    "b_clouds_file_upload",
    "b_transformer_command",
    "b_bitrixcloud_option",
    "b_landing_domain",
    "b_biconnector_key",
    "b_user_session",
    "b_user_stored_auth",
    "b_user_hit_auth",
    "b_ldap_server",
]
OPTIONS_OF_SECTION_I = [
    "main/update_devsrv",
    "main/check_agents",
    "main/check_events",
    "main/cookie_name",
    "rest/service_client_id",
    "rest/service_client_secret",
    "voximplant/portal_url",
    "pull/push",
    "pull/server_mode",
    "pull/host_id",
    "transformer/portal_url",
]


@pytest.mark.parametrize("table", SECTION_I)
def test_every_table_of_the_facts_has_a_rule(table: str) -> None:
    assert table in {raw.get("table") for raw in COMMON + COPY}


@pytest.mark.parametrize("option", OPTIONS_OF_SECTION_I)
def test_every_option_of_the_facts_has_a_rule(option: str) -> None:
    ruled = {"{module}/{name}".format(**raw["option"]) for raw in COMMON + COPY if "option" in raw}
    assert option in ruled


def known() -> list[str]:
    return [*(str(raw.get("table", "b_option")) for raw in COMMON + COPY), *DATA["__portal_quiet_harmless"]]


@pytest.mark.parametrize(
    "table", ["b_new_webhook", "b_crm_mail_relay", "b_ACME_Sms", "b_rest_event_handler_2", "b_x_token"]
)
def test_a_new_table_that_may_act_is_told(table: str) -> None:
    assert unknown([table], DATA["__portal_quiet_suspicious"], known()) == [table]
    assert (
        unknown(
            [table], DATA["__portal_quiet_suspicious"], [*known(), "b_*_*", "b_new*", "b_acme_sms", "b_x_*"]
        )
        == []
    )


def test_every_table_that_rules_name_would_be_told_without_them() -> None:
    named = {raw["table"] for raw in COMMON + COPY if "table" in raw} - {
        "b_agent",
        "b_option",
        "b_event",
        "b_user",
    }
    found = unknown(named, DATA["__portal_quiet_suspicious"], [])
    assert named - set(found) <= {
        "b_biconnector_key",
        "b_calendar_push",
        "b_socialservices_user",
    }


def test_the_tables_of_the_samples_are_all_known() -> None:
    schema = (Path(__file__).parents[2] / "lab" / "generator" / "schema").glob("*.sql")
    tables = re.findall(
        r"CREATE TABLE `(b_\w+)`", "".join(file.read_text(encoding="utf-8") for file in schema)
    )
    assert tables
    assert unknown(tables, DATA["__portal_quiet_suspicious"], known()) == []
