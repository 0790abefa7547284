"""The one command that a reading key may run at the source."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.templates.renderer import Renderer

Ask = Callable[..., subprocess.CompletedProcess[str]]
PLAIN = "-ltpre.iLsfxCIvu"
COMPARING = "-nltprce.iLsfxCIvu"
COPYING = "-nlogtpre.iLsfxCIvu"


@pytest.fixture
def ask(example: Renderer, tmp_path: Path) -> Ask:
    """Ask the rendered command; what it would run is written down instead."""
    base = tmp_path / "portal's"
    (base / "releases" / "final-1").mkdir(parents=True)
    (base / "current").symlink_to("releases/final-1")
    command = tmp_path / "command"
    command.write_text(
        example.text(
            "portal_reader",
            "source.sh.j2",
            portal_reader_base_path=str(base),
            __portal_reader_release="final-1",
            __portal_reader_work=str(tmp_path),
        ),
        encoding="utf-8",
    )
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "nice").write_text('#!/bin/sh\necho "$PWD" "$@"\n', encoding="utf-8")
    (programs / "nice").chmod(0o700)

    def asked(words: str, told: str = "") -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "SSH_ORIGINAL_COMMAND": words}
        return subprocess.run(
            ["bash", str(command)],
            env=environment,
            input=told,
            capture_output=True,
            text=True,
            check=False,
        )

    return asked


@pytest.mark.parametrize(
    "options", [PLAIN, f"{PLAIN} --bwlimit=500", COMPARING, f"{COMPARING} --bwlimit=500", COPYING]
)
@pytest.mark.parametrize("path", ["./", "/etc/", "final-1/"])
def test_the_callers_read_the_active_release_and_no_other_folder(ask: Ask, options: str, path: str) -> None:
    answer = ask(f"rsync --server --sender {options} . {path}")
    assert answer.returncode == 0
    assert answer.stdout.endswith(
        f"/portal's/releases/final-1 -n 19 ionice -c 3 rsync --server --sender {options} . ./\n"
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


def test_another_release_that_became_active_is_not_read(ask: Ask, tmp_path: Path) -> None:
    link = tmp_path / "portal's" / "current"
    link.unlink()
    link.symlink_to("releases/final-2")
    for words in (
        "release",
        "backup",
        "dump",
        "rows",
        "sums",
        "counts",
        "register",
        "moment",
        f"rsync --server --sender {PLAIN} . ./",
    ):
        answer = ask(words)
        assert (answer.returncode, answer.stdout) == (6, "")
        assert "serves release final-2 now" in answer.stderr


def test_files_that_are_there_and_those_that_are_not(ask: Ask, tmp_path: Path) -> None:
    folder = tmp_path / "portal's" / "releases" / "final-1" / "upload" / "disk"
    folder.mkdir(parents=True)
    (folder / "a b.pdf").touch()
    (tmp_path / "programs" / "mariadb").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "programs" / "mariadb").chmod(0o700)
    answer = ask("rows", "7\tdisk/a b.pdf\n8\tdisk/gone.pdf\n")
    assert answer.returncode == 0, answer.stderr
    files, _, rows = answer.stdout.partition("\n\n")
    assert files.splitlines() == ["7\tthere", "8\tabsent"]
    assert "WHERE ID IN (0,7,8)" in rows


@pytest.mark.parametrize(
    "told",
    [
        "1) OR 1=(1\tdisk/a\n",
        "1\t/etc/passwd\n",
        "1\t../final-1/bitrix/.settings.php\n",
        "1\tdisk/../../bitrix/.settings.php\n",
        "1\t..\n",
        "\n",
    ],
)
def test_nothing_is_said_of_what_is_no_upload(ask: Ask, told: str) -> None:
    answer = ask("rows", told)
    assert answer.returncode == 6
    assert "there" not in answer.stdout
    assert answer.stderr.startswith("refused")


def test_what_is_read_of_the_database_comes_from_the_portals_own_server(ask: Ask) -> None:
    for words in ("moment", "register"):
        told = ask(words).stdout.split()
        assert "--defaults-file=/etc/boxlift/database.cnf" in told
        assert told[-1] == {"moment": "UNIX_TIMESTAMP()", "register": "boxlift"}[words]
