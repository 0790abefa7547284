"""Every command tells what it does, shows examples that are right, and is offered by the shell."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from boxlift.cli import app

ROOT = typer.main.get_command(app)
OPTIONS = {
    "init": "--name --domain --staging-domain --telephony-domain --timezone --portal-host --staging-host"
    " --telephony-host --vault-password-file --vault-password-client --complete",
    "wheels": "--machine",
    "run": "--pass --from --until --check --yes --quiet --verbose --json",
    "verify": "--pass --staging --tell --quiet --verbose --json",
    "activate": "--pass --quiet --verbose --json",
    "rollback": "--staging --pass --quiet --verbose --json",
    "clone": "--dry-run --yes --tell --pass --quiet --verbose --json",
    "backup": "--tell --pass --quiet --verbose --json",
    "certificate": "--staging --tell --pass --quiet --verbose --json",
    "confirm": "--by --note --began --refuse --reopen --pass",
    "note": "--step --cost --pass",
    "plan": "--pass --json",
    "status": "--pass --json",
    "journal": "--format --tasks --json",
    "report": "--output --pass --json",
    "watch": "--port --pass",
}


def leaves(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    commands = getattr(command, "commands", None)
    if commands is None:
        yield path
        return
    for name, sub in commands.items():
        yield from leaves(sub, (*path, name))


COMMANDS = sorted(leaves(ROOT))


def found(path: tuple[str, ...]) -> Any:
    """A command; typer carries a click of its own, whose classes are not click's."""
    command: Any = ROOT
    for name in path:
        command = command.commands[name]
    return command


def examples(path: tuple[str, ...]) -> list[str]:
    """Commands of the example lines."""
    _, mark, text = (found(path).help or "").partition("Example")
    assert mark, f"boxlift {' '.join(path)} shows no example"
    text = re.sub(r"^s?:(\[/\])?", "", text.replace("[/]", ""))
    return [" ".join(part.split()) for part in text.split("·")]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_examples_are_commands_that_are_understood(path: tuple[str, ...]) -> None:
    shown = set()
    for example in examples(path):
        program, *words = shlex.split(example.partition(">")[0])
        assert program == "boxlift"
        (named,) = [other for other in COMMANDS if tuple(words[: len(other)]) == other]
        found(named).make_context(named[-1], words[len(named) :])
        shown.add(named)
    assert path in shown


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_command_and_option_is_explained(path: tuple[str, ...]) -> None:
    command = found(path)
    assert re.match(r"[A-Z].*[.?]", command.help or "", re.DOTALL)
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{' '.join(path)}: {parameter.name} is not explained"
    shown = CliRunner().invoke(app, [*path, "--help"])
    assert shown.exit_code == 0
    assert "Example" in shown.output


@pytest.mark.parametrize(("name", "options"), OPTIONS.items(), ids=list(OPTIONS))
def test_options(name: str, options: str) -> None:
    long = [
        option
        for parameter in found((name,)).params
        if parameter.param_type_name == "option"
        for option in parameter.opts
        if option.startswith("--") and option != "--help"
    ]
    assert " ".join(long) == options


def offered(words: str, folder: Path, *, shell: str = "bash") -> list[str]:
    """What the shell's completion gives for a command line whose last word is being typed."""
    ended = subprocess.run(
        [sys.executable, "-c", "from boxlift.cli import main; main()"],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "_BOXLIFT_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout.split()


@pytest.mark.slow
def test_the_shell_is_offered_commands_steps_and_suites(tmp_path: Path) -> None:
    assert offered("boxlift stat", tmp_path) == ["status"]
    assert offered("boxlift run re", tmp_path) == [
        "request-backup", "restore-backup", "repair-portal", "refresh-staging", "remove-leftovers",
        "release-cloud",
    ]  # fmt: skip
    assert "prepare" in offered("boxlift run p", tmp_path)
    assert offered("boxlift confirm re", tmp_path) == ["request-backup", "release-cloud"]
    assert offered("boxlift verify re", tmp_path) == ["repairs", "restore"]
    assert offered("boxlift run --until act", tmp_path) == ["activate-release"]


def test_completion_can_be_shown_for_a_shell() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    assert "--install-completion" in shown
    assert "--show-completion" in shown


def test_every_command_has_its_place_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `boxlift ([^`]+)` \|", text, re.MULTILINE)
    assert sorted(listed) == [" ".join(path) for path in COMMANDS]
    for page in re.findall(r"\]\((\w+\.md)\)", text):
        assert (Path(__file__).parents[2] / "docs" / page).is_file()
