"""What a look in check mode is judged by."""

import pytest

from tests.scenarios.checked import Look, changes
from tests.scenarios.fingerprint import differences

REFUSED = (
    'fatal: [portal-1]: FAILED! => {"boxlift_exit": 6, "changed": false, "msg": "refused: nothing is there"}'
)


def test_a_refusal_gives_its_reason() -> None:
    look = Look(2, f"TASK [a]\n{REFUSED}\n")
    assert look.refusal == "refused: nothing is there"
    assert look.faults(["a secret word"]) == []


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        "[ERROR]: Task failed: 'portal_release' is undefined",
        "[ERROR]: Task failed: Could not find the requested service portal-agents.timer: host",
    ],
)
def test_a_stumble_is_a_fault(line: str) -> None:
    assert Look(2, f"{line}\n{REFUSED}\n").faults([]) == [line]


def test_a_secret_and_an_end_without_a_reason_are_faults() -> None:
    assert Look(2, "+password = a secret word\n").faults(["a secret word"]) == [
        "a secret is shown",
        "it ended with 2 and gave no reason",
    ]


def test_what_came_went_or_is_otherwise_is_a_difference() -> None:
    before, after = (
        {"file a": "1", "file b": "1", "file c": "1"},
        {"file a": "1", "file b": "2", "file d": "1"},
    )
    told = ["file b: 1 → 2", "file c: 1 → not there", "file d: not there → 1"]
    assert differences(before, after) == told
    assert changes({"portal-1": before}, {"portal-1": after}) == [f"portal-1: {line}" for line in told]
