"""The portal that is pulled, as the key of this run may read it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from . import crew
from .fault import InterruptedPullError, PullError, RefusedError, disk_full
from .stream import Ended, Flow

_UNREACHABLE = 255
"""What ssh itself ends with."""
_REFUSED = 6
_SECONDS = 600
"""Longest time of a question."""


class Way(Protocol):
    """How the source is reached: the program of the role portal_reader, and the account and host for it."""

    @property
    def ssh(self) -> Path: ...

    @property
    def address(self) -> str: ...


def command(way: Way, word: str) -> list[str]:
    """Words of a program that carries one of the source's few commands out."""
    return [str(way.ssh), way.address, word]


def ask(way: Way, word: str, told: str = "", *, seconds: float | None = _SECONDS) -> str:
    """The answer to a short question; `seconds` may pass before it has come, None for as many as it takes.

    :raises PullError: the source cannot be reached, or does not want to.
    """
    try:
        answer = subprocess.run(
            command(way, word), input=told, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InterruptedPullError(f"the source does not answer `{word}` within {seconds} s") from error
    if answer.returncode != 0:
        raise of_source(answer.returncode, answer.stderr)
    return answer.stdout


def of_source(code: int, said: str) -> PullError:
    """What it means that a command on the source ended badly."""
    said = said.strip()
    if code == _REFUSED:
        return RefusedError(said.removeprefix("refused: "))
    if code == _UNREACHABLE or code < 0:
        return InterruptedPullError(
            f"the line to production broke: {last_line(said) or 'ssh ended'}",
            "production goes on as if nothing was; start again when it can be reached",
        )
    if disk_full(said):
        return InterruptedPullError(
            f"production's disk is full: {last_line(said)}", "make room there, then start again"
        )
    return InterruptedPullError(
        f"production could not send: {last_line(said) or f'code {code}'}",
        "look at its database server (journalctl -u mariadb), then start again",
    )


def judge(way: Way, moved: Flow, room: str) -> None:
    """Raise what a broken chain means; `room` names the disk that the last program writes to."""
    broken = moved.broken
    if broken is None:
        return
    if broken.words[0] == str(way.ssh):
        raise of_source(broken.code, broken.said)
    raise here(broken, room)


def here(broken: Ended, room: str) -> PullError:
    """What it means that a program on this host ended badly."""
    said = last_line(broken.said) or f"code {broken.code}"
    if disk_full(broken.said):
        return InterruptedPullError(f"the disk of {room} is full", "make room there, then start again")
    if broken.code < 0:
        return InterruptedPullError(f"{broken.words[0]} was killed (signal {-broken.code})")
    return PullError(f"{broken.words[0]} failed: {said}")


def last_line(said: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def run(words: Sequence[str], room: str, *, told: str | None = None, user: str | None = None) -> str:
    """Run a program of this host to its end; what it printed, errors included.

    :raises PullError: it failed.
    """
    with crew.started(
        words,
        stdin=subprocess.DEVNULL if told is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        user=user,
        group=user,
        extra_groups=[] if user else None,
    ) as process:
        said: str = process.communicate(told)[0]
    if process.returncode != 0:
        raise here(Ended(tuple(words), process.returncode, said), room)
    return said
