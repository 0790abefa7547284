"""The nftables ruleset: closed input, fenced copies, counted output."""

import re
from typing import Any

import pytest
from ansible.errors import AnsibleUndefinedVariable
from ansible.template import trust_as_template

from tests.templates.renderer import Renderer

LOOKUPS = {
    "results": [
        {"item": "mail.acme.example", "stdout_lines": ["192.0.2.25  STREAM mail.acme.example"]},
        {
            "item": "deb.example.org",
            "stdout_lines": ["192.0.2.80 STREAM", "192.0.2.80 DGRAM", "2001:db8::80 STREAM"],
        },
        {"item": "gone.example.org", "stdout_lines": []},
    ]
}
PACKAGES = {"places": [{"host": "deb.example.org", "port": 80}, {"host": "gone.example.org", "port": 443}]}


def ruleset(renderer: Renderer, host: str = "portal-1", **given: Any) -> str:
    known = {"__firewall_lookups": LOOKUPS, "__firewall_packages": PACKAGES}
    return renderer.text("firewall", "nftables.conf.j2", host, **{**known, **given})


def chain(text: str, name: str) -> list[str]:
    body = re.search(rf"chain {name} \{{\n(.*?)\n  \}}", text, re.DOTALL)
    assert body
    return [line.strip() for line in body[1].splitlines() if line.strip()]


def test_a_portal_offers_the_web_and_ssh(lab: Renderer) -> None:
    rules = chain(ruleset(lab), "input")
    assert rules[0] == "type filter hook input priority filter; policy drop;"
    assert [rule for rule in rules if "dport" in rule] == [
        'tcp dport { 22 } accept comment "ssh"',
        'tcp dport { 80, 443, 8893, 8894 } accept comment "portal"',
    ]


def test_sources_narrow_a_rule(lab: Renderer) -> None:
    rule = {"ports": [3306], "sources": ["192.0.2.12", "2001:db8::1", "192.0.2.11"], "comment": "database"}
    rules = chain(
        ruleset(lab, firewall_input_allow=[rule], firewall_ssh_sources=["198.51.100.0/24"]), "input"
    )
    assert [line for line in rules if "dport" in line] == [
        'ip saddr { 198.51.100.0/24 } tcp dport { 22 } accept comment "ssh"',
        'ip saddr { 192.0.2.11, 192.0.2.12 } tcp dport { 3306 } accept comment "database"',
        'ip6 saddr { 2001:db8::1 } tcp dport { 3306 } accept comment "database"',
    ]


def test_nobody_is_not_everybody(lab: Renderer) -> None:
    text = ruleset(lab, firewall_input_allow=[{"ports": [3306], "sources": []}])
    assert "3306" not in text


def test_sources_that_cannot_be_computed_open_nothing(lab: Renderer) -> None:
    with pytest.raises(AnsibleUndefinedVariable):
        ruleset(lab, firewall_input_allow=[{"ports": [3306], "sources": trust_as_template("{{ nowhere }}")}])


def test_what_php_and_the_mail_relay_send_is_counted(lab: Renderer) -> None:
    text = ruleset(lab)
    rules = chain(text, "output")
    assert "meta skuid portal jump count_portal_egress" in rules
    assert "meta skuid postfix jump count_portal_mail" in rules
    assert chain(text, "count_portal_mail")[-1] == "counter name portal_mail"
    assert chain(text, "count_portal_egress") == [
        "meta l4proto { tcp, udp } th dport 53 ip daddr { 192.0.2.53 } return",
        "counter name portal_egress",
    ]


def test_production_sends_what_it_wants(lab: Renderer) -> None:
    rules = chain(ruleset(lab), "output")
    assert rules[0].endswith("policy accept;")
    assert not any("reject" in rule for rule in rules)


def test_a_copy_is_fenced(lab: Renderer) -> None:
    rules = chain(ruleset(lab, "staging-1"), "output")
    assert rules[0].endswith("policy drop;")
    assert [rule for rule in rules if "dport" in rule] == [
        'ip daddr { 192.0.2.53 } udp dport { 53 } accept comment "names"',
        'ip daddr { 192.0.2.53 } tcp dport { 53 } accept comment "names"',
        'meta skuid _apt ip daddr { 192.0.2.80 } tcp dport { 80 } accept comment "packages"',
        'meta skuid _apt ip6 daddr { 2001:db8::80 } tcp dport { 80 } accept comment "packages"',
        *(
            f"meta skuid root {family} daddr @clone_source_{version} tcp dport {{ 22 }}"
            ' accept comment "the portal that is copied"'
            for family, version in (("ip", 4), ("ip6", 6))
        ),
    ]
    assert rules[-1] == "counter name egress_refused reject with icmpx admin-prohibited"


@pytest.mark.parametrize(("given", "port"), [({}, 25), ({"mail_relay_port": 587}, 587)])
def test_the_fence_lets_mail_for_the_one_address_to_the_port_of_its_server(
    lab: Renderer, given: dict[str, int], port: int
) -> None:
    server = "meta skuid postfix ip daddr { 192.0.2.25 }"
    rule = f'{server} tcp dport {{ {port} }} accept comment "mail for the one address"'
    caught = ruleset(lab, "staging-1", mail_relay_mode="catch_all", **given)
    assert rule in chain(caught, "output")
    assert "mail for the one address" not in ruleset(lab, "staging-1", **given)


def test_the_time_is_asked_by_its_own_account(example: Renderer) -> None:
    rules = chain(ruleset(example, "staging-1"), "output")
    assert 'meta skuid systemd-timesync udp dport { 123 } accept comment "time"' in rules


def test_production_is_out_of_reach_until_a_copy_opens_the_way(lab: Renderer) -> None:
    text = ruleset(lab, "staging-1")
    assert "192.0.2.11" not in text
    for version in (4, 6):
        declared = text[text.index(f"set clone_source_{version} {{") :]
        assert re.match(
            rf"set clone_source_{version} \{{\n +type ipv{version}_addr\n +flags timeout\n +\}}\n", declared
        )


def test_the_way_to_the_source_closes_by_itself(lab: Renderer) -> None:
    given = {"portal_reader_source_address": "192.0.2.11", "portal_reader_hours": 3}
    command = lab.value("portal_reader", "portal_reader_open_command", "staging-1", **given)
    assert command[-2:] == ["clone_source_4", "{ 192.0.2.11 timeout 3h }"]
    command = lab.value("portal_reader", "portal_reader_close_command", "staging-1", **given)
    assert command == ["nft", "flush", "set", "inet", "boxlift", "clone_source_4"]
    assert lab.value("portal_reader", "portal_reader_open_command", "portal-1", **given) == []


def test_a_fenced_host_does_not_even_ping(lab: Renderer) -> None:
    rules = chain(ruleset(lab, "staging-1"), "output")
    assert not any("l4proto { 1, 58 }" in rule for rule in rules)
    assert any(rule.startswith("icmpv6 type { nd-router-solicit,") for rule in rules)


def test_what_may_leave_by_ssh_is_an_answer(lab: Renderer) -> None:
    rules = chain(ruleset(lab, "staging-1"), "output")
    assert 'tcp sport { 22 } tcp flags & (syn | ack) != syn accept comment "answers of ssh"' in rules


def test_the_example_lets_no_mail_of_a_copy_out(example: Renderer) -> None:
    assert not any("dport { 25 }" in rule for rule in chain(ruleset(example, "staging-1"), "output"))


@pytest.mark.parametrize("host", ["portal-1", "staging-1"])
def test_the_table_is_replaced_in_one_step(lab: Renderer, host: str) -> None:
    text = ruleset(lab, host)
    assert text.index("delete table inet boxlift") < text.index("table inet boxlift {")
    assert "flush ruleset" not in text
