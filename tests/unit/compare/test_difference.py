"""What differs, what is expected to, and what must."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxlift.compare import Comparison, Environment, Expectation, compared, load_expectations
from boxlift.errors import UsageError

EXPECTED = (
    Expectation.model_validate({"part": "options", "name": "main/check_*", "reason": "quiet"}),
    Expectation.model_validate(
        {"part": "options", "name": "pull/key", "reason": "own key", "must_differ": True}
    ),
    Expectation.model_validate({"part": "nginx", "name": "*", "lines": ["auth_basic"], "reason": "fenced"}),
)


def judged(left: dict[str, dict[str, str]], right: dict[str, dict[str, str]]) -> Comparison:
    sides = (Environment("production", parts=left), Environment("preproduction", parts=right))
    return compared(*sides, EXPECTED)


def test_equal_settings_have_no_difference() -> None:
    same = {"packages": {"nginx": "1.22"}}
    found = judged(same, same)
    assert (found.compared, found.differences) == (1, ())


def test_another_version_and_a_missing_package_are_told() -> None:
    found = judged({"packages": {"nginx": "1.22", "mc": "4"}}, {"packages": {"nginx": "1.24"}})
    assert [(item.name, item.left, item.right, item.expected) for item in found.differences] == [
        ("mc", "4", None, False),
        ("nginx", "1.22", "1.24", False),
    ]


def test_what_keeps_a_copy_still_is_folded_away() -> None:
    found = judged({"options": {"main/check_agents": "Y"}}, {"options": {"main/check_agents": "N"}})
    assert found.unexpected == ()
    assert [item.reason for item in found.differences] == ["quiet"]


def test_an_address_of_production_s_is_no_counter() -> None:
    sides = [
        Environment(name, parts={"options": {"main/last_site_url": name, "crm/last_run": name}})
        for name in ("production", "preproduction")
    ]
    found = compared(sides[0], sides[1], load_expectations(None))
    assert [item.name for item in found.unexpected] == ["main/last_site_url"]


def test_a_key_that_both_have_is_a_finding() -> None:
    shared = judged({"options": {"pull/key": "secret 1"}}, {"options": {"pull/key": "secret 1"}})
    assert [(item.kind, item.expected) for item in shared.differences] == [("equal", False)]
    own = judged({"options": {"pull/key": "secret 1"}}, {"options": {"pull/key": "secret 2"}})
    assert own.unexpected == ()


def test_own_names_in_what_must_differ_do_differ() -> None:
    sides = [
        Environment(name, words={domain: "<domain>"}, parts={"options": {"pull/key": domain}})
        for name, domain in (("production", "portal.acme.example"), ("preproduction", "staging.acme.example"))
    ]
    assert compared(sides[0], sides[1], EXPECTED).differences == ()


def test_of_a_text_only_unexpected_lines_are_shown() -> None:
    left = "server {\n  gzip on;\n}\n"
    right = 'server {\n  auth_basic "x";\n  gzip off;\n}\n'
    item = judged({"nginx": {"site": left}}, {"nginx": {"site": right}}).differences[0]
    assert not item.expected
    assert item.lines == ("-  gzip on;", "+  gzip off;")
    fenced = 'server {\n  auth_basic "x";\n  gzip on;\n}\n'
    assert judged({"nginx": {"site": left}}, {"nginx": {"site": fenced}}).unexpected == ()


def test_own_names_are_the_same_on_both_sides() -> None:
    production = Environment(
        "production",
        words={"portal.acme.example": "<domain>", "portal-1": "<host>"},
        parts={
            "options": {
                "main/server_name": "portal.acme.example",
                "main/site": "x.portal.acme.example portal-11",
            }
        },
    )
    assert production.neutral() == {
        "options": {"main/server_name": "<domain>", "main/site": "x.<domain> portal-11"}
    }


def test_lengths_of_own_names_in_lists_are_no_difference() -> None:
    sides = [
        Environment(
            name,
            words={domain: "<domain>"},
            parts={"options": {"intranet/trusted_hosts": f'a:1:{{i:0;s:{len(domain)}:"{domain}";}}'}},
        )
        for name, domain in (("production", "portal.acme.example"), ("preproduction", "staging.acme.example"))
    ]
    assert compared(sides[0], sides[1], EXPECTED).differences == ()


def test_a_project_adds_what_it_expects(tmp_path: Path) -> None:
    own = len(load_expectations(tmp_path))
    (tmp_path / "compare.yml").write_text("expected: [{part: packages, name: mc, reason: liked}]\n")
    found = load_expectations(tmp_path)
    assert len(found) == own + 1
    assert found[-1].speaks_of("packages", "mc")


@pytest.mark.parametrize(
    "text",
    ["", "expected: [", "expected: [{part: x}]", "expected: [{part: x, name: y, reason: z, lines: ['(']}]"],
)
def test_a_broken_list_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "compare.yml").write_text(text)
    with pytest.raises(UsageError, match=r"compare\.yml"):
        load_expectations(tmp_path)
