"""Secrets stay hidden, wherever they come from."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from boxlift.errors import UsageError
from boxlift.project.vault import VaultSource, encrypt
from boxlift.redact import HIDDEN, Redactor
from boxlift.runner.secrets import inventory_secrets, named_secrets


def test_known_values_are_hidden_also_as_json_and_python_write_them() -> None:
    redact = Redactor(['pa"ss\nword-line-two', "Тест-Acme 2026!"])
    assert redact("x Тест-Acme 2026! y") == f"x {HIDDEN} y"
    assert redact("\\u0422\\u0435\\u0441\\u0442-Acme 2026!") == HIDDEN
    assert redact("only word-line-two here") == f"only {HIDDEN} here"


def test_known_values_are_hidden_as_urls_and_base64_write_them() -> None:
    redact = Redactor(["p@ss w/rd"])
    for written in ("p%40ss%20w/rd", "p%40ss%20w%2Frd", "p%40ss+w%2Frd", "cEBzcyB3L3Jk"):
        assert redact(f"<{written}>") == f"<{HIDDEN}>"


def test_the_longest_secret_goes_first() -> None:
    assert Redactor(["abcdef", "abcdefghi"])("abcdefghi") == HIDDEN


def test_short_words_are_left() -> None:
    assert Redactor(["yes", ""])("yes") == "yes"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "GET https://s3.example/a.gz?X-Amz-Signature=1f&b=2 403",
            f"GET https://s3.example/a.gz?{HIDDEN} 403",
        ),
        ("https://user:pw@host.example/x", f"https://{HIDDEN}@host.example/x"),
        ("is it so? yes", "is it so? yes"),
        ("ftp://user:p%40ss@host.example/x", f"ftp://{HIDDEN}@host.example/x"),
        ("s3://bucket/a?token=abc", f"s3://bucket/a?{HIDDEN}"),
        ("X-Amz-Signature=1f2e&X-Amz-Expires=60", f"X-Amz-Signature={HIDDEN}&X-Amz-Expires=60"),
        ("-H 'Authorization: Bearer abc.def'", f"-H 'Authorization: Bearer {HIDDEN}"),
        ('{"authorization": "Basic dTpw"}', f'{{"authorization": "Basic {HIDDEN}'),
        ("the token is lost", "the token is lost"),
    ],
)
def test_signed_links_and_logins_in_urls(text: str, shown: str) -> None:
    assert Redactor()(text) == shown


@pytest.fixture
def source(tmp_path: Path) -> VaultSource:
    path = tmp_path / "password"
    path.write_text("the vault's own password\n")
    path.chmod(0o600)
    return VaultSource(path)


def test_nothing_is_left_that_a_terminal_would_obey() -> None:
    assert Redactor()("a\x1b]0;b\x07c\r\n\td\u202e\x9be") == "a ]0;b c \n\td  e"
    assert Redactor(["can\x1bary"])("x can\x1bary y") == "x ******** y"


def test_secrets_of_an_inventory(tmp_path: Path, source: VaultSource) -> None:
    inventory = tmp_path / "inventory" / "group_vars"
    inventory.mkdir(parents=True)
    (inventory / "vault.yml").write_bytes(encrypt({"vault_a": "canary-file"}, source))
    scalar = encrypt_scalar("canary-inline", source)
    (inventory / "all.yml").write_text(
        "mail_password: canary-plain\n"
        "nested: [{api_token: canary-nested}]\n"
        "certificate_key: /etc/ssl/key.pem\n"
        "shown: ordinary-value\n"
        f"inline: !vault |\n{scalar}"
        "other: !unsafe raw\n"
    )
    (inventory / "broken.yml").write_text("{")
    (inventory / "vault_more.yml").write_bytes(
        encrypt({"vault_pin": 40404040, "list": ["canary-list"]}, source)
    )
    (inventory / "hosts").write_text(
        "[all]\nh1 ansible_password=canary-ini ansible_user=root ansible_become_pass='canary quoted'\n"
    )
    (inventory / "hosts.py").write_text("#!/bin/sh\npassword=code\n")
    (inventory / "dynamic").write_text("#!/bin/sh\npassword=run-by-ansible\n")
    (inventory / "dynamic").chmod(0o755)
    found = set(inventory_secrets(tmp_path / "inventory", source))
    assert found == {
        "the vault's own password",
        "canary-file",
        "canary-inline",
        "canary-plain",
        "canary-nested",
        "40404040",
        "canary-list",
        "canary-ini",
        "canary quoted",
    }


def encrypt_scalar(text: str, source: VaultSource) -> str:
    secret = VaultSecret(source.read())
    lines = VaultLib([("default", secret)]).encrypt(text, secret=secret).decode().splitlines()
    return "".join(f"  {line}\n" for line in lines)


def test_an_absent_inventory_is_told(tmp_path: Path, source: VaultSource) -> None:
    with pytest.raises(UsageError, match="there is no inventory"):
        list(inventory_secrets(tmp_path / "absent", source))


def test_a_vault_with_another_password_is_told(tmp_path: Path, source: VaultSource) -> None:
    inventory = tmp_path / "inventory"
    inventory.mkdir()
    (inventory / "vault.yml").write_bytes(encrypt({"a": "b"}, source))
    source.path.write_text("another\n")
    with pytest.raises(UsageError, match="cannot be opened with the vault password"):
        list(inventory_secrets(inventory, source))


def test_variables_are_secret_by_their_names() -> None:
    variables = {
        "boxlift_pass": "rehearsal",
        "portal_release": "rehearsal-1",
        "smtp_pass": "canary-smtp",
        "hooks": [{"apikey": "canary-key", "name": "shown"}],
        "deploy_key": "/etc/keys/deploy",
        "tokens": ["canary-token"],
        "password_length": 12345678,
        "has_password": True,
    }
    found = set(named_secrets(variables))
    assert found == {"canary-smtp", "canary-key", "canary-token", "12345678"}
