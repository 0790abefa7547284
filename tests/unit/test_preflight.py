"""Checks before work: each judged from what was seen."""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.resolver
import pytest

import boxlift.preflight
from boxlift.errors import ExitCode
from boxlift.plan import Pass
from boxlift.preflight.backup import check_backups, expiry
from boxlift.preflight.finding import Finding, verdict
from boxlift.preflight.hosts import check_hosts
from boxlift.preflight.inventory import Inventory, check_inventory
from boxlift.preflight.look import Seen
from boxlift.preflight.names import Answer, Names, check_mail_names, check_names
from boxlift.preflight.services import backup_bytes, check_links, check_services
from boxlift.project import create, new_secrets
from boxlift.wheels import sources

ROLES = ("portal", "database", "cache", "push", "search")
VARIABLES: dict[str, Any] = {
    **new_secrets(),
    "ansible_host": "10.0.0.1",
    "portal_id": "acme-1",
    "portal_domain": "portal.acme.example",
    "portal_timezone": "Europe/Moscow",
    "portal_environment": "production",
}
NOW = 1795197600.0
FACTS: dict[str, Any] = {
    "ansible_distribution": "Debian",
    "ansible_distribution_major_version": "12",
    "ansible_user_id": "root",
    "ansible_date_time": {"epoch_int": str(int(NOW))},
}
SEEN = Seen(facts=FACTS, window=(NOW, NOW + 1), memory=4000, room=50_000_000_000)


def inventory(**variables: object) -> Inventory:
    groups = {"all": {"portal-1", "staging-1"}, "production": {"portal-1"}, "preproduction": {"staging-1"}}
    groups |= {role: {"portal-1", "staging-1"} for role in ROLES}
    frozen = {name: frozenset(hosts) for name, hosts in groups.items()}
    return Inventory(frozen, {"portal-1": VARIABLES | variables, "staging-1": VARIABLES})


def refused(findings: list[Finding]) -> dict[str, str]:
    return {f"{finding.subject} {finding.check}": finding.measured for finding in findings if not finding.ok}


def judge(seen: Seen) -> dict[str, str]:
    return refused(list(check_hosts(inventory(), {"portal-1": seen})))


def test_a_sound_inventory_and_a_fresh_host_pass() -> None:
    assert not refused(list(check_inventory(inventory())))
    assert not judge(SEEN)


@pytest.mark.parametrize(
    ("variables", "check", "measured"),
    [
        ({"portal_timezone": None}, "variables", "without portal_timezone"),
        ({"vault_cache_password": ""}, "secrets", "without vault_cache_password"),
        ({"ansible_host": "192.0.2.10"}, "address", "192.0.2.10"),
    ],
)
def test_inventory(variables: dict[str, object], check: str, measured: str) -> None:
    assert refused(list(check_inventory(inventory(**variables)))) == {f"portal-1 {check}": measured}


def test_every_environment_has_every_role_and_no_host_is_in_both() -> None:
    sound = inventory()
    wrong = replace(
        sound,
        groups={**sound.groups, "push": frozenset({"portal-1"}), "preproduction": frozenset(sound.variables)},
    )
    assert refused(list(check_inventory(wrong))) == {"project environments": "portal-1 in both"}
    lacking = replace(sound, groups={**sound.groups, "push": frozenset({"portal-1"})})
    assert refused(list(check_inventory(lacking))) == {"preproduction roles": "no host for push"}


@pytest.mark.parametrize(
    ("facts", "check", "measured"),
    [
        ({"ansible_distribution_major_version": "11"}, "system", "Debian 11"),
        ({"ansible_user_id": "admin"}, "rights", "admin"),
        ({"ansible_date_time": {"epoch_int": str(int(NOW) - 60)}}, "clock", "59 s off"),
    ],
)
def test_hosts(facts: dict[str, Any], check: str, measured: str) -> None:
    assert judge(replace(SEEN, facts=FACTS | facts)) == {f"portal-1 {check}": measured}


def test_room() -> None:
    assert judge(replace(SEEN, memory=900)) == {"portal-1 memory": "943.7 MB"}
    assert judge(replace(SEEN, room=5_000_000_000)) == {"portal-1 disk": "5.0 GB free"}


def test_a_foreign_marker_is_refused() -> None:
    own = {"environment": "production", "portal_id": "acme-1"}
    assert not judge(replace(SEEN, marker=own))
    assert judge(replace(SEEN, marker=own | {"environment": "preproduction"})) == {
        "portal-1 marker": "preproduction of acme-1"
    }


def test_what_is_in_the_way_is_told_whole() -> None:
    assert not judge(replace(SEEN, collisions=[]))
    found = [{"found": "port 80 is taken", "cure": "stop it"}, {"found": "ufw is on", "cure": "ufw disable"}]
    findings = list(check_hosts(inventory(), {"portal-1": replace(SEEN, collisions=found)}))
    told = [(item.measured, item.cure) for item in findings if item.check == "in the way" and item.refuses]
    assert told == [("port 80 is taken", "stop it"), ("ufw is on", "ufw disable")]


def test_a_host_that_cannot_be_reached_is_judged_by_nothing_else() -> None:
    away = Seen(failure="connect refused\nmore", unreachable=True)
    findings = list(check_hosts(inventory(), {"portal-1": away}))
    assert [finding.measured for finding in findings] == ["connect refused"]
    assert "firewall" in findings[0].cure
    assert verdict(findings) is ExitCode.UNREACHABLE
    strange = Seen(failure="Host key verification failed.", unreachable=True)
    assert "host key" in next(iter(check_hosts(inventory(), {"portal-1": strange}))).cure


def test_exit_codes() -> None:
    good = Finding("c", "s", ok=True, measured="", limit="")
    bad = replace(good, ok=False)
    away = replace(bad, unreachable=True)
    assert verdict([good]) is ExitCode.DONE
    assert verdict([good, bad, away]) is ExitCode.PREFLIGHT
    assert verdict([good, away]) is ExitCode.UNREACHABLE


LINK = "https://s3.example/acme.tar.gz?X-Amz-Date=20261120T180000Z&X-Amz-Expires=86400&X-Amz-Signature=canary"


@pytest.mark.parametrize(
    ("source", "end"),
    [
        (LINK, NOW + 86400),
        ("https://s3.example/a?AWSAccessKeyId=x&Expires=1795197600&Signature=y", NOW),
        ("https://s3.example/a?X-Amz-Date=yesterday&X-Amz-Expires=1", None),
        ("https://s3.example/a?X-Amz-Date=20261120T180000Z&X-Amz-Expires=inf", None),
        ("https://s3.example/a?Expires=nan&Signature=y", None),
        ("https://cloud.example/a.tar.gz", None),
        ("/backup/a.tar.gz", None),
    ],
)
def test_expiry_of_links(source: str, end: float | None) -> None:
    assert expiry(source) == end


def test_backups(tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.mkdir()
    project = create(tmp_path / "acme", template=template, vault_password_file=tmp_path / "password")
    assert not list(check_backups(project))
    project.set_backup(Pass.FINAL, [LINK])
    assert not refused(list(check_backups(project, NOW + 86400 - 3600)))
    late = list(check_backups(project, NOW + 86400 + 120))
    assert refused(late) == {"final's backup link": "ran out 2 min ago"}
    assert "canary" not in repr(late)
    (project.root / "backup" / "final.txt").chmod(0o644)
    assert list(refused(list(check_backups(project)))) == ["final's backup source"]


MEANING: dict[str, Any] = {
    "domain": "",
    "telephony_domain": "",
    "mail_domain": "",
    "mail_selectors": [],
    "public_address": "",
    "dns_servers": [],
    "mail_mode": "relay",
    "license_key": "right",
    "certificate": "files",
    "packages": {"portal_archive": True, "push_server_archive": True},
    "wheels": "",
    "told": 1,
}


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder that somebody filled by hand with what this boxlift needs."""
    source, _ = sources()
    version = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / f"bxbackup-{version}-py3-none-any.whl").touch()
    return folder


def services(**seen: Any) -> dict[str, Finding]:
    here = replace(SEEN, meaning=MEANING | seen.pop("meaning", {}), **seen)
    return {finding.check: finding for finding in check_services(inventory(), {"portal-1": here})}


def test_what_a_move_needs_besides_hosts(wheels: Path) -> None:
    mail = {"host": "mail.acme.example", "port": 25, "answers": True, "greeting": "220 mail.acme.example"}
    there = {"wheels": str(wheels)}
    assert all(finding.ok for finding in services(mail=mail, certificate=200, meaning=there).values())
    closed = {"host": "mail.acme.example", "port": 25, "answers": False, "error": "timed out"}
    assert services(mail=closed)["mail server"].measured == "mail.acme.example port 25: timed out"
    assert services(mail=mail | {"greeting": "554 no"})["mail server"].refuses
    assert services(meaning={"packages": {"portal_archive": False}})["packages"].refuses


def test_the_restore_needs_wheels_of_this_boxlift(wheels: Path, tmp_path: Path) -> None:
    assert services(meaning={"wheels": str(wheels)})["wheels"].ok
    for folder in ("", str(tmp_path / "packages" / "wheels")):
        absent = services(meaning={"wheels": folder})["wheels"]
        assert absent.refuses
        assert absent.cure == "boxlift wheels"
    (wheel,) = wheels.iterdir()
    wheel.rename(wheel.with_name("bxbackup-0.0.9-py3-none-any.whl"))
    other = services(meaning={"wheels": str(wheels)})["wheels"]
    assert (other.ok, other.refuses) == (False, False)


def test_a_certificate_may_come_later_but_not_wrong() -> None:
    assert not services(meaning={"certificate": "awaited"})["certificate"].refuses
    assert services(certificate=["the key belongs to another certificate"])["certificate"].refuses
    late = services(certificate=29)["certificate"]
    assert (late.ok, late.refuses) == (False, False)
    assert "certificate" not in services(meaning={"certificate": "lab_ca"})


@pytest.mark.parametrize(
    ("key", "ok", "refuses"), [("right", True, False), ("none", False, False), ("wrong", False, True)]
)
def test_licence_key(key: str, ok: bool, refuses: bool) -> None:
    found = services(meaning={"license_key": key})["licence key"]
    assert (found.ok, found.refuses) == (ok, refuses)


@pytest.mark.parametrize(("told", "measured"), [(0, "nobody is told"), (2, "2 targets told")])
def test_somebody_is_told_when_the_open_portal_goes_wrong(told: int, measured: str) -> None:
    found = services(meaning={"told": told})["monitoring"]
    assert (found.ok, found.measured, found.refuses) == (told > 0, measured, False)


def marks(last: int, size: int) -> str:
    """First bytes of a first part: backup_format 3.2."""
    head = bytes.fromhex("1f8b0804000000000003") + b"\x0a\x00LN" + last.to_bytes(2, "little")
    return (head + b"BX" + size.to_bytes(4, "little")).hex()


@pytest.mark.parametrize(("room", "ok"), [(15_000_000_000, True), (14_999_999_999, False)])
def test_room_for_the_whole_backup(room: int, ok: bool) -> None:
    answer = {"head": marks(9, 1_000_000_000), "size": 500_000_000}
    fetch, disk = check_links("portal-1", {"final": answer}, room)
    assert fetch.ok
    assert disk.ok is ok
    assert disk.limit == "at least 15.0 GB, and the database on top"


@pytest.mark.parametrize(
    ("last", "size", "expected"), [(0, 1000, 1000), (4, 1000, 4500), (None, 1000, None), (4, None, None)]
)
def test_the_first_part_says_how_large_the_backup_is(
    last: int | None, size: int | None, expected: int | None
) -> None:
    head = "00" * 64 if last is None else marks(last, 7)
    assert backup_bytes({"head": head, "size": size}) == expected
    assert backup_bytes({"error": "404"}) is None


def test_a_backup_without_marks_says_nothing_of_its_size() -> None:
    (fetch,) = check_links("portal-1", {"final": {"head": "00" * 64, "size": 7}}, 0)
    assert (fetch.ok, fetch.measured) == (True, "first part of 7 B")


def test_warnings_keep_nobody_from_starting() -> None:
    warning = Finding("c", "s", ok=False, measured="", limit="", warning=True)
    assert verdict([warning]) is ExitCode.DONE
    assert verdict([warning, replace(warning, warning=False)]) is ExitCode.PREFLIGHT


def test_every_check_has_its_place_in_the_documents() -> None:
    """Names of checks are the first argument of each Finding, or of a function that makes one."""
    sources = Path(boxlift.preflight.__file__).parent.glob("*.py")
    calls = [
        node.args[0].value
        for source in sources
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") in {"Finding", "_program", "_one"}
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]
    document = (Path(__file__).parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")
    headings = {
        name for line in re.findall(r"^## (.+)$", document, re.MULTILINE) for name in line.split(", ")
    }
    assert len(calls) > 25
    assert {str(name) for name in calls} == headings
    for part in ("**Description.**", "**Fail state.**", "**Rationale.**"):
        assert document.count(part) == document.count("\n## ")


class Fading(Names):
    """Answers a few questions with a sound SPF record, and none after them."""

    def __init__(self, answers: int) -> None:
        super().__init__(["127.0.0.1"])
        self._left = answers

    def texts(self, name: str) -> Answer:
        self._left -= 1
        text = "v=DMARC1; p=none" if name.startswith("_dmarc") else "v=spf1 -all"
        return Answer((text,)) if self._left >= 0 else Answer(silent=True)

    def name_of(self, address: str) -> Answer:
        return self.texts(address)


@pytest.mark.parametrize(("answers", "asked"), [(1, "_dmarc.acme.test"), (2, "box._domainkey.acme.test")])
def test_a_name_server_that_falls_silent_says_nothing_of_records(answers: int, asked: str) -> None:
    found = list(check_mail_names(Fading(answers), "acme.test", ["box"], "203.0.113.9"))
    assert (found[-1].subject, found[-1].measured) == (asked, "no name server answers")
    assert len(found) == answers + 1


def test_a_silent_name_server_says_nothing_of_an_address() -> None:
    found = list(check_mail_names(Fading(2), "acme.test", [], "203.0.113.9"))
    assert (found[-1].check, found[-1].measured) == ("dns", "no name server answers")


def test_a_control_node_without_a_resolver_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", absent)
    (found,) = check_names(Names(), {"portal.acme.test": ()})
    assert found.measured == "no name server answers"
