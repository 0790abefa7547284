"""Differences between two environments: which are expected, and what is equal although it must not be."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from boxlift.compare.expectation import Expectation
from boxlift.compare.look import Environment

Settings = Mapping[str, Mapping[str, str]]
"""Part (packages, php, options …) to name to value; the text of a file has line ends."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Difference(Strict):
    """One name of which two environments have different values, or the same where they must differ.

    `left` and `right` are None where the environment has no such name. `lines` is how two texts differ, as
    `diff -U0` writes it. `reason` says why it is expected, None where nothing does.
    """

    part: str
    name: str
    kind: Literal["different", "equal"]
    left: str | None
    right: str | None
    lines: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def expected(self) -> bool:
        return self.kind == "different" and self.reason is not None


class Comparison(Strict):
    """`a` and `b` are the environments, `compared` counts the names looked at."""

    a: str
    b: str
    compared: int
    differences: tuple[Difference, ...]

    @property
    def unexpected(self) -> tuple[Difference, ...]:
        return tuple(item for item in self.differences if not item.expected)


def compared(a: Environment, b: Environment, expectations: Sequence[Expectation]) -> Comparison:
    """Compare two environments: their own names stand for the same, but where values must differ."""
    found = list(_shared(a.parts, b.parts, expectations))
    left, right = a.neutral(), b.neutral()
    count = 0
    for part in dict.fromkeys([*left, *right]):
        ours, theirs = left.get(part, {}), right.get(part, {})
        names = sorted({*ours, *theirs})
        count += len(names)
        for name in names:
            if ours.get(name) != theirs.get(name):
                rules = [rule for rule in expectations if rule.speaks_of(part, name)]
                found.append(_judged(part, name, ours.get(name), theirs.get(name), rules))
    return Comparison(a=a.name, b=b.name, compared=count, differences=tuple(found))


def _shared(left: Settings, right: Settings, expectations: Sequence[Expectation]) -> Iterator[Difference]:
    for rule in expectations:
        if not rule.must_differ:
            continue
        ours, theirs = left.get(rule.part, {}), right.get(rule.part, {})
        for name, value in ours.items():
            if value and value == theirs.get(name) and rule.speaks_of(rule.part, name):
                yield Difference(
                    part=rule.part, name=name, kind="equal", left=value, right=value, reason=rule.reason
                )


def _judged(
    part: str, name: str, left: str | None, right: str | None, rules: Sequence[Expectation]
) -> Difference:
    lines = tuple(_lines(left or "", right or "")) if "\n" in (left or "") + (right or "") else ()
    reason = next((rule.reason for rule in rules if rule.explains(left, right, lines)), None)
    if lines and reason is None:
        lines = tuple(line for line in lines if not any(rule.explains_line(line[1:]) for rule in rules))
        if not lines:
            reason = "; ".join(dict.fromkeys(rule.reason for rule in rules if rule.lines))
    if lines:
        left, right = (None if value is None else "" for value in (left, right))
    return Difference(
        part=part, name=name, kind="different", left=left, right=right, lines=lines, reason=reason
    )


def _lines(left: str, right: str) -> Iterator[str]:
    changed = difflib.unified_diff(left.splitlines(), right.splitlines(), lineterm="", n=0)
    return (line for line in changed if not line.startswith(("---", "+++", "@@")))
