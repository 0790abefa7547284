"""PHP as the product's installer and its system check want it (portal_runtime A2, A3)."""

import json
from typing import Any

import pytest
from testinfra.host import Host

REQUIRED_EXTENSIONS = {
    "mysqli", "mbstring", "openssl", "hash", "session", "zlib", "gd", "xml", "pcre", "json", "dom", "zip",
    "curl", "redis",
}  # fmt: skip
SETTINGS = {
    "short_open_tag": "1",
    "max_input_vars": "10000",
    "default_charset": "UTF-8",
    "mbstring.internal_encoding": "",
    "file_uploads": "1",
    "session.auto_start": "0",
    "opcache.validate_timestamps": "1",
    "opcache.revalidate_freq": "0",
    "realpath_cache_size": "4096k",
    "open_basedir": "",
}


@pytest.fixture(scope="module")
def php(portal: Host) -> dict[str, Any]:
    program = (
        "echo json_encode(['extensions' => get_loaded_extensions(), 'settings' => ini_get_all(null, false)]);"
    )
    facts: dict[str, Any] = json.loads(portal.check_output("runuser -u portal -- php -r %s", program))
    return facts


def test_extensions(php: dict[str, Any]) -> None:
    loaded = {name.lower() for name in php["extensions"]}
    assert REQUIRED_EXTENSIONS - loaded == set()


@pytest.mark.parametrize(("name", "expected"), SETTINGS.items())
def test_setting(php: dict[str, Any], name: str, expected: str) -> None:
    actual = str(php["settings"][name] or "")
    if name == "max_input_vars":
        assert int(actual) >= int(expected)
    else:
        assert actual.lower() in {expected.lower(), {"1": "on", "0": "", "": ""}.get(expected, expected)}


def test_a_session_may_live_for_more_than_an_hour(php: dict[str, Any]) -> None:
    # Where the portal's own lifetime is not looked at, PHP's counts: 24 minutes where nobody sets it.
    assert int(php["settings"]["session.gc_maxlifetime"]) > 3600


def test_pool_runs_as_the_portal_user(portal: Host) -> None:
    users = {
        line.strip() for line in portal.check_output("ps -C php-fpm8.2,php-fpm8.4 -o user= | sort -u").split()
    }
    assert "portal" in users
    assert users <= {"root", "portal"}
