"""PHP's settings (portal_runtime A3) and the pool."""

import configparser
from typing import Any

import pytest

from tests.templates.renderer import Renderer

EXACT = {
    "short_open_tag": "On",
    "max_input_vars": "10000",
    "default_charset": "UTF-8",
    "opcache.validate_timestamps": "1",
    "opcache.revalidate_freq": "0",
    "realpath_cache_size": "4096k",
    "session.auto_start": "0",
    "zend.multibyte": "0",
    "arg_separator.output": '"&"',
    "sendmail_path": '"/usr/sbin/sendmail -t -i"',
}


def settings(renderer: Renderer, side: str, **given: Any) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes=";")
    parser.read_string("[php]\n" + renderer.text("php", "portal.ini.j2", item=side, **given))
    return parser["php"]


@pytest.mark.parametrize("side", ["fpm", "cli"])
def test_what_the_portal_checks(lab: Renderer, side: str) -> None:
    found = settings(lab, side)
    assert {name: found[name] for name in EXACT} == EXACT
    assert found["date.timezone"] == "Europe/Moscow"
    assert "open_basedir" not in found
    assert "mbstring.internal_encoding" not in found


def test_command_line_runs_as_long_as_it_must(lab: Renderer) -> None:
    found = settings(lab, "cli")
    assert (found["memory_limit"], found["max_execution_time"]) == ("-1", "0")
    found = settings(lab, "fpm")
    assert (found["memory_limit"], found["max_execution_time"]) == ("512M", "300")


@pytest.mark.parametrize("side", ["fpm", "cli"])
def test_a_session_lives_as_long_as_the_portal_says(lab: Renderer, side: str) -> None:
    assert settings(lab, side)["session.gc_maxlifetime"] == "28800"


def test_operators_settings_win(lab: Renderer) -> None:
    assert settings(lab, "fpm", php_settings_custom={"memory_limit": "1536M"})["memory_limit"] == "1536M"


def test_pool_runs_as_the_portal_behind_a_closed_socket(example: Renderer) -> None:
    pool = example.text("php", "pool.conf.j2")
    for line in (
        "user = portal",
        "listen = /run/php/portal.sock",
        "listen.group = www-data",
        "listen.mode = 0660",
        "pm.max_children = 34",
        'env[BITRIX_VA_VER] = "9.0.6"',
    ):
        assert f"{line}\n" in pool


@pytest.mark.parametrize("children", [6, 8, 34, 250])
def test_pool_sizes_agree(example: Renderer, children: int) -> None:
    # PHP-FPM refuses a pool whose figures contradict each other.
    pool = dict(
        line.split(" = ", 1)
        for line in example.text("php", "pool.conf.j2", php_pool_max_children=children).splitlines()
        if line.startswith("pm.")
    )
    low, start, high, most = (
        int(pool[f"pm.{name}"])
        for name in ("min_spare_servers", "start_servers", "max_spare_servers", "max_children")
    )
    assert 0 < low <= start <= high <= most


def test_version_follows_the_platform(example: Renderer) -> None:
    assert "php8.2-fpm" in example.value("php", "__php_packages")


def test_pages_write_where_the_portal_is_and_nowhere_else(lab: Renderer) -> None:
    lines = lab.text("php", "sandbox.conf.j2", php_writable_paths=["/srv", "/var/spool"]).splitlines()
    assert "ProtectSystem=strict" in lines
    assert "ReadWritePaths=/run/php /var/log -/srv -/var/spool" in lines
    # sendmail needs its group and the network interfaces
    assert not any(line.startswith("NoNewPrivileges") for line in lines)
    assert "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK" in lines


@pytest.mark.parametrize(("item", "disabled"), [("fpm", "dl,posix_kill"), ("cli", "")])
def test_functions_are_off_on_the_web_alone(lab: Renderer, item: str, disabled: str) -> None:
    text = lab.text("php", "portal.ini.j2", item=item, php_disabled_functions=["dl", "posix_kill"])
    (line,) = [line for line in text.splitlines() if line.startswith("disable_functions")]
    assert line.partition("=")[2].strip().strip('"') == disabled
