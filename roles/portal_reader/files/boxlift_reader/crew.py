"""What a run does at the same time, and programs that do not outlive the work that started them."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .fault import InterruptedPullError


@dataclass(frozen=True)
class _Program:
    """A program that runs, and whether the next run goes on where it is ended."""

    process: subprocess.Popen[Any]
    goes_on: bool

    def end(self, *, at_once: bool) -> None:
        """Ask it to end, unless its work would be lost and there is time."""
        if at_once or self.goes_on:
            self.process.terminate()


class _Crew:
    """Works that end together: their programs, and the crews that they have formed themselves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._members: list[_Program | _Crew] = []
        self._ended = False

    @contextmanager
    def member(self, member: _Program | _Crew) -> Iterator[None]:
        """One that ends with the others.

        :raises InterruptedPullError: they have ended.
        """
        with self._lock:
            self._check()
            self._members.append(member)
        try:
            yield
        finally:
            with self._lock:
                self._members.remove(member)

    def end(self, *, at_once: bool) -> None:
        """Let nobody begin anything more, and programs end."""
        with self._lock:
            self._ended = True
            for member in self._members:
                member.end(at_once=at_once)

    def check(self) -> None:
        """Raise if they have ended."""
        with self._lock:
            self._check()

    def _check(self) -> None:
        if self._ended:
            raise InterruptedPullError("another part of the run has ended")


_OF_THREAD = threading.local()


def _mine() -> _Crew:
    """The crew in which this thread works; one of its own where it works alone."""
    found: _Crew = getattr(_OF_THREAD, "crew", None) or _Crew()
    return found


def together(*works: Callable[[], object]) -> None:
    """Do several things at the same time, to the end of all.

    When one fails, the others begin nothing more: what the next run goes on with is ended at once, other
    programs come to their end, as their work would be lost. When this thread is interrupted, all are ended.

    :raises PullError: or whatever else the first that failed raised.
    """
    crew = _Crew()

    def do(work: Callable[[], object]) -> None:
        _OF_THREAD.crew = crew
        work()

    with _mine().member(crew), ThreadPoolExecutor(len(works)) as pool:
        try:
            running = [pool.submit(do, work) for work in works]
            first = wait(running, return_when=FIRST_EXCEPTION).done
            crew.end(at_once=False)
            wait(running)
        except BaseException:
            crew.end(at_once=True)
            raise
    for one in running:
        if one in first:
            one.result()


def check() -> None:
    """For work that starts no programs: see whether what is done at the same time goes on.

    :raises InterruptedPullError: it has failed.
    """
    _mine().check()


@contextmanager
def started(
    words: Sequence[str], *, goes_on: bool = False, **options: Any
) -> Iterator[subprocess.Popen[Any]]:
    """A program that is gone when the context ends, however that comes.

    :param goes_on: the next run goes on where this one is ended.
    :param options: as `Popen` has them.
    """
    with subprocess.Popen(list(words), **options) as process:
        try:
            with _mine().member(_Program(process, goes_on)):
                yield process
        finally:
            if process.poll() is None:
                process.kill()
