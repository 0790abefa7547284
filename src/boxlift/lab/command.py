"""Running other programs: argument lists only, root through sudo where the user is not root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from boxlift.errors import ExitCode
from boxlift.lab.errors import LabError


def become_root() -> tuple[str, ...]:
    """The words that go before a command which needs root: none for root itself, else sudo."""
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo") is None:
        raise LabError("the lab's hosts need root and there is no sudo here: run the same command as root")
    return ("sudo",)


def run(
    arguments: Sequence[str],
    *,
    root: bool = False,
    variables: Mapping[str, str] | None = None,
    text: str | None = None,
    timeout: float | None = None,
    folder: Path | None = None,
) -> str:
    """Run a command and give its standard output.

    `variables` are added to the environment, also across sudo. A failure raises LabError with the command's
    name and the last lines that it wrote to standard error.
    """
    done = attempt(arguments, root=root, variables=variables, text=text, timeout=timeout, folder=folder)
    if done.returncode != 0:
        raise LabError(f"{' '.join(arguments[:3])}: {reason(done)}", ExitCode.HOST_FAILED)
    return done.stdout


def reason(done: subprocess.CompletedProcess[str]) -> str:
    """The lines of a failed command that say why: its errors (E: of apt, Error: of Podman), else its last."""
    said = (done.stderr or done.stdout).strip().splitlines()
    errors = [line for line in said if line.lower().startswith(("e: ", "error"))]
    return " · ".join(line.strip() for line in (errors or said)[-3:]) or "failed without a word"


def attempt(
    arguments: Sequence[str],
    *,
    root: bool = False,
    variables: Mapping[str, str] | None = None,
    text: str | None = None,
    timeout: float | None = None,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """As `run`, but a failing command is the caller's to judge."""
    words = [*arguments]
    environment = {**os.environ, **(variables or {})}
    if root and (before := become_root()):
        words = [*before, "env", *(f"{name}={value}" for name, value in (variables or {}).items()), *words]
    try:
        return subprocess.run(
            words,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            timeout=timeout,
            cwd=folder,
            check=False,
        )
    except FileNotFoundError as error:
        raise LabError(f"{arguments[0]} is not installed: run `make setup`") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"{' '.join(arguments[:3])} gave no answer within {timeout:.0f} s", ExitCode.HOST_FAILED
        ) from error
