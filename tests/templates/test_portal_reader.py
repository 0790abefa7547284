"""The one command that a reading key may run at the source."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.templates.renderer import Renderer

Ask = Callable[[str], subprocess.CompletedProcess[str]]
PLAIN = "-ltpre.iLsfxCIvu"
COMPARING = "-nltprce.iLsfxCIvu"


@pytest.fixture
def ask(example: Renderer, tmp_path: Path) -> Ask:
    """Ask the rendered command; what it would run is written down instead."""
    base = tmp_path / "portal's"
    (base / "releases" / "final-1").mkdir(parents=True)
    (base / "current").symlink_to("releases/final-1")
    command = tmp_path / "command"
    command.write_text(
        example.text("portal_reader", "source.sh.j2", portal_reader_base_path=str(base)), encoding="utf-8"
    )
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "nice").write_text('#!/bin/sh\necho "$PWD" "$@"\n', encoding="utf-8")
    (programs / "nice").chmod(0o700)

    def asked(words: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "SSH_ORIGINAL_COMMAND": words}
        return subprocess.run(
            ["sh", str(command)], env=environment, capture_output=True, text=True, check=False
        )

    return asked


@pytest.mark.parametrize(
    "options", [PLAIN, f"{PLAIN} --bwlimit=500", COMPARING, f"{COMPARING} --bwlimit=500"]
)
@pytest.mark.parametrize("path", ["./", "/etc/"])
def test_the_callers_read_the_active_release_and_no_other_folder(ask: Ask, options: str, path: str) -> None:
    answer = ask(f"rsync --server --sender {options} . {path}")
    assert answer.returncode == 0
    assert answer.stdout.endswith(
        f"/portal's/releases/final-1 ionice -c 3 rsync --server --sender {options} . ./\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        "rsync --server --sender -sltpre.iLsfxCIvu",
        "rsync --server --sender -sltpre.iLsfxCIvu . ./",
        "rsync --server --sender -s . ./",
        "rsync --server --sender -lLtpre.iLsfxCIvu . ./",
        "rsync --server --sender -lktpre.iLsfxCIvu . ./",
        "rsync --server --sender -ltpre.iLsfxCIvu --remove-source-files . ./",
        "rsync --server --sender -ltpre.iLsfxCIvu --copy-unsafe-links . ./",
        "rsync --server --sender -ltpre.iLsfxCIvu --bwlimit=5 -s . ./",
        "rsync --server --sender -ltpre.iLsfxCIvu . ./ /etc/",
        "rsync --server --sender --remove-source-files . ./",
        "rsync --server -ltpre.iLsfxCIvu . ./",
        "marker",
        "size",
        "sh",
        "",
    ],
)
def test_all_else_is_refused(ask: Ask, words: str) -> None:
    answer = ask(words)
    assert (answer.returncode, answer.stdout) == (6, "")
    assert answer.stderr.startswith("refused")


def test_the_name_of_the_active_release(ask: Ask) -> None:
    assert ask("release").stdout == "final-1\n"


def test_the_dump_comes_from_the_portals_own_server(ask: Ask) -> None:
    words = ask("dump").stdout.split()
    start = words.index("mariadb-dump")
    assert words[start + 1 : start + 3] == [
        "--defaults-file=/etc/boxlift/database.cnf",
        "--single-transaction",
    ]
    assert words[-1] == "portal_final_1"


@pytest.mark.parametrize(
    ("role", "template", "given"),
    [
        (
            "portal_clone",
            "pull.sh.j2",
            {"portal_clone_release": "clone-20250101000000", "portal_clone_source_address": "192.0.2.11"},
        ),
        (
            "production_backup",
            "backup.sh.j2",
            {"production_backup_name": "20250101000000", "production_backup_source_address": "192.0.2.11"},
        ),
    ],
)
def test_a_copy_goes_into_its_own_hosts_server(
    example: Renderer, role: str, template: str, given: dict[str, str]
) -> None:
    text = example.text(
        role, template, "staging-1", **given, **{f"{role}_database_options_file": "/etc/a b.cnf"}
    )
    assert "sql=(mariadb --defaults-file='/etc/a b.cnf')\n" in text
    assert [line for line in text.splitlines() if line.startswith("mariadb ") or "| mariadb" in line] == []
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
