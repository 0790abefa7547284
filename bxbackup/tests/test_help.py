"""The help of every command is a manual: each option with default and unit, examples, exit codes, files."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from backup_samples import M1, Run
from programs import program

from bxbackup import errors, manual
from bxbackup.cli import app

COMMANDS = sorted(name for name, command in typer.main.get_group(app).commands.items() if not command.hidden)
OPTION = re.compile(r"^  (?:--|[A-Z]+ <)", re.MULTILINE)


@pytest.fixture(autouse=True)
def usual_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")


def options(text: str) -> dict[str, str]:
    """What the help says of each option and argument, by name."""
    body = text.partition("\n  Examples:")[0]
    starts = [match.start() for match in OPTION.finditer(body)]
    pieces = [body[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
    return {piece.split()[0]: " ".join(piece.split()) for piece in pieces}


def test_every_command_has_its_page() -> None:
    assert sorted(manual.PAGES) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_is_a_manual(run: Run, command: str) -> None:
    shown = run(command, "--help")
    assert shown.code == 0
    assert len(re.split(r"\n\s*\n", shown.out.split("Arguments:")[0].split("Options:")[0].strip())) >= 2
    for section in ("Examples", "Exit codes", "Environment"):
        assert f"\n  {section}:\n" in shown.out
    assert f"bxbackup {command} " in shown.out.split("Examples:")[1]
    assert max(map(len, shown.out.splitlines())) <= 80
    for code in manual.PAGES[command].exits:
        assert re.search(rf"^    {code}   \S", shown.out, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_what_it_is_by_default(run: Run, command: str) -> None:
    for name, text in options(run(command, "--help").out).items():
        words = text.split()
        flag = name.startswith("--") and not words[1].isupper() and not words[1].startswith("HH:")
        assert len(words) > 4, f"{command} {name} is not explained"
        if not flag:
            assert re.search(r"[Bb]y default|\[.*default|\[required\]", text), text


def test_every_exit_code_of_the_program_is_explained(run: Run) -> None:
    codes = {kind.exit_code for kind in errors.BackupError.__subclasses__()} | {0, 1}
    assert set(manual.EXIT_CODES) == codes
    assert all(f"\n    {code}   " in run("--help").out for code in codes)


def test_examples_are_commands_that_are_understood(run: Run) -> None:
    known = {command: set(options(run(command, "--help").out)) for command in COMMANDS}
    for command, page in manual.PAGES.items():
        for _, example in page.examples:
            words = example.split()
            assert words[:2] == ["bxbackup", command]
            assert {word for word in words if word.startswith("--")} <= known[command]


def test_the_manual_page_is_made_of_the_same(run: Run) -> None:
    page = run("manual").out
    assert page.startswith(".TH BXBACKUP 1 ")
    for command in COMMANDS:
        assert f'.SS "bxbackup {command} ' in page
        for name in options(run(command, "--help").out).keys() - {"--help"}:
            assert name.replace("-", r"\-") in page


def test_the_manual_page_is_well_formed(run: Run) -> None:
    shown = subprocess.run(
        [program("groff", "groff-base"), "-man", "-Tutf8", "-Kutf8", "-ww", "-z"],
        input=run("manual").out,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.stderr == ""


def on_a_terminal(*arguments: object, **environment: str) -> bytes:
    """What the command shows on a terminal."""
    ours, theirs = pty.openpty()
    inherited = {name: text for name, text in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    process = subprocess.Popen(
        [sys.executable, "-c", "from bxbackup.cli import main; main()", *map(str, arguments)],
        env=inherited | {"PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm-256color"} | environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the other side is closed when the command has ended
        while piece := os.read(ours, 1 << 16):
            shown += piece
    os.close(ours)
    process.wait()
    return shown


COLOUR = re.compile(rb"\x1b\[[0-9;]*[34]\d(?:;[0-9;]*)?m")


def test_no_colour_where_nobody_wants_it(tmp_path: Path) -> None:
    missing = tmp_path / "missing.tar.gz"
    assert COLOUR.search(on_a_terminal("verify", missing))
    assert not COLOUR.search(on_a_terminal("verify", missing, NO_COLOR="1"))
    assert not COLOUR.search(on_a_terminal("verify", M1.first, NO_COLOR="1"))


def test_a_dumb_terminal_gets_plain_lines() -> None:
    assert b"\x1b" not in on_a_terminal("verify", M1.first, TERM="dumb")


def test_lines_without_a_terminal_are_plain(run: Run, tmp_path: Path) -> None:
    shown = run("unpack", M1.first, "--to", tmp_path / "out")
    assert shown.code == 0
    assert "\x1b" not in shown.out + shown.err
    assert "\r" not in shown.out + shown.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_there(run: Run, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    shown = run("--show-completion", shell)
    assert shown.code == 0
    assert "bxbackup" in shown.out
