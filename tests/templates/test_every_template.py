"""Every template of a role gives a file of its kind; those that no other test reads say what they must."""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from programs import needs

from tests.templates.renderer import ROOT, Renderer

NONE = {"stat": {"exists": False}}
#: What a project or a task says and no default does.
GIVEN: dict[str, Any] = {
    "portal_release": "final-1",
    "portal_timezone": "Europe/Riga",
    "portal_release_record": {"release": {}},
    "__portal_settings_key": "k" * 32,
    "push_server_checksum": "sha256:" + "0" * 64,
    "base_package_mirror": "http://mirror.acme.example/debian",
    "backup_restore_release": "final-1",
    "__backup_restore_active": NONE,
    "__backup_restore_uploads": NONE,
    "__portal_reader_active": {"stat": {"lnk_source": "/srv/portal/releases/final-1"}},
    "__portal_apps_found": {
        "applications": [
            {
                "kind": "bot",
                "id": 7,
                "title": "=HYPERLINK(1)",
                "owner": "Anna; Boris",
                "address": "https://bot.acme.example/\na",
                "fate": "dies",
                "todo": "-",
            }
        ]
    },
}
#: Variables of the task besides, as an expression of which each item is one rendering.
LOOPS = {
    ("cache", "redis.conf.j2"): "cache_instances",
    ("php", "portal.ini.j2"): "['fpm', 'cli']",
    ("push_server", "instance.json.j2"): "__push_server_instances",
}
TEMPLATES = [(path.parts[-3], path.name) for path in sorted(ROOT.glob("roles/*/templates/*"))]
#: Production of one inventory and the copy of the other one: each variable that differs is seen both ways.
HOSTS = {"lab": "portal-1", "example": "staging-1"}
UNITS = re.compile(r"\.(service|timer|socket)\.j2$|^sandbox\.conf\.j2$")


def texts(renderer: Renderer, role: str, template: str, host: str = "portal-1") -> Iterator[str]:
    items: list[dict[str, Any]] = [{}]
    if loop := LOOPS.get((role, template)):
        items = [{"item": item} for item in renderer.value(role, loop, host, **GIVEN)]
    for item in items:
        yield renderer.text(role, template, host, **GIVEN, **item)


def unit(text: str) -> dict[str, list[tuple[str, str]]]:
    """Sections of a unit; ValueError where a line is none of it."""
    sections: dict[str, list[tuple[str, str]]] = {}
    section = ""
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if header := re.fullmatch(r"\[([A-Z][A-Za-z]+)\]", line):
            section = header[1]
            sections.setdefault(section, [])
        elif section and (setting := re.fullmatch(r"([A-Z][A-Za-z0-9]+)=(.*\S)?", line)):
            sections[section].append((setting[1], setting[2] or ""))
        else:
            raise ValueError(f"no line of a unit: {line!r}")
    return sections


def of_unit(text: str) -> None:
    assert unit(text)


def of_braces(text: str) -> None:
    depth = 0
    for line in text.splitlines():
        code = "" if line.lstrip().startswith("#") else line
        depth += code.count("{") - code.count("}")
        assert depth >= 0, line
    assert depth == 0


def of_ini(text: str) -> None:
    # PHP repeats no section, MariaDB takes names without values, and % is nothing special to either.
    parser = ConfigParser(
        allow_no_value=True, interpolation=None, delimiters=("=",), comment_prefixes=("#", ";")
    )
    parser.read_string(text if re.search(r"^\[", text, re.MULTILINE) else f"[all]\n{text}")
    assert any(parser.items(section) for section in parser.sections())


def of_shell(text: str) -> None:
    interpreter = shlex.split(text.splitlines()[0].removeprefix("#!"))
    assert interpreter in (["/bin/sh"], ["/bin/bash"])
    done = subprocess.run([*interpreter, "-n"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def of_environment(text: str) -> None:
    assert all(re.match(r"#|[A-Z_]+=", line) for line in text.splitlines())


def of_deb822(text: str) -> None:
    blocks = text.split("\n\n")
    assert all(re.match(r"(#.*\n)*Types: deb\nURIs: \S+\nSuites: ", block) for block in blocks)


def of_table(text: str) -> None:
    rows = list(csv.reader(text.splitlines(), delimiter=";"))
    assert len(rows) > 1
    assert {len(row) for row in rows} == {len(rows[0])}


def of_php(text: str) -> None:
    assert text.startswith("<?php\n")
    assert "?>" not in text


def of_settings(pattern: str) -> Callable[[str], None]:
    def check(text: str) -> None:
        wrong = [
            line for line in text.splitlines() if line.strip() and not re.match(rf"\s*(#|;|{pattern})", line)
        ]
        assert wrong == []

    return check


#: Kinds by what the name without .j2 matches; the first that does.
KINDS: list[tuple[str, Callable[[str], object]]] = [
    (UNITS.pattern.replace(r"\.j2", ""), of_unit),
    (r"\.json$", json.loads),
    (r"\.ya?ml$", yaml.safe_load),
    (r"\.py$", lambda text: compile(text, "template", "exec")),
    (r"\.sh$|^ssh$", of_shell),
    (r"\.php$", of_php),
    (r"\.csv$", of_table),
    (r"\.env$", of_environment),
    (r"\.sources$", of_deb822),
    (r"\.(cnf|ini)$|^(pool|timezone)\.conf$", of_ini),
    (r"^(portal|required|sphinx|nftables)\.conf$", of_braces),
    (r"^main\.cf$", of_settings(r"[a-z][A-Za-z_]* =")),
    (r"^redis\.conf$", of_settings(r"[a-z-]+ \S")),
    (r"^(http|pjsip)\.conf$", of_settings(r"\[|[a-z0-9_]+ ?=")),
]


@pytest.mark.parametrize(("role", "template"), TEMPLATES, ids=["/".join(each) for each in TEMPLATES])
@pytest.mark.parametrize("inventory", HOSTS)
def test_a_template_gives_a_file_of_its_kind(
    request: pytest.FixtureRequest, inventory: str, role: str, template: str
) -> None:
    name = template.removesuffix(".j2")
    kind = next((check for pattern, check in KINDS if re.search(pattern, name)), None)
    assert kind is not None, f"what a file {name} must look like is not said here"
    for text in texts(request.getfixturevalue(inventory), role, template, HOSTS[inventory]):
        assert text.strip()
        assert not re.search(r"\{\{ |\{% |<bound method|\bUndefined\b", text)
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
        kind(text)


@needs("systemd-analyze", package="systemd")
def test_systemd_knows_every_line_of_every_unit(lab: Renderer, tmp_path: Path) -> None:
    """Lines that it does not know it ignores, and says so."""
    files = []
    for role, template in TEMPLATES:
        if UNITS.search(template):
            (text, *_) = texts(lab, role, template)
            name = template.removesuffix(".j2").replace(".conf", ".service")
            files.append(tmp_path / f"{role}-{name}")
            files[-1].write_text(text)
    assert len(files) >= 18
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, check=False
    )
    said = [
        line for line in done.stderr.splitlines() if re.match(rf"{re.escape(str(tmp_path))}/[^:]+:\d+:", line)
    ]
    assert said == []


@pytest.mark.slow
@needs("php", package="php-cli")
@pytest.mark.parametrize(
    ("role", "template"),
    [each for each in TEMPLATES if each[1].endswith(".php.j2")],
    ids=str,
)
def test_php_reads_what_is_php(lab: Renderer, role: str, template: str) -> None:
    for text in texts(lab, role, template):
        done = subprocess.run(["php", "-l"], input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("begin", "gently"),
    [("at once", []), ("after opening", [("Nice", "19"), ("IOSchedulingClass", "idle")])],
)
def test_indexes_are_built_gently_only_while_people_work(
    lab: Renderer, begin: str, gently: list[tuple[str, str]]
) -> None:
    found = unit(lab.text("portal_search", "portal-search@.service.j2", portal_search_begin=begin, **GIVEN))
    assert [
        item for item in found["Service"] if item[0] in ("Nice", "IOSchedulingClass", "CPUWeight")
    ] == gently
    assert ("User", "portal") in found["Service"]
    # One that ended with 1 has given an index up.
    assert ("RestartPreventExitStatus", "1") in found["Service"]
    (program,) = (value for name, value in found["Service"] if name == "ExecStart")
    assert program.endswith("/portal_index.php /var/lib/boxlift-search/%i/config.json")


#: What somebody would miss, in templates that no test of their role reads.
LINES = {
    ("backup_restore", "bxbackup-restore@.service.j2"): [
        "EnvironmentFile=/etc/bxbackup/%i/restore.env",
        "Restart=on-abnormal",
        "ProtectHome=read-only",
        "ReadWritePaths=/srv/portal",
        "NoNewPrivileges=true",
    ],
    ("certificate", "boxlift-certificate.timer.j2"): [
        "OnCalendar=daily",
        "Persistent=yes",
        "WantedBy=timers.target",
    ],
    ("mail_reader", "mail-reader.service.j2"): [
        "User=caught-mail",
        "PrivateNetwork=true",
        "ProtectSystem=strict",
        "ReadOnlyPaths=/var/mail/caught",
        "ExecStart=/usr/local/sbin/boxlift-mail-reader --maildir /var/mail/caught --path /-/mail/",
    ],
    ("mail_reader", "mail-reader.socket.j2"): [
        "ListenStream=/run/mail-reader.sock",
        "SocketGroup=www-data",
        "SocketMode=0660",
    ],
    ("monitoring", "boxlift-monitoring.service.j2"): [
        "ExecStart=/usr/local/lib/boxlift/portal_monitor.py /etc/boxlift/monitoring.json",
        "StateDirectory=boxlift-monitoring",
        "StateDirectoryMode=0750",
        "ProtectSystem=strict",
    ],
    ("portal", "portal-agents.timer.j2"): ["OnCalendar=*:*:00", "WantedBy=timers.target"],
    ("portal_clone", "boxlift-clone@.service.j2"): [
        "ExecStartPre=/bin/rm -f /var/lib/boxlift/clones/%i/status.json",
        "ExecStart=/usr/bin/python3 -m boxlift_clone /var/lib/boxlift/reader/%i.json",
        "ReadWritePaths=/srv/portal/releases /var/lib/boxlift/clones",
    ],
    ("portal_clone", "boxlift-database@.service.j2"): [
        "User=mysql",
        "ExecStart=/usr/sbin/mariadbd --defaults-file=/var/lib/boxlift/clones/%i/server.cnf",
        # It has no network: only programs of the host reach it.
        "RestrictAddressFamilies=AF_UNIX",
        "SendSIGKILL=no",
        "ReadWritePaths=/var/lib/boxlift/clones/%i/data",
    ],
    ("search_engine", "search-engine.service.j2"): [
        "User=sphinxsearch",
        "ExecStart=/usr/bin/searchd --nodetach --config /etc/sphinxsearch/sphinx.conf",
        "ReadWritePaths=/var/lib/sphinxsearch /var/log/sphinxsearch",
    ],
}


@pytest.mark.parametrize(("role", "template"), LINES, ids=["/".join(each) for each in LINES])
def test_a_unit_says(lab: Renderer, role: str, template: str) -> None:
    for text in texts(lab, role, template):
        assert [line for line in LINES[role, template] if line not in text.splitlines()] == []


@pytest.mark.parametrize(("given", "interval"), [({}, "5min"), ({"monitoring_interval": "90s"}, "90s")])
def test_the_portal_is_looked_at_as_often_as_is_asked(
    lab: Renderer, given: dict[str, str], interval: str
) -> None:
    text = lab.text("monitoring", "boxlift-monitoring.timer.j2", **given)
    assert unit(text)["Timer"] == [
        ("OnActiveSec", "1min"),
        ("OnUnitActiveSec", interval),
        ("AccuracySec", "10s"),
    ]


def test_the_monitor_is_given_every_setting_that_it_reads(example: Renderer) -> None:
    program = (ROOT / "roles" / "monitoring" / "files" / "portal_monitor.py").read_text(encoding="utf-8")
    read = set(re.findall(r"settings\[\"(\w+)\"\]", program))
    asked: dict[str, Any] = {"monitoring_tell": ["ops@acme.example"], "monitoring_certificate_days": 30}
    found = json.loads(example.text("monitoring", "monitoring.json.j2", **GIVEN, **asked))
    assert read == set(found)
    assert (found["tell"], found["certificate_days"]) == (["ops@acme.example"], 30)
    assert found["current"] == "/srv/portal/current"
    assert found["timezone"] == "Europe/Riga"


def test_the_way_into_production_knows_its_host(lab: Renderer) -> None:
    words = shlex.split(lab.text("portal_reader", "ssh.j2", **GIVEN), comments=True)
    assert words[:2] == ["exec", "ssh"]
    assert words[words.index("-i") + 1] == "/var/lib/boxlift/reader/key"
    assert words[-1] == "$@"
    assert {word for word in words if "=" in word} == {
        "UserKnownHostsFile=/var/lib/boxlift/reader/known_hosts",
        "StrictHostKeyChecking=yes",
        "IdentitiesOnly=yes",
        "BatchMode=yes",
        "ServerAliveInterval=15",
    }


def test_a_list_for_people_is_no_formula_and_keeps_its_columns(lab: Renderer) -> None:
    (text, *_) = texts(lab, "portal_apps", "applications.csv.j2")
    assert text.splitlines() == [
        "kind;id;title;owner;address;fate;todo",
        "bot;7;'=HYPERLINK(1);Anna, Boris;https://bot.acme.example/ a;dies;'-",
    ]


def test_a_licence_key_is_a_string_and_no_code(lab: Renderer) -> None:
    given = {"portal_settings_license_key": "A'; exit(); //\\"}
    text = lab.text("portal_settings", "license_key.php.j2", **GIVEN, **given)
    assert text.endswith("$LICENSE_KEY = 'A\\'; exit(); //\\\\';\n")


def test_the_search_daemon_has_the_fields_that_the_product_writes(lab: Renderer) -> None:
    """portal_runtime F1."""
    text = lab.text("search_engine", "sphinx.conf.j2", search_engine_memory_mb=512, **GIVEN)
    assert re.findall(r"\trt_field = (\w+)", text) == ["title", "body"]
    attributes: dict[str, list[str]] = {}
    for kind, name in re.findall(r"\trt_attr_(\w+) = (\w+)", text):
        attributes.setdefault(kind, []).append(name)
    assert {kind: len(names) for kind, names in attributes.items()} == {
        "uint": 5,
        "string": 4,
        "timestamp": 3,
        "multi": 4,
    }
    for line in (
        "rt_mem_limit = 512M",
        "listen = 127.0.0.1:9306:mysql41",
        "path = /var/lib/sphinxsearch/data/bitrix",
    ):
        assert f"\t{line}\n" in text
