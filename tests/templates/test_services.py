"""Redis instances, push server instances, mail relay, Asterisk."""

import json
import re

import pytest

from tests.templates.renderer import SECRETS, Renderer


def redis(renderer: Renderer, name: str) -> dict[str, str]:
    instances = {item["name"]: item for item in renderer.value("cache", "cache_instances")}
    text = renderer.text("cache", "redis.conf.j2", item=instances[name])
    lines = (line.split(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return dict(lines)


def test_sessions_are_kept(lab: Renderer) -> None:
    found = redis(lab, "sessions")
    assert found["maxmemory-policy"] == "noeviction"
    assert found["appendonly"] == "yes"
    assert found["port"] == "6380"
    assert found["requirepass"] == SECRETS["vault_cache_password"]
    assert found["bind"] == "127.0.0.1"


def test_caches_may_go(lab: Renderer) -> None:
    found = redis(lab, "cache")
    assert found["maxmemory-policy"] == "allkeys-lru"
    assert found["appendonly"] == "no"


def test_push_has_a_socket_and_no_port(lab: Renderer) -> None:
    found = redis(lab, "push")
    assert found["port"] == "0"
    assert "requirepass" not in found
    assert found["unixsocket"] == lab.value("push_server", "push_server_redis_socket")
    assert found["unixsocketperm"] == "770"


def test_instances_of_the_push_server(lab: Renderer) -> None:
    instances = lab.value("push_server", "__push_server_instances")
    assert [(item["kind"], item["port"]) for item in instances] == [
        ("sub", 8010),
        ("sub", 8011),
        ("pub", 9010),
    ]


@pytest.mark.parametrize(("kind", "publishes"), [("sub", False), ("pub", True)])
def test_settings_of_the_push_server(lab: Renderer, kind: str, publishes: bool) -> None:
    found = json.loads(lab.text("push_server", "instance.json.j2", item={"kind": kind, "port": 8010}))
    assert found["publishMode"] is publishes
    assert found["servers"][0]["port"] == 8010
    assert found["servers"][0]["routes"]["sub"] == "/bitrix/subws/"
    assert found["security"] == {"key": SECRETS["vault_push_signature_key"], "algo": "sha1"}
    # The shipped configurations spell it in a way that the code ignores (portal_runtime E2).
    assert found["storage"]["messageTTL"] == 86400


def test_unit_of_the_push_server(lab: Renderer) -> None:
    unit = lab.text("push_server", "push-server@.service.j2", push_server_checksum="sha256:" + "0" * 64)
    assert "User=push-server\n" in unit
    assert (
        "ExecStart=/usr/bin/node /opt/push-server/000000000000/server.js --config /etc/push-server/%i.json\n"
        in unit
    )


def test_production_mails_everybody(lab: Renderer) -> None:
    text = lab.text("mail_relay", "main.cf.j2")
    assert "relayhost = [mail.acme.example]:25\n" in text
    assert "inet_interfaces = loopback-only\n" in text
    assert "myhostname = portal.acme.example\n" in text
    assert "recipient_canonical_maps" not in text
    assert "discard" not in text


def relayed(renderer: Renderer, **given: str) -> dict[str, str]:
    """Settings of Postfix."""
    lines = renderer.text("mail_relay", "main.cf.j2", **given).splitlines()
    return dict(
        re.split(" =(?: |$)", line, maxsplit=1) for line in lines if line and not line.startswith("#")
    )


def test_a_mail_server_that_wants_an_account_gets_it(lab: Renderer) -> None:
    given = {
        "mail_relay_host": "mail.acme.example",
        "mail_relay_port": "587",
        "mail_relay_user": "portal@acme.example",
        "mail_relay_password": "canary-password",
    }
    found = relayed(lab, **given)
    assert {name: value for name, value in found.items() if "sasl" in name} == {
        "smtp_sasl_auth_enable": "yes",
        "smtp_sasl_password_maps": "texthash:/etc/postfix/relay_password",
        "smtp_sasl_security_options": "noanonymous",
    }
    # Postfix looks the account up by what the relay is called, letter by letter.
    assert found["relayhost"] == "[mail.acme.example]:587"
    assert lab.value("mail_relay", "__mail_relay_next_hop", **given) == found["relayhost"]
    # Everybody may read the settings.
    assert "canary" not in str(found)
    assert "libsasl2-modules" in lab.value("mail_relay", "__mail_relay_packages", **given)


def test_without_an_account_none_is_shown(lab: Renderer) -> None:
    assert [name for name in relayed(lab, mail_relay_user="") if "sasl" in name] == []


@pytest.mark.parametrize("level", ["none", "may", "encrypt", "verify"])
def test_mail_is_as_secret_on_its_way_as_is_asked(lab: Renderer, level: str) -> None:
    found = relayed(lab, mail_relay_tls=level)
    assert found["smtp_tls_security_level"] == level
    assert found["smtp_tls_CApath"] == "/etc/ssl/certs"


ACCOUNT = {"getent_passwd": {"caught-mail": ["x", "107", "112", "", "/var/mail/caught", ""]}}


@pytest.mark.parametrize("name", ["lab", "example"])
def test_a_copy_keeps_every_mail(name: str, request: pytest.FixtureRequest) -> None:
    text = request.getfixturevalue(name).text(
        "mail_relay", "main.cf.j2", "staging-1", ansible_facts={"fqdn": "staging-1", **ACCOUNT}
    )
    for line in (
        "default_transport = virtual:",
        "relay_transport = virtual:",
        "virtual_mailbox_base = /var/mail",
        "virtual_mailbox_maps = static:caught/",
        "virtual_uid_maps = static:107",
        "virtual_gid_maps = static:112",
    ):
        assert f"\n{line}\n" in text


def test_a_copy_may_mail_one_address(lab: Renderer) -> None:
    text = lab.text("mail_relay", "main.cf.j2", "staging-1", mail_relay_mode="catch_all")
    assert "recipient_canonical_maps = regexp:/etc/postfix/catch_all\n" in text
    assert "recipient_canonical_classes = envelope_recipient\n" in text
    assert "virtual" not in text


def test_a_copy_may_drop_its_mail(example: Renderer) -> None:
    text = example.text("mail_relay", "main.cf.j2", "staging-1", mail_relay_mode="discard")
    assert "default_transport = discard:\n" in text
    assert "relay_transport = discard:\n" in text


def test_asterisk_serves_the_certificate(lab: Renderer) -> None:
    web = lab.text("telephony_certificate", "http.conf.j2", "pbx-1")
    assert web.startswith("[general](+)\n")
    assert "tlsbindaddr=0.0.0.0:8089\n" in web
    sip = lab.text("telephony_certificate", "pjsip.conf.j2", "pbx-1")
    assert "bind=0.0.0.0:5061\n" in sip
    assert "allow_reload=yes\n" in sip


def test_packages_come_from_the_mirror_that_is_named(lab: Renderer) -> None:
    mirror = {"base_package_mirror": "http://mirror.acme.example/debian"}
    alone = lab.text("base", "debian.sources.j2", **mirror)
    assert alone.count("Types: deb") == 1
    assert "Suites: bookworm bookworm-updates\n" in alone
    both = lab.text("base", "debian.sources.j2", base_package_security_mirror="http://m/security", **mirror)
    assert "\n\nTypes: deb\nURIs: http://m/security\nSuites: bookworm-security\n" in both


def test_a_redis_instance_has_its_own_settings_alone(lab: Renderer) -> None:
    lines = lab.text("cache", "sandbox.conf.j2").splitlines()
    # Debian's unit lets it write to the folder: the list is emptied first, or that would win.
    assert lines.index("ReadWritePaths=") < lines.index(
        "ReadWritePaths=-/var/lib/redis -/var/log/redis -/run/redis-%i"
    )
    assert "BindReadOnlyPaths=/etc/redis/redis-%i.conf" in lines


def test_nothing_that_filters_system_calls_keeps_agents_from_sending_mail(lab: Renderer) -> None:
    """With User= such a filter implies NoNewPrivileges, and sendmail loses its group."""
    text = lab.text("portal", "portal-agents.service.j2")
    filters = (
        "NoNew",
        "PrivateDevices",
        "ProtectKernel",
        "ProtectClock",
        "ProtectHostname",
        "Restrict",
        "SystemCall",
        "Lock",
    )
    assert [line for line in text.splitlines() if line.startswith(filters)] == []
    assert "ProtectSystem=strict\n" in text
