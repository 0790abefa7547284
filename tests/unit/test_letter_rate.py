"""How quickly password letters go out, by a clock that stands still unless somebody waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.boxlift_people import Person

from library import portal_letters
from library.portal_letters import Sender


@dataclass
class Clock:
    """Seconds that passed."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return int(self.now * 1e9)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Ledger:
    """The people of a portal, without a database."""

    states: dict[int, tuple[str, str, int]] = field(default_factory=dict)

    def without_password(self) -> list[Person]:
        return [Person(number, f"user{number}", f"{number}@acme.example", "", "s1") for number in range(1, 6)]

    def letters(self) -> dict[int, tuple[str, str, int]]:
        return dict(self.states)

    def prepare(self) -> None:
        pass

    def enter(self, person: Person) -> None:
        self.states.setdefault(person.id, ("none", "", 0))

    def note_letter(self, user: int, state: str, note: str = "", started_us: int = 0) -> None:
        self.states[user] = (state, note, started_us)


@pytest.mark.parametrize(
    ("per_minute", "takes", "sent_at"),
    [
        # One for each second, whichever part of it the portal needs, in this call and in the next one.
        (60, 0.25, [0, 1, 2, 3, 4]),
        (240, 0.125, [0, 0.25, 0.5, 0.75, 1]),
        # Longer than a call may take.
        (2, 0.5, [0, 30, 60, 90, 120]),
        # A portal that is slower than the rate waits for nobody.
        (60, 1.5, [0, 1.5, 3, 4.5, 6]),
    ],
)
def test_letters_keep_their_distance(
    monkeypatch: pytest.MonkeyPatch, per_minute: int, takes: float, sent_at: list[float]
) -> None:
    clock, ledger, began = Clock(), Ledger(), []

    def php(*_: Any, **__: Any) -> dict[str, Any]:
        began.append(clock.now)
        clock.now += takes
        return {"sent": True, "message": ""}

    monkeypatch.setattr(portal_letters, "time", clock)
    monkeypatch.setattr(portal_letters, "run_php", php)
    monkeypatch.setattr(portal_letters, "People", lambda *_: ledger)
    monkeypatch.setattr(portal_letters, "Holder", lambda *_: None)
    given = {
        "release": "final-1",
        "database": "portal_final_1",
        "only": None,
        "default_site": "s1",
        "run_began": 0,
        "per_minute": per_minute,
        "seconds": 3,
    }
    module = SimpleNamespace(params=given)
    sender = Sender(module, SimpleNamespace(commit=lambda: None))
    while sender.left():
        assert sender.send(0) > 0
    assert began == sent_at
