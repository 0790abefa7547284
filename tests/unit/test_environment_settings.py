"""Secrets stay on the host that is compared, whatever they stand in; what is none can be read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from library.environment_settings import Reader

READER = Reader(cast("Any", SimpleNamespace(params={"key": "k", "current": "/nonexistent"})))
SECRET = "Zq8vR2pLw9"


@pytest.mark.parametrize(
    "value",
    [
        f"https://robot:{SECRET}@hooks.vendor.example/in",
        f"https://hooks.vendor.example/T0/{SECRET}{SECRET}",
        f"https://hooks.vendor.example/in?access_token={SECRET}",
        f"https://portal.acme.example/rest/1/{SECRET}/profile",
        f"tcp://127.0.0.1:6379?auth={SECRET}",
        f'a:1:{{s:8:"password";s:10:"{SECRET}";}}',
        f'{{"clientSecret": "{SECRET}"}}',
        f'{{"api_key":"{SECRET}"}}',
    ],
)
def test_a_value_that_carries_a_secret_is_hashed(value: str) -> None:
    assert SECRET not in READER._shown("address", value)
    assert READER._shown("address", value) == READER._shown("other", value)


@pytest.mark.parametrize(
    "line",
    [
        f'define("SMTP_PASSWORD","{SECRET}");',
        f"define('SMTP_KEY', '{SECRET}');",
        f"$DBPassword = '{SECRET}';",
        f"user default on >{SECRET} ~* +@all",
        f"requirepass {SECRET}",
        f'proxy_set_header Authorization "Basic {SECRET}=";',
        f"0 3 * * * root curl -u robot:{SECRET} https://backup.example/",
        f"php_admin_value[session.save_path] = tcp://127.0.0.1:6379?auth={SECRET}",
    ],
)
def test_a_line_that_sets_a_secret_is_hashed(line: str) -> None:
    assert SECRET not in READER._line(line)


@pytest.mark.parametrize(
    "line",
    [
        "user www-data;",
        "user = portal",
        "0 3 * * * root /usr/local/sbin/backup",
        'add_header Strict-Transport-Security "max-age=31536000" always;',
        "proxy_pass http://127.0.0.1:8895;",
        'fastcgi_param HTTP_AUTHORIZATION "";',
        "fastcgi_pass unix:/run/php/portal.sock;",
        "memory_limit = 512M",
        "root /srv/portal/current;",
    ],
)
def test_other_lines_can_be_read(line: str) -> None:
    assert READER._line(line) == line
    assert READER._shown("name", line) == line
