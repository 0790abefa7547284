"""Wiring where the portal's parts stand on hosts of their own: who listens where, and for whom."""

from __future__ import annotations

import configparser
from typing import Any

import pytest

from tests.templates.conftest import Make
from tests.templates.renderer import Renderer

WEB, DATABASE, CACHE = "192.0.2.11", "10.0.0.14", "192.0.2.15"


def hosts(*, outside: bool = False) -> dict[str, Any]:
    """Web, database, and caches with the push server; the database has an address inside."""
    parts = {"portal": ["web-1"], "cache": ["cache-1"], "push": ["cache-1"], "search": ["web-1"]}
    groups = parts if outside else {**parts, "database": ["database-1"]}
    production: dict[str, Any] = {
        "web-1": {"ansible_host": WEB},
        "cache-1": {"ansible_host": CACHE},
        "pbx-1": {"ansible_host": "192.0.2.13"},
    }
    if outside:
        production["web-1"]["portal_database_server"] = "db.example.com"
        production["web-1"]["portal_database_server_authority"] = "/etc/ssl/certs/ca-certificates.crt"
    else:
        production["database-1"] = {"ansible_host": "192.0.2.14", "infrastructure_address": DATABASE}
    return {
        "all": {
            "children": {
                "production": {"hosts": production},
                **{group: {"hosts": dict.fromkeys(names)} for group, names in groups.items()},
            }
        }
    }


@pytest.fixture(scope="module")
def tiers(make_renderer: Make) -> Renderer:
    return make_renderer("lab", hosts())


@pytest.fixture(scope="module")
def outside(make_renderer: Make) -> Renderer:
    return make_renderer("lab", hosts(outside=True))


def client(renderer: Renderer, host: str) -> dict[str, str | None]:
    parser = configparser.ConfigParser(allow_no_value=True, interpolation=None)
    parser.read_string(renderer.text("database_client", "database.cnf.j2", host))
    return dict(parser["client"])


def test_the_database_listens_where_the_portal_comes_from_and_under_tls(tiers: Renderer) -> None:
    text = tiers.text("database", "server.cnf.j2", "database-1")
    assert f"bind-address = 127.0.0.1,{DATABASE}\n" in text
    assert "ssl_cert = /etc/mysql/boxlift/server.pem\n" in text
    assert "After=network-online.target" in tiers.text("database", "timezone.conf.j2", "database-1")
    assert tiers.value("database", "database_certificate_names | alternative_names", "database-1") == [
        f"IP:{DATABASE}"
    ]


def test_accounts_are_bound_to_the_portals_address(tiers: Renderer) -> None:
    accounts = tiers.value("database", "__database_accounts", "database-1")
    assert [(account["name"], account["hosts"]) for account in accounts] == [
        ("portal", [WEB]),
        ("bxbackup", [WEB]),
        ("boxlift", [WEB]),
    ]
    assert accounts[2]["privileges"] == r"portal\_%.*:ALL/boxlift.*:ALL/boxlift\_trial\_%.*:ALL"
    assert len({account["password"] for account in accounts}) == len(accounts)
    names = tiers.value("database", "database_account_names", "database-1")
    assert names == [account["name"] for account in accounts]


def test_each_host_knows_how_it_reaches_its_database(tiers: Renderer) -> None:
    assert client(tiers, "database-1") == {"socket": "/run/mysqld/mysqld.sock", "user": "root"}
    assert client(tiers, "web-1") == {
        "host": DATABASE,
        "port": "3306",
        "ssl-ca": "/etc/boxlift/database-ca.pem",
        "ssl-verify-server-cert": "1",
        "user": "boxlift",
        "password": '"database-admin-secret"',
    }
    assert tiers.value("database_client", "database_client_ca_source", "web-1").endswith(
        "/database-production-authority.pem"
    )


def test_the_portal_enters_the_tunnel(tiers: Renderer) -> None:
    assert tiers.value("portal_settings", "portal_settings_database_host", "web-1") == "127.0.0.1:3306"
    (listener,) = [
        one
        for one in tiers.value("collisions", "collisions_listeners", "web-1")
        if "boxlift-database-tunnel.service" in one["units"]
    ]
    assert listener["ports"] == [3306]
    unit = tiers.text("database_tunnel", "unit.service.j2", "web-1")
    assert f" --server {DATABASE} --port 3306 --ca /etc/boxlift/database-ca.pem\n" in unit
    # A unit that nothing wants is not there after a restart of the host.
    assert unit.endswith("\n[Install]\nWantedBy=multi-user.target\n")


def test_caches_listen_where_the_portal_comes_from(tiers: Renderer) -> None:
    instances = tiers.value("cache", "cache_instances", "cache-1")
    assert {instance["name"]: instance.get("bind") for instance in instances} == {
        "sessions": ["127.0.0.1", CACHE],
        "cache": ["127.0.0.1", CACHE],
        "push": None,
    }
    assert tiers.value("portal_settings", "portal_settings_session.host", "web-1") == CACHE
    assert tiers.value("web", "web_push_publish_servers", "web-1") == [f"{CACHE}:9010"]


@pytest.mark.parametrize(
    ("host", "ports"),
    [("database-1", [3306]), ("cache-1", [6380, 6381, 8010, 8011, 9010]), ("web-1", [80, 443, 8893, 8894])],
)
def test_each_host_is_open_for_the_portal_alone(tiers: Renderer, host: str, ports: list[int]) -> None:
    rules = [rule for rule in tiers.value("firewall", "firewall_input_allow", host) if rule["ports"]]
    assert [port for rule in rules for port in rule["ports"]] == ports
    assert {tuple(rule.get("sources", ["anybody"])) for rule in rules} == {
        ("anybody",) if host == "web-1" else (WEB,)
    }


def test_one_host_needs_none_of_this(lab: Renderer) -> None:
    assert lab.value("database", "database_bind_addresses") == ["127.0.0.1"]
    assert not lab.value("database", "__database_remote")
    assert "ssl_" not in lab.text("database", "server.cnf.j2")
    assert lab.value("portal_settings", "portal_settings_database_host") == "localhost"
    assert lab.value("database_tunnel", "database_tunnel_host") == ""
    assert {tuple(one.get("bind", [])) for one in lab.value("cache", "cache_instances")} == {
        ("127.0.0.1",),
        (),
    }


def test_a_server_that_somebody_else_runs(outside: Renderer) -> None:
    assert client(outside, "web-1")["host"] == "db.example.com"
    assert client(outside, "web-1")["ssl-ca"] == "/etc/ssl/certs/ca-certificates.crt"
    assert outside.value("database_client", "database_client_ca_source", "web-1") == ""
    assert outside.value("database_tunnel", "database_tunnel_host", "web-1") == "db.example.com"


def test_hosts_without_the_portal_need_no_database(tiers: Renderer) -> None:
    assert tiers.value("database_client", "database_client_host", "cache-1") == ""
    assert tiers.value("environment_marker", "environment_marker_database", "cache-1") is False
    assert tiers.value("environment_marker", "environment_marker_database", "web-1") is True


@pytest.mark.parametrize(("engine", "reached"), [("sphinx", True), ("mysql", False)])
def test_the_fence_of_a_copy_lets_its_own_search_host_be_asked(
    make_renderer: Make, engine: str, reached: bool
) -> None:
    inside = {
        "staging-1": {"ansible_host": "192.0.2.21", "portal_search_engine": engine},
        "search-2": {"ansible_host": "192.0.2.22"},
    }
    tree = {"preproduction": {"hosts": inside}, "portal": {"hosts": {"staging-1": None}}}
    tree["search"] = {"hosts": {"search-2": None}}
    renderer = make_renderer("example", {"all": {"children": tree}})
    allowed = renderer.value("firewall", "firewall_egress_allow", "staging-1")
    (own,) = [item for item in allowed if item["comment"] == "the copy's own hosts"]
    assert own["addresses"] == ["192.0.2.22"]
    assert (9306 in own["ports"]) is reached
