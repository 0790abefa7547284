"""Former names of a generated portal: found in every place, rewritten where that is safe, remembered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.boxlift_names import Names, former_names
from ansible.module_utils.boxlift_rules import Holder, Rule
from ansible.module_utils.boxlift_serialized import replaced
from ansible.module_utils.boxlift_sql import Database

from lab.generator.portal import Portal
from library import portal_domain_leftovers
from library.portal_domain_leftovers import rewrite, search
from tests.integration.generated import load_generated

RELEASE, DATABASE = "final-1", "portal_final_1"
DOMAIN, SENDER = "portal.example.com", "no-reply@portal.example.com"
ROLE = Path(__file__).parents[2] / "roles" / "portal_domain"
KEEP = ["rest/*", "disk/*", "socialservices/*", "bitrixcloud/*", "pull/*"]


@pytest.fixture
def generated(session: Database) -> Portal:
    return load_generated(session, DATABASE)


@pytest.fixture
def former(session: Database, generated: Portal) -> str:
    assert generated
    (name,) = former_names(session, DATABASE, DOMAIN)
    return str(name)


def option(session: Database, module: str, name: str) -> str:
    return str(
        session.value(
            f"SELECT VALUE FROM {DATABASE}.b_option WHERE MODULE_ID = %s AND NAME = %s", [module, name]
        )
    )


Run = Callable[[], dict[str, Any]]


@pytest.fixture
def run(session: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the module itself; returns what it answers."""

    class AnsweredError(Exception):
        pass

    def call() -> dict[str, Any]:
        answers: list[dict[str, Any]] = []

        class Module:
            check_mode = False

            def __init__(self, **_: object) -> None:
                self.params = {
                    "release": RELEASE,
                    "database": DATABASE,
                    "domain": DOMAIN,
                    "email": SENDER,
                    "keep": KEEP,
                }

            def exit_json(self, **answer: Any) -> None:
                answers.append(answer)
                raise AnsweredError

            fail_json = exit_json

        monkeypatch.setattr(portal_domain_leftovers, "AnsibleModule", Module)
        monkeypatch.setattr(portal_domain_leftovers, "Database", lambda _: session)
        with pytest.raises(AnsweredError):
            portal_domain_leftovers.main()
        return answers[0]

    return call


def test_lists_keep_their_lengths_and_old_values_are_remembered(
    session: Database, former: str, run: Run
) -> None:
    before = option(session, "intranet", "trusted_hosts")
    assert former in before
    answer = run()
    assert answer["changed"]
    after = option(session, "intranet", "trusted_hosts")
    assert replaced(after, str) == after
    assert former not in after.replace(f"www.{former}", "")
    assert DOMAIN in after
    assert option(session, "mail", "default_email") == SENDER
    assert option(session, "crm", "sale_crm_public_url") == f"https://{DOMAIN}/pub/"
    assert option(session, "security", "restriction_hosts_hosts") == DOMAIN
    senders = session.rows(f"SELECT EMAIL_FROM FROM {DATABASE}.b_event_message")
    assert (SENDER,) in senders
    held = [
        json.loads(row[0])
        for row in session.rows("SELECT old_value FROM boxlift.held_value WHERE rule = 'domain-rewrite'")
    ]
    assert {"VALUE": before} in held
    again = run()
    assert (again["changed"], again["rewritten"]) == (False, [])
    assert again["leftovers"] == answer["leftovers"]


def test_what_stays_is_reported_with_place_and_reason(session: Database, former: str, run: Run) -> None:
    kept = option(session, "rest", "server_path")
    session.run(
        f"UPDATE {DATABASE}.b_option SET VALUE = %s WHERE MODULE_ID = 'intranet' AND NAME = 'trusted_hosts'",
        [f'a:1:{{i:0;O:8:"stdClass":1:{{s:1:"a";s:{len(former)}:"{former}";}}}}'],
    )
    left = {(place["table"], place["key"]): place for place in run()["leftovers"]}
    assert option(session, "rest", "server_path") == kept
    assert left["b_option", "MODULE_ID=rest, NAME=server_path"]["why"].startswith("belongs to a registration")
    assert "not safe" in left["b_option", "MODULE_ID=intranet, NAME=trusted_hosts"]["why"]
    assert left["b_landing_domain", "ID=1"]["why"] == "bound anew by a person"
    assert left["b_landing_domain", "ID=1"]["name"] == portal_domain_leftovers.VENDOR
    assert not any("MODULE_ID=bitrix24" in key for _, key in left)


def test_names_come_from_what_the_repair_replaced_too(session: Database, former: str) -> None:
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    rules = variables["__portal_domain_rules_address"]
    session.run(f"INSERT INTO {DATABASE}.b_lang_domain (LID, DOMAIN) VALUES ('s1', 'crm.acme.example')")
    aliases = next(rule for rule in rules if rule["id"] == "domain-aliases")
    aliases = {**aliases, "where": f"DOMAIN <> '{DOMAIN}'"}
    Holder(session, RELEASE, DATABASE).hold([Rule.parse(aliases)])
    assert {former, "crm.acme.example"} <= set(former_names(session, DATABASE, DOMAIN))


def test_a_name_above_the_present_one_is_the_companys(session: Database, former: str, run: Run) -> None:
    session.run(f"INSERT INTO {DATABASE}.b_lang_domain (LID, DOMAIN) VALUES ('s1', 'Example.com')")
    rule = {"id": "domain-aliases", "table": "b_lang_domain", "where": "TRUE", "delete": True, "reason": "x"}
    Holder(session, RELEASE, DATABASE).hold([Rule.parse({**rule, "opening": "restore"})])
    session.run(
        f"UPDATE {DATABASE}.b_option SET VALUE = %s WHERE MODULE_ID = 'main' AND NAME = 'site_name'",
        [f"https://example.com/ and sales@example.com, no more {former}"],
    )
    run()
    assert option(session, "main", "site_name") == (
        f"https://example.com/ and sales@example.com, no more {DOMAIN}"
    )


def test_an_empty_database_has_no_names(session: Database) -> None:
    session.run(f"DROP DATABASE IF EXISTS {DATABASE}")
    session.run(f"CREATE DATABASE {DATABASE}")
    assert list(search(session, DATABASE, ["bitrix24."])) == []


def test_a_value_with_another_name_stays(session: Database, former: str) -> None:
    session.run(
        f"UPDATE {DATABASE}.b_option SET VALUE = %s WHERE MODULE_ID = 'main' AND NAME = 'site_name'",
        [f"old-{former}"],
    )
    names = Names([former], DOMAIN, SENDER)
    found = [item for item in search(session, DATABASE, [former]) if item.key.get("NAME") == "site_name"]
    assert rewrite(found[0], names, KEEP) == (None, "no whole name of the portal")
