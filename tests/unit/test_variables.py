"""Role `variables`: typos, former names, values that no role takes, settings that contradict each other."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from boxlift.errors import ExitCode
from boxlift.preflight.finding import verdict
from boxlift.preflight.look import Seen
from boxlift.preflight.variables import check_variables
from boxlift.project import new_secrets
from boxlift.runner.failure import code_of
from roles.variables.action_plugins.variable_check import (
    Known,
    files_of,
    of_the_inventory,
    place_of,
    wrong_names,
    wrong_values,
)
from tests.playbook import ansible_playbook

ROOT = Path(__file__).parents[2]
OPTIONS: dict[str, dict[str, Any]] = {
    "web_server_name": {"type": "str", "required": True},
    "web_body_limit_mb": {"type": "int", "default": 1024},
    "web_basic_auth_password": {"type": "str", "no_log": True, "choices": ["one", "two"]},
    "mail_relay_mode": {"type": "str", "choices": ["relay", "discard"]},
    "database_accounts": {
        "type": "list",
        "elements": "dict",
        "options": {"name": {"type": "str", "required": True}, "password": {"type": "str", "no_log": True}},
    },
}
KNOWN = Known(
    OPTIONS,
    frozenset({"portal_domain", "telephony_domain", "vault_cache_password"}),
    ("database_", "mail_relay_", "portal_", "web_"),
    {"web_name": "web_server_name", "web_engine": "nginx is the only one; take the line out"},
    frozenset({"web_of_my_own"}),
)


def said(*names: str) -> dict[str, str]:
    return {problem.what: problem.cure for problem in wrong_names(names, KNOWN)}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("web_server_nam", "web_server_name"),
        ("web_servername", "web_server_name"),
        ("portal_domian", "portal_domain"),
        ("telephony_domian", "telephony_domain"),
        ("vault_cache_pasword", "vault_cache_password"),
        ("webserver_name", "web_server_name"),
    ],
)
def test_a_typo_names_the_nearest_right_name(name: str, meant: str) -> None:
    assert said(name) == {name: f"no role knows it; did you mean {meant}?"}


def test_what_playbooks_before_have_left_is_nobodys_typo() -> None:
    left = {
        "portal_release_record": {"changed": False, "failed": False, "release": {}},
        "__backup_restore_wheels": {"changed": True, "failed": False},
        "__web_tls": True,
    }
    set_by_somebody = {"web_servername": "x", "portal_record": {"changed": True}}
    assert of_the_inventory(left | set_by_somebody) == set_by_somebody


@pytest.mark.parametrize(
    "name",
    [
        "ansible_host",
        "vault_mail_password",  # a secret of the operator's
        "vault_cache_password_old",
        "backup_window",
        "website",
        "web_of_my_own",
        "web_server_name",
        "telephony_domain",
    ],
)
def test_names_that_are_right_or_anybodys_are_left_alone(name: str) -> None:
    assert said(name) == {}


def test_a_name_like_none_of_ours_that_begins_as_they_do() -> None:
    assert said("web_zzz") == {"web_zzz": "no role knows it; variables of your own begin with another word"}


def test_a_renamed_variable_names_the_new_one_and_a_removed_one_says_why() -> None:
    assert said("web_name", "web_engine") == {
        "web_name": "was renamed to web_server_name",
        "web_engine": "nginx is the only one; take the line out",
    }


def test_values_that_no_role_takes() -> None:
    problems = wrong_values(
        {"web_body_limit_mb": "much", "mail_relay_mode": "post", "database_accounts": [{"nam": "x"}]}, KNOWN
    )
    told = {problem.what: problem.cure for problem in problems}
    assert list(told) == ["database_accounts", "mail_relay_mode", "web_body_limit_mb"]
    assert "relay, discard" in told["mail_relay_mode"]
    assert list(wrong_values({"web_body_limit_mb": "12", "mail_relay_mode": "relay"}, KNOWN)) == []


@pytest.mark.parametrize(
    "values",
    [
        {"web_basic_auth_password": "canary"},
        {"database_accounts": [{"password": "canary"}]},
        {"database_accounts": "canary"},
    ],
)
def test_a_wrong_value_that_is_secret_is_not_shown(values: dict[str, object]) -> None:
    """lab_hosts: argument_specs print a secret that has `choices`."""
    (problem,) = wrong_values(values, KNOWN)
    assert "canary" not in problem.text


def test_where_a_variable_stands(tmp_path: Path) -> None:
    (tmp_path / "group_vars" / "all").mkdir(parents=True)
    (tmp_path / "hosts.yml").write_text("all:\n  hosts:\n    one:\n      web_nam: x\n")
    (tmp_path / "group_vars" / "all" / "web.yml").write_text("# web_name: no\nweb_name: x\n")
    (tmp_path / "group_vars" / "all" / "web.yml.orig").write_text("web_gone: x\n")
    (tmp_path / "hosts.ini").write_text("[portal]\none web_port=80\n[portal:vars]\nweb_mode = x\n")
    files = files_of([str(tmp_path)])
    assert files == files_of([str(tmp_path / "hosts.yml"), str(tmp_path / "hosts.ini")])
    assert place_of("web_name", files, []) == f"{tmp_path}/group_vars/all/web.yml line 2"
    assert place_of("web_nam", files, []) == f"{tmp_path}/hosts.yml line 4"
    assert place_of("web_port", files, []) == f"{tmp_path}/hosts.ini line 2"
    assert place_of("web_mode", files, []) == f"{tmp_path}/hosts.ini line 4"
    assert place_of("web_gone", files, []) == ""
    assert place_of("web_name", files, ["web_name"]) == "given with -e"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as `boxlift init` writes it, with secrets that nobody encrypted."""
    inventory = tmp_path / "inventory"
    shutil.copytree(ROOT / "inventories" / "example", inventory)
    add(tmp_path, "all/project.yml", portal_timezone="Europe/Moscow")
    for environment in ("production", "preproduction"):
        add(tmp_path, f"{environment}/vault.yml", **new_secrets())
    return tmp_path


def add(project: Path, file: str, **variables: object) -> None:
    with (project / "inventory" / "group_vars" / file).open("a", encoding="utf-8") as opened:
        opened.write(yaml.safe_dump(variables))


def look(project: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code of the role on all hosts, and the result of its look; no host is connected to."""
    play = {"hosts": "all", "gather_facts": False, "roles": ["variables"]}
    (project / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    words = ("-i", "inventory", "play.yml", *arguments)
    ended = ansible_playbook(project, *words, ANSIBLE_STDOUT_CALLBACK="ansible.posix.json")
    tasks = json.loads(ended.stdout)["plays"][0]["tasks"]
    results = [result for task in tasks for result in task["hosts"].values()]
    (found,) = [result for result in results if "variable_problems" in result]
    return ended.returncode, found


def test_the_example_passes(project: Path) -> None:
    code, result = look(project)
    assert (code, result["variable_problems"]) == (0, [])


def test_everything_is_told_at_once_and_a_secret_is_not(project: Path) -> None:
    add(project, "all/project.yml", portal_domian="x", database_buffer_pool_mb="much")
    add(project, "production/vault.yml", vault_push_signature_key="canary", portal_push_signature_key="other")
    add(project, "preproduction/infrastructure.yml", mail_relay_mode="relay", web_basic_auth_password="")
    add(
        project,
        "production/infrastructure.yml",
        mail_relay_user="{{ broken",
        portal_environment="preproduction",
    )
    code, result = look(project, "-e", "portal_tagret=production")
    assert code != 0
    assert code_of(result) is ExitCode.PREFLIGHT
    first, *lines = result["msg"].splitlines()
    assert first == f"{len(lines)} settings of the inventory cannot stand; nothing was changed"
    assert "canary" not in json.dumps(result)
    places = {
        problem["what"]: (problem["place"], problem["hosts"]) for problem in result["variable_problems"]
    }
    assert places["portal_domian"] == ("inventory/group_vars/all/project.yml line 12", [])
    assert places["portal_tagret"] == ("given with -e", [])
    assert places["database_buffer_pool_mb"][0].startswith("inventory/group_vars/all/project.yml")
    assert places["mail_relay_user"][1] == ["portal-1", "pbx-1"]
    assert places["mail_relay_mode of pre-production is relay"] == ("", ["portal-1", "staging-1"])
    assert places["the push server and the portal have different signature keys"][1] == ["portal-1", "pbx-1"]
    assert {
        "web_basic_auth_user is set without a password",
        "portal_environment is preproduction",
    } <= places.keys()


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"portal_timezone": ""}, "portal_timezone is not set"),
    ({"portal_timezone": "Europe/Mosow"}, "portal_timezone is Europe/Mosow"),
    (
        {"portal_agents_mode": "everything", "monitoring_agents_mode": "stock"},
        "portal_agents_mode, portal_quiet_agents_mode and monitoring_agents_mode differ",
    ),
    ({"portal_push_base_path": "/data/portal"}, "a *_base_path is not /srv/portal"),
    ({"php_timezone": "UTC"}, "base_timezone, database_timezone and php_timezone differ"),
    ({"portal_id": "acme"}, "portal_id of pre-production is that of production"),
    ({"portal_domain": "a.example"}, "portal_domain of pre-production is that of production"),
    (
        {"telephony_domain": "{{ portal_domain }}"},
        "portal_domain and telephony_domain are both portal.example.com",
    ),
    ({"portal_database_collation": "utf8_general_ci"}, "portal_database_collation is utf8_general_ci"),
    (
        {"database_collation": "utf8mb4_bin"},
        "database_collation and the collations of the roles that use the database differ",
    ),
    (
        {"portal_database_collation": "utf8mb4_0900_ai_ci"},
        "portal_database_collation is utf8mb4_0900_ai_ci, which MariaDB lacks",
    ),
    ({"certificate_source": "acme"}, "certificate_source is acme without certificate_acme_email"),
    (
        {"certificate_source": "acme", "certificate_acme_challenge": "dns"},
        "certificate_acme_challenge is dns without certificate_acme_dns_hook",
    ),
    (
        {"certificate_source": "acme", "certificate_names": ["*.acme.example"]},
        "certificate_names has a name with a star, and certificate_acme_challenge is http",
    ),
    (
        {"mail_relay_catch_all": "all@acme.example"},
        "mail_relay_catch_all is set, and mail_relay_mode is relay",
    ),
    ({"portal_cache_port": 6380}, "portal_session_port and portal_cache_port are both 6380"),
    (
        {"push_server_publish_ports": [8010]},
        "push_server_subscribe_ports and push_server_publish_ports share a port",
    ),
    ({"portal_push_signature_key": "x"}, "the push server and the portal have different signature keys"),
    ({"mail_relay_mode": "discard"}, "mail_relay_mode of production is discard"),
    (
        {"mail_relay_mode": "catch_all", "mail_relay_catch_all": ""},
        "mail_relay_mode is catch_all without mail_relay_catch_all",
    ),
    ({"mail_relay_user": "me"}, "of mail_relay_user and mail_relay_password one is empty"),
    (
        {"mail_relay_user": "me", "mail_relay_password": "x", "mail_relay_tls": "none"},
        "mail_relay_tls is none with a password",
    ),
    (
        {"portal_database_server": "db.example.com", "vault_database_admin_password": ""},
        "vault_database_admin_password is not set",
    ),
    (
        {"infrastructure_address": "web.acme.example"},
        "infrastructure_address is web.acme.example, a name",
    ),
    (
        {"web_basic_auth_user": "me", "web_basic_auth_password": ""},
        "web_basic_auth_user is set without a password",
    ),
    (
        {"web_pages": [{"path": "/-/x/", "socket": "/run/x"}]},
        "web_pages is set without web_basic_auth_user",
    ),
    ({"portal_archive": "https://x.example/p"}, "portal_archive is a URL without portal_archive_checksum"),
]


@pytest.mark.slow
def test_each_contradiction_is_seen(project: Path) -> None:
    """Each rule by a host of its own, so that one run proves them all."""
    rules = yaml.safe_load((ROOT / "roles/variables/files/variables.yml").read_text(encoding="utf-8"))
    tree: dict[str, Any] = {"all": {"children": {"production": {"hosts": {}}, "portal": {"hosts": {}}}}}
    for number, (variables, _) in enumerate(CONTRADICTIONS):
        tree["all"]["children"]["production"]["hosts"][f"p{number}"] = variables
        tree["all"]["children"]["portal"]["hosts"][f"p{number}"] = None
    tree["all"]["children"]["preproduction"] = {
        "hosts": {
            "both": None,
            "s1": {"portal_id": "acme"},
            "s2": {"portal_domain": "a.example"},
            "s3": {"mail_relay_mode": "relay"},
            "s4": {"portal_environment": "production"},
            "s5": {"firewall_egress_policy": "accept"},
            "s6": {"ansible_host": "staging.acme.example", "infrastructure_address": "192.0.2.12"},
        }
    }
    tree["all"]["children"]["production"]["hosts"]["both"] = None
    tree["all"]["children"]["portal"]["hosts"] |= {"s3": None, "s6": None}
    tree["all"]["children"]["production"]["hosts"] |= {
        "d1": {"portal_database_server": "db.example.com"},
        "d2": None,
    }
    tree["all"]["children"]["database"] = {"hosts": {"d1": None, "d2": None}}
    (project / "inventory" / "hosts.yml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    _, result = look(project)
    told = {problem["what"]: problem["hosts"] for problem in result["variable_problems"]}
    for number, (variables, what) in enumerate(CONTRADICTIONS):
        if not variables.keys() & {"portal_id", "portal_domain"}:
            assert f"p{number}" in told[what], what
    # Host `both` brings pre-production's own id and name into production.
    assert "s1" in told["portal_id of pre-production is that of production"]
    assert "s2" in told["portal_domain of pre-production is that of production"]
    assert "s3" in told["mail_relay_mode of pre-production is relay"]
    assert told["portal_environment is production"] == ["s4"]
    assert told["firewall_egress_policy of pre-production is accept"] == ["s5"]
    assert told["both is in both environments"] == ["both"]
    assert told["portal_clone_own_address is staging.acme.example, a name"] == ["s6"]
    assert told["portal_database_server is db.example.com, and d1 is in group database"] == ["d1"]
    assert "p0" in told["not exactly one host of group database is in production"]
    told.pop("not exactly one host of group database is in preproduction")
    told.pop("mail_relay_mode of production is catch_all")  # the rule that discard has shown already
    assert len(told) == len(rules["contradictions"])


def test_every_folder_of_releases_is_compared() -> None:
    rules = yaml.safe_load((ROOT / "roles/variables/files/variables.yml").read_text(encoding="utf-8"))
    (rule,) = [rule for rule in rules["contradictions"] if "_base_path" in rule["what"]]
    options = {
        name
        for file in ROOT.glob("roles/*/defaults/main.yml")
        for name in yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        if name.endswith("_base_path")
    }
    assert set(re.findall(r"\w+_base_path", rule["when"])) == options


def test_renamed_variables_and_project_variables_are_what_they_say() -> None:
    data = yaml.safe_load((ROOT / "roles/variables/files/variables.yml").read_text(encoding="utf-8"))
    options = {
        name
        for file in ROOT.glob("roles/*/meta/argument_specs.yml")
        for entry in yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"].values()
        for name in entry.get("options") or {}
    }
    known = options | data["project"].keys()
    assert not known & data["renamed"].keys()
    single = {name for name in data["renamed"].values() if " " not in name}
    assert single <= known
    assert new_secrets().keys() <= data["project"].keys()
    plan = yaml.safe_load((ROOT / "src/boxlift/plan/default.yml").read_text(encoding="utf-8"))
    steps = [step for phase in plan["phases"] for step in phase["steps"]]
    assert {name for step in steps for name in step.get("variables", {})} <= known


def test_every_playbook_that_changes_something_looks_first() -> None:
    for file in sorted((ROOT / "playbooks").glob("*.yml")):
        if file.stem in {"check_hosts", "compare_environments", "send_test_letter"}:
            continue
        first = yaml.safe_load(file.read_text(encoding="utf-8"))[0]["tasks"][0]
        assert first["ansible.builtin.import_role"]["name"] == "variables", file.name


def test_boxlift_check_tells_each_problem() -> None:
    problem = {"what": "portal_domian", "place": "-e", "hosts": ["one"], "cure": "no role knows it"}
    seen = {"one": Seen(variables=[problem, {**problem, "hosts": [], "place": ""}]), "two": Seen()}
    findings = list(check_variables(seen))
    assert [finding.measured for finding in findings] == ["portal_domian on one, -e", "portal_domian"]
    assert verdict(findings) is ExitCode.PREFLIGHT
    assert [finding.ok for finding in check_variables({"one": Seen(variables=[])})] == [True]
    assert [finding.ok for finding in check_variables({"one": Seen()})] == [False]
