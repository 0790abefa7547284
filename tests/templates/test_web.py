"""nginx: the product's locations and denials (portal_runtime A5, E2)."""

import re
from typing import Any

import pytest

from tests.templates.renderer import Renderer

CERTIFICATE = {"stat": {"exists": True}}


def site(renderer: Renderer, host: str = "portal-1", *, tls: bool = True, **given: Any) -> str:
    return renderer.text(
        "web",
        "portal.conf.j2",
        host,
        **{"__web_certificate": CERTIFICATE if tls else {"stat": {"exists": False}}, **given},
    )


def servers(text: str) -> list[str]:
    """The server blocks; a brace too many or too few is an error."""
    found, depth, block = [], 0, ""
    for line in text.splitlines():
        opened = depth == 0 and line.startswith("server {")
        if opened:
            block = ""
        code = line.split("#", 1)[0] if line.lstrip().startswith("#") else line
        depth += len(re.findall(r"\{(?:\s|$)", code)) - len(re.findall(r"(?:^|\s)\}", code))
        assert depth >= 0
        block += line + "\n"
        if depth == 0 and block.startswith("server {"):
            found.append(block)
            block = ""
    assert depth == 0
    return found


def server(text: str, listen: str) -> str:
    return next(block for block in servers(text) if f"  listen {listen}" in block)


def locations(block: str) -> list[str]:
    return re.findall(r"^ +location ([^{]+(?:\{[0-9,]+\}[^{]+)*) \{$", block, re.MULTILINE)


def denied(block: str, path: str, indent: str = "  ") -> bool:
    """Whether the first regular expression that matches a path, of those written that deep, refuses it."""
    for kind, pattern, body in re.findall(
        rf"^{indent}location (~\*?) (\S+) \{{\n((?:{indent}  .*\n|{indent}add_header .*\n)+?){indent}\}}",
        block,
        re.MULTILINE,
    ):
        if re.search(pattern, path, re.IGNORECASE if kind == "~*" else 0):
            return str(body).strip() == "return 403;"
    return False


@pytest.mark.parametrize(
    "path",
    [
        "/.git/config",
        "/.htaccess",
        "/bitrix/.settings.php",
        "/bitrix/.settings_extra.php",
        "/local/.settings.php",
        "/bitrix/modules/main/include.phtml",
        "/bitrix/php_interface/dbconn.phps",
        "/bitrix/managed_cache/x",
        "/bitrix/backup/a.tar.gz",
        "/bitrix/cache/x.html",
        "/composer.json",
        "/index.php.bak",
        "/index.php~",
    ],
)
def test_nobody_reads(lab: Renderer, path: str) -> None:
    assert denied(server(site(lab), "443"), path)


@pytest.mark.parametrize(
    "path", ["/bitrix/cache/css/a.css", "/bitrix/cache/js/a.js", "/.well-known/acme", "/company/"]
)
def test_everybody_reads(lab: Renderer, path: str) -> None:
    assert not denied(server(site(lab), "443"), path)


@pytest.mark.parametrize("path", ["/bitrix/modules/main/include.php", "/bitrix/php_interface/dbconn.php"])
def test_denials_come_before_php(lab: Renderer, path: str) -> None:
    # Regular expressions are tried in their order: one that runs PHP must not come first.
    block = server(site(lab), "443")
    first = next(
        pattern
        for kind, pattern in re.findall(r"^  location (~\*?) (\S+) \{$", block, re.MULTILINE)
        if re.search(pattern, path, re.IGNORECASE if kind == "~*" else 0)
    )
    assert first != r"\.php$"


def test_publishing_is_on_loopback_only(lab: Renderer) -> None:
    text = site(lab)
    internal = server(text, "127.0.0.1:8895;")
    assert "^~ /bitrix/pub/" in locations(internal)
    for block in servers(text):
        if block != internal:
            assert not re.search(r"location \^~ /bitrix/pub/ \{\n +(?! |return 403;)", block)


def test_websockets_reach_every_instance(lab: Renderer) -> None:
    text = site(lab)
    assert re.findall(r"server (127\.0\.0\.1:\d+);", text) == [
        "127.0.0.1:8010",
        "127.0.0.1:8011",
        "127.0.0.1:9010",
    ]
    assert "proxy_set_header Upgrade $http_upgrade;" in server(text, "443")
    assert "proxy_read_timeout 43800s;" in server(text, "443")


def test_without_a_certificate_the_portal_is_on_port_80(lab: Renderer) -> None:
    text = site(lab, tls=False)
    assert " 443 " not in text
    assert "ssl" not in text
    assert "root /srv/portal/current;" in server(text, "80 ")


def test_with_a_certificate_port_80_only_redirects(lab: Renderer) -> None:
    block = server(site(lab), "80 ")
    assert "return 301 https://portal.acme.example$request_uri;" in block
    assert "fastcgi_pass" not in block


def test_old_tls_is_off_and_browsers_remember(lab: Renderer) -> None:
    block = server(site(lab), "443")
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in block
    assert 'Strict-Transport-Security "max-age=31536000"' in block


@pytest.mark.parametrize(
    ("release", "line"), [("12", "listen 443 ssl http2 default_server;"), ("13", "http2 on;")]
)
def test_http2_is_written_as_the_version_wants(lab: Renderer, release: str, line: str) -> None:
    facts = {"distribution_major_version": release}
    assert line in site(lab, ansible_facts=facts)


def test_php_runs_in_the_release_that_was_active_when_the_request_came(lab: Renderer) -> None:
    block = server(site(lab), "443")
    assert block.count("SCRIPT_FILENAME $realpath_root") == 3
    assert block.count("DOCUMENT_ROOT $realpath_root") == 3


def test_uploaded_scripts_are_data(lab: Renderer) -> None:
    block = server(site(lab), "443")
    upload = block[block.index("location ^~ /upload/") :]
    upload = upload[: upload.index("\n  }\n")]
    assert "fastcgi_pass" not in upload
    assert "Content-Disposition attachment" in upload
    assert "Content-Security-Policy" in upload


def refused(block: str, folder: str, path: str) -> bool:
    """Whether the first expression in a folder's location that matches a path refuses it."""
    inside = block[block.index(f"  location ^~ {folder} {{") :]
    return denied(inside[: inside.index("\n  }\n")], path, indent="    ")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/upload/1c_exchange/import.xml", True),
        ("/upload/1c_catalog0/offers.php", True),
        ("/upload/1C_Exchange/picture.svg", True),
        ("/upload/disk/.htaccess", True),
        ("/upload/disk/1c_exchange/import.xml", False),
        ("/upload/disk/1/report.pdf", False),
        ("/upload/disk/1/page.php", False),
    ],
)
def test_what_1c_exchanges_and_hidden_files_are_nobodys(lab: Renderer, path: str, expected: bool) -> None:
    assert refused(server(site(lab), "443"), "/upload/", path) is expected


def test_text_is_compressed_for_everybody_behind_a_proxy_too(lab: Renderer) -> None:
    lines = [line.strip().rstrip(";") for line in server(site(lab), "443").splitlines()]
    said = dict(line.split(" ", 1) for line in lines if line.startswith("gzip"))
    types = set(said.pop("gzip_types").split())
    assert said == {
        "gzip": "on",
        "gzip_vary": "on",
        "gzip_proxied": "any",
        "gzip_comp_level": "4",
        "gzip_min_length": "1024",
    }
    # HTML is always compressed; what is compressed by itself is not compressed again.
    assert {"text/css", "application/json", "application/javascript", "image/svg+xml"} <= types
    assert not {"text/html", "image/png", "image/jpeg", "application/zip", "application/pdf"} & types


@pytest.mark.parametrize("path", ["/.well-known/caldav", "/.well-known/carddav/", "/.well-known/CardDAV"])
def test_a_calendar_is_led_to_its_place(lab: Renderer, path: str) -> None:
    block = server(site(lab), "443")
    (pattern,) = re.findall(r"location ~\* (\S+) \{\n    return 301 /bitrix/groupdav\.php/;\n  \}", block)
    assert re.search(pattern, path, re.IGNORECASE)
    assert not denied(block, path)
    assert not re.search(pattern, "/x/.well-known/caldav", re.IGNORECASE)


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("/bitrix/groupdav.php/company/calendar/1/", ("/bitrix/groupdav.php", "/company/calendar/1/")),
        ("/bitrix/groupdav.php", ("/bitrix/groupdav.php", None)),
    ],
)
def test_groupdav_gets_the_rest_of_the_path(lab: Renderer, path: str, split: tuple[str, str | None]) -> None:
    block = server(site(lab), "443")
    own = block[block.index(r"  location ~ ^/bitrix/groupdav\.php(/|$) {") :]
    own = own[: own.index("\n  }\n")]
    (pattern,) = re.findall(r"fastcgi_split_path_info (\S+);", own)
    found = re.search(pattern, path)
    assert found is not None
    assert found.groups() == split
    for line in (
        "fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name;",
        "fastcgi_param PATH_INFO $fastcgi_path_info;",
        "fastcgi_pass unix:/run/php/portal.sock;",
    ):
        assert f"    {line}" in own, line


def test_a_path_of_groupdav_reaches_its_location(lab: Renderer) -> None:
    """The first expression that matches wins: none before it may."""
    patterns = re.findall(r"^  location (~\*?) (\S+) \{$", server(site(lab), "443"), re.MULTILINE)
    first = next(
        pattern
        for kind, pattern in patterns
        if re.search(pattern, "/bitrix/groupdav.php/company/", re.IGNORECASE if kind == "~*" else 0)
    )
    assert first == r"^/bitrix/groupdav\.php(/|$)"


def test_a_copy_is_hidden(lab: Renderer) -> None:
    block = server(site(lab, "staging-1"), "443")
    assert 'X-Robots-Tag "noindex, nofollow"' in block
    assert "Disallow: /" in block
    assert "server_name staging.acme.example;" in block
    assert "X-Robots-Tag" not in site(lab)


def test_a_copy_asks_for_a_password(lab: Renderer) -> None:
    block = server(site(lab, "staging-1", web_basic_auth_exempt=["192.0.2.0/24"]), "443")
    assert "auth_basic_user_file /etc/nginx/portal.htpasswd;" in block
    assert "  allow 192.0.2.0/24;\n  deny all;" in block
    assert "auth_basic" not in server(site(lab), "443")
    assert lab.value("web", "web_basic_auth_password", "staging-1") == "basic-secret"


def test_the_portal_does_not_see_the_password_of_the_web_server(lab: Renderer) -> None:
    block = server(site(lab, "staging-1"), "443")
    assert block.count('fastcgi_param HTTP_AUTHORIZATION "";') == block.count(
        "SCRIPT_FILENAME $realpath_root"
    )
    assert "HTTP_AUTHORIZATION" not in site(lab)


def test_a_copy_shows_that_it_is_one(lab: Renderer) -> None:
    text = site(lab, "staging-1")
    block = server(text, "443")
    inserted = re.findall(r"sub_filter '(</\w+>)' '([^']*)';", block)
    assert [end for end, _ in inserted] == ["</head>", "</body>"]
    for end, content in inserted:
        assert content.endswith(end)
        assert not set(content) & set("\"'\\\n")
    assert "Copy for tests. Nothing here reaches anybody. $portal_release" in inserted[1][1]
    assert "map $realpath_root $portal_release" in text
    # PHP that compressed its answer would hide where the banner goes.
    assert block.count('fastcgi_param HTTP_ACCEPT_ENCODING "";') == block.count(
        "SCRIPT_FILENAME $realpath_root"
    )
    assert "= /favicon.ico" in locations(block)


def test_production_has_no_banner(lab: Renderer) -> None:
    text = site(lab)
    assert "sub_filter" not in text
    assert "favicon" not in text
    assert "portal_release" not in text


def test_caught_mail_is_beside_the_copy_and_behind_its_password(lab: Renderer) -> None:
    block = server(site(lab, "staging-1"), "443")
    page = block[block.index("location ^~ /-/mail/ {") :]
    page = page[: page.index("\n  }\n")]
    assert "proxy_pass http://unix:/run/mail-reader.sock;" in page
    assert "auth_basic" not in page
    assert 'proxy_set_header Authorization "";' in page
    assert "/-/mail/" not in site(lab)
    assert "/-/mail/" not in site(lab, "staging-1", mail_relay_mode="discard")


def test_no_push_server_no_push(lab: Renderer) -> None:
    text = site(lab, web_push_subscribe_servers=[], web_push_publish_servers=[])
    assert "portal_push" not in text
    assert "8895" not in text


def test_ipv6_where_the_host_has_it(lab: Renderer) -> None:
    text = site(lab, web_ipv6=True)
    assert "  listen [::]:443 ssl http2 default_server;\n" in text
    assert text.count("listen [::]:") == 4
    assert "[::]" not in site(lab)


def test_real_addresses_behind_a_proxy(lab: Renderer) -> None:
    block = server(site(lab, web_trusted_proxies=["192.0.2.80"]), "443")
    assert "set_real_ip_from 192.0.2.80;" in block
    assert "real_ip_header" not in site(lab)


def test_a_trusted_proxy_says_how_the_client_came(lab: Renderer) -> None:
    plain = site(lab)
    assert "set_real_ip_from" not in plain
    assert "portal_https" not in plain
    text = site(lab, tls=False, web_trusted_proxies=["192.0.2.1", "2001:db8::/64"])
    block = server(text, "80")
    assert "  set_real_ip_from 192.0.2.1;\n  set_real_ip_from 2001:db8::/64;\n" in block
    assert re.search(
        r"geo \$realip_remote_addr \$portal_proxied \{\n"
        r"  default 0;\n  192\.0\.2\.1 1;\n  2001:db8::/64 1;\n\}",
        text,
    )
    # Each place that hands a request to PHP: what a location sets takes the place of what the server says.
    assert block.count("include fastcgi_params;") == 3
    assert block.count("fastcgi_param HTTPS $portal_https if_not_empty;") == 3
    assert block.count("fastcgi_param SERVER_PORT $portal_port;") == 3


@pytest.mark.parametrize("path", ["/upload/disk/1/report.pdf", "/bitrix/tmp/success.txt"])
def test_nginx_sends_what_php_names_for_a_download(lab: Renderer, path: str) -> None:
    # portal_runtime A5, J1: the option is set, so every such path must have a location that serves it.
    options = lab.value("portal_settings", "__portal_settings_options", portal_settings_release="final-1")
    assert {"module": "main", "name": "bx_fast_download", "value": "Y"} in options
    block = server(site(lab), "443")
    assert not denied(block, path)
    assert re.search(r"\n  location \^~ /upload/ \{(?:.*\n)*?    try_files \$uri @portal;\n  \}", block)
    assert not re.search(r"fastcgi_ignore_headers .*X-Accel-Redirect", block)


def test_temporary_files_are_sent_by_nginx_and_asked_for_by_nobody(lab: Renderer) -> None:
    block = server(site(lab, web_temporary_folder="/srv/portal/temporary"), "443")
    assert (
        "  location ^~ /bx_tmp_download/ {\n    internal;\n    alias /srv/portal/temporary/;\n  }\n" in block
    )
    assert "bx_tmp_download" not in site(lab)
