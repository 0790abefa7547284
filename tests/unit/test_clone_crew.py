"""What a copy does at the same time: all of it ends, well or together, and what failed first is told."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path

import pytest

from boxlift_reader import crew
from boxlift_reader.fault import InterruptedPullError

LONG = ["sleep", "600"]


class Held:
    """Work that runs a program, and tells when it has begun."""

    def __init__(self, *words: str, goes_on: bool) -> None:
        self.begun = threading.Event()
        self.code: int | None = None
        self._words, self._goes_on = words, goes_on

    def __call__(self) -> None:
        with crew.started(self._words, goes_on=self._goes_on) as process:
            self.begun.set()
            self.code = process.wait()


def failing(*after: Held) -> None:
    for one in after:
        assert one.begun.wait(60)
    raise ValueError("the cause")


def test_works_run_at_the_same_time() -> None:
    both = threading.Barrier(2)
    crew.together(lambda: both.wait(60), lambda: both.wait(60))


def test_when_one_fails_what_goes_on_later_is_ended_and_the_cause_is_told() -> None:
    held = Held(*LONG, goes_on=True)
    with pytest.raises(ValueError, match="the cause"):
        crew.together(held, lambda: failing(held))
    assert held.code == -signal.SIGTERM


def test_when_one_fails_a_program_whose_work_would_be_lost_comes_to_its_end(tmp_path: Path) -> None:
    held = Held("sh", "-c", f"sleep 0.5; touch {tmp_path}/first", goes_on=False)

    def two() -> None:
        held()
        crew.check()
        (tmp_path / "second").touch()

    with pytest.raises(ValueError, match="the cause"):
        crew.together(two, lambda: failing(held))
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


def test_when_one_fails_no_other_program_is_begun(tmp_path: Path) -> None:
    held = Held("true", goes_on=False)
    failed = threading.Event()
    said: list[Exception] = []

    def two() -> None:
        held()
        assert failed.wait(60)
        try:
            while True:
                Held("true", goes_on=False)()
        except InterruptedPullError as error:
            said.append(error)
            raise

    def one() -> None:
        failed.set()
        failing(held)

    with pytest.raises(ValueError, match="the cause"):
        crew.together(two, one)
    assert len(said) == 1


def test_an_interruption_ends_all_of_it() -> None:
    ones = [Held(*LONG, goes_on=True), Held(*LONG, goes_on=False)]

    def interrupt() -> None:
        assert all(one.begun.wait(60) for one in ones)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        crew.together(*ones, interrupt)
    assert [one.code for one in ones] == [-signal.SIGTERM] * 2


def test_works_of_a_work_end_with_it() -> None:
    inner, other = Held(*LONG, goes_on=True), Held(*LONG, goes_on=True)
    with pytest.raises(ValueError, match="the cause"):
        crew.together(lambda: crew.together(inner, other), lambda: failing(inner, other))
    assert (inner.code, other.code) == (-signal.SIGTERM, -signal.SIGTERM)


def test_who_works_alone_is_not_ended_by_what_others_did() -> None:
    with pytest.raises(ValueError, match="the cause"):
        crew.together(failing)
    crew.check()
    crew.together(crew.check)


def test_a_program_does_not_outlive_its_work() -> None:
    with contextlib.suppress(ValueError), crew.started(LONG) as process:
        failing()
    assert process.returncode == -signal.SIGKILL
