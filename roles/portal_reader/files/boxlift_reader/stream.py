"""Programs joined by pipes whose bytes are counted and held to a rate."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import IO

from . import crew

_BLOCK = 1 << 18
_LAST_WORDS = 2000
"""Bytes of a program's errors that are kept."""


@dataclass(frozen=True)
class Ended:
    """The program that broke a chain: its words, exit code, and what it said last."""

    words: tuple[str, ...]
    code: int
    said: str


@dataclass(frozen=True)
class Flow:
    """What went through a chain: bytes behind the first program and behind the last but one."""

    travelled: int
    arrived: int
    seconds: float
    broken: Ended | None


class _Pump(threading.Thread):
    """Carries bytes from one program to the next."""

    def __init__(
        self, source: IO[bytes], sink: IO[bytes], rate: int, tell: Callable[[int], None] | None
    ) -> None:
        super().__init__(daemon=True)
        self._source, self._sink, self._rate, self._tell = source, sink, rate, tell
        self.bytes = 0
        self.refused = False
        """The next program closed its end before all was there."""

    def run(self) -> None:
        began = time.monotonic()
        try:
            while block := os.read(self._source.fileno(), _BLOCK):
                view = memoryview(block)
                while view:
                    view = view[os.write(self._sink.fileno(), view) :]
                self.bytes += len(block)
                if self._tell is not None:
                    self._tell(self.bytes)
                if self._rate:
                    ahead = self.bytes / self._rate - (time.monotonic() - began)
                    if ahead > 0:
                        time.sleep(ahead)
        except OSError:
            self.refused = True
        finally:
            self._source.close()
            self._sink.close()


def flow(
    chain: Sequence[Sequence[str]], *, rate_kb: int = 0, tell: Callable[[int], None] | None = None
) -> Flow:
    """Run programs joined by pipes to their end.

    :param chain: words of at least two programs; the last one's output is dropped.
    :param rate_kb: KiB a second that leave the first program, 0 for as many as come.
    :param tell: called with the bytes that have arrived at the last program.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        errors = [stack.enter_context(tempfile.TemporaryFile()) for _ in chain]
        running: list[subprocess.Popen[bytes]] = []
        for words, file in zip(chain, errors, strict=True):
            program = crew.started(
                words,
                stdin=subprocess.PIPE if running else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if len(running) == len(chain) - 1 else subprocess.PIPE,
                stderr=file,
                bufsize=0,
            )
            running.append(stack.enter_context(program))
        pumps = _pumps(running, rate_kb, tell)
        for pump in pumps:
            pump.start()
        for pump in pumps:
            pump.join()
        codes = [process.wait() for process in running]
        broken = None
        for number, code in enumerate(codes):
            # A program that could not go on because the next one had gone is not the one to blame.
            if code != 0 and not (number < len(pumps) and pumps[number].refused):
                broken = Ended(tuple(chain[number]), code, _said(errors[number]))
                break
    return Flow(pumps[0].bytes, pumps[-1].bytes, time.monotonic() - began, broken)


def _pumps(
    running: Sequence[subprocess.Popen[bytes]], rate_kb: int, tell: Callable[[int], None] | None
) -> list[_Pump]:
    """One between each two programs: the first is held to the rate, the last tells."""
    pumps = []
    for number, (left, right) in enumerate(pairwise(running)):
        if left.stdout is None or right.stdin is None:
            raise RuntimeError("a pipe of a chain was not made")
        rate = rate_kb * 1024 if number == 0 else 0
        pumps.append(_Pump(left.stdout, right.stdin, rate, tell if number == len(running) - 2 else None))
    return pumps


def _said(file: IO[bytes]) -> str:
    size = file.seek(0, 2)
    file.seek(max(0, size - _LAST_WORDS))
    return file.read().decode(errors="replace").strip()
